"""Totals of calls, and what was refused, on each engine."""

from __future__ import annotations

import pytest

from service.storage import call_totals, pulse, rejects
from service.storage.connecting import Connection
from service.storage.database import Transaction

SHOP, CART = ("shop", "prod"), ("cart", "")


def test_totals_are_told_step_by_step_and_begin_where_they_began(writer: Connection) -> None:
    assert call_totals.began(writer) is None
    with Transaction(writer):
        call_totals.begin(writer, {SHOP: (10, 1)}, step=4)
        call_totals.save(writer, {SHOP: (20, 2), CART: (3, 0)}, step=5)
        call_totals.save(writer, {SHOP: (25, 2)}, step=5)
        call_totals.save(writer, {SHOP: (99, 9)}, step=8)
        call_totals.save(writer, {SHOP: (30, 3)}, step=6)
    assert call_totals.load(writer, SHOP) == [(4, (10, 1)), (5, (25, 2)), (6, (30, 3))]
    assert call_totals.load(writer, CART) == [(5, (3, 0))]
    assert call_totals.began(writer) == 4
    with Transaction(writer):
        call_totals.prune(writer, before=6)
    assert (call_totals.load(writer, SHOP), call_totals.load(writer, CART)) == ([(6, (30, 3))], [(5, (3, 0))])
    with Transaction(writer):
        call_totals.begin(writer, {}, step=7)
    assert (call_totals.load(writer, SHOP), call_totals.began(writer)) == ([], 7)


def test_refused_rows_are_found_newest_first_by_app_and_age(writer: Connection) -> None:
    with Transaction(writer):
        rejects.add(writer, [(1.0, "shop", '"Zoë"'), (2.0, "cart", '"b"'), (3.0, "shop", '"c"')], now=3.0)
    assert rejects.find(writer, app=None, since=2.0, limit=9) == [(3, '"c"'), (2, '"b"')]
    assert rejects.find(writer, app="shop", since=0.0, limit=9) == [(3, '"c"'), (1, '"Zoë"')]


@pytest.mark.parametrize(
    ("bound", "value", "kept"), [("MAX_ROWS", 2, [4, 3]), ("MAX_BYTES", 25, [4, 3]), ("MAX_AGE_S", 1.5, [4, 3])]
)
def test_of_what_was_refused_the_newest_is_kept(
    writer: Connection, monkeypatch: pytest.MonkeyPatch, bound: str, value: float, kept: list[int]
) -> None:
    monkeypatch.setattr(rejects, bound, value)
    for at in (1.0, 2.0, 3.0, 4.0):
        with Transaction(writer):
            rejects.add(writer, [(at, "shop", "0123456789")], now=at)
    assert [number for number, _ in rejects.find(writer, app=None, since=0.0, limit=9)] == kept


def test_a_pulse_is_one_row_however_often_it_beats(writer: Connection) -> None:
    for at in (1.0, 2.0):
        pulse.write(writer, at)
    assert writer.execute("SELECT at FROM pulse").fetchall() == [(2.0,)]
