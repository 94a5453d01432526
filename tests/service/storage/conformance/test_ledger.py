"""The ledger on each engine: searched by what people ask for, and bounded."""

from __future__ import annotations

import pytest

from alerts.decisions import Decision, What
from service.storage import ledger
from service.storage.connecting import Connection
from service.storage.ledger import Wanted

NOON = 1_700_000_000.0

RATE = {"alertname": "Rate", "severity": "page", "app": "x"}

ROWS = [
    Decision(at=NOON + 1, what=What.FIRED, subject="a" * 16, labels=RATE, rule="Rate/page"),
    Decision(at=NOON + 2, what=What.LONE_429, labels={"app": "x", "environment": "prod"}, value={"n": 2}),
    Decision(at=NOON + 3, what=What.LONE_429, labels={"app": "y", "environment": "prod"}),
    Decision(at=NOON + 4, what=What.RESOLVED, subject="a" * 16, labels=RATE, rule="Rate/page"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [3, 2, 1, 0]),
        (Wanted(subject="a" * 16), [3, 0]),
        (Wanted(subject=""), [2, 1]),
        (Wanted(what="lone_429"), [2, 1]),
        (Wanted(what="no such"), []),
        (Wanted(app="x"), [3, 1, 0]),
        (Wanted(app="x", environment="prod"), [1]),
        (Wanted(rule="Rate/page"), [3, 0]),
        (Wanted(since=NOON + 2, until=NOON + 4), [2, 1]),
        (Wanted(app="x", since=NOON + 2), [3, 1]),
    ],
)
def test_a_question_finds_its_rows_newest_first(writer: Connection, wanted: Wanted, found: list[int]) -> None:
    ledger.add(writer, ROWS)

    assert ledger.find(writer, wanted, limit=10) == [ROWS[i] for i in found]
    assert [row for row in reversed(ROWS) if wanted.takes(row)] == [ROWS[i] for i in found]


@pytest.mark.parametrize(
    ("bound", "value", "kept"),
    [("MAX_ROWS", 2, 2), ("MAX_BYTES", 250, 2), ("MAX_BYTES", 0, 0), ("MAX_AGE_S", 7.5, 2), ("MAX_ROWS", 4, 4)],
)
def test_what_is_over_a_bound_goes_oldest_first(
    writer: Connection, monkeypatch: pytest.MonkeyPatch, bound: str, value: float, kept: int
) -> None:
    """Each row here has 70 to 130 bytes; the two newest together have under 250."""
    ledger.add(writer, ROWS)
    monkeypatch.setattr(ledger, bound, value)

    gone = ledger.prune(writer, now=NOON + 10)

    rows = ledger.find(writer, Wanted(), limit=10)
    assert rows == list(reversed(ROWS))[:kept]
    assert gone == len(ROWS) - kept


def test_bytes_are_bounded_over_many_prunings(writer: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MAX_BYTES", 3000)
    for i in range(50):
        ledger.add(writer, [Decision(at=NOON + i, what=What.LATE, note="x" * (i * 7 % 90))] * 3)
        ledger.prune(writer, now=NOON + i)

    held, newest = writer.execute("SELECT sum(length(row)), max(at) FROM ledger").fetchone()

    assert 2800 <= held <= 3000
    assert newest == NOON + 49


def test_an_empty_ledger_is_pruned_without_a_fault(writer: Connection) -> None:
    assert ledger.prune(writer, now=NOON) == 0


def test_rows_of_a_rule_are_found_by_what_they_say(writer: Connection) -> None:
    ledger.add(writer, ROWS)
    found = ledger.of_rule(writer, "Rate/page", [What.FIRED, What.RESOLVED], since=NOON, limit=10)
    assert found == [ROWS[3], ROWS[0]]
    assert ledger.of_rule(writer, "Rate/page", [What.FIRED], since=NOON + 2, limit=10) == []
