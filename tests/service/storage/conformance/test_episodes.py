"""Episodes of alerts, texts of rules and what the notifier remembers, on each engine."""

from __future__ import annotations

import pytest

from alerts.lifecycle import Alert, State
from service.storage import episodes, remembered, state
from service.storage.connecting import Connection
from service.storage.database import Transaction
from service.storage.episodes import Sought, Stretch

NOON = 1_700_000_000.0


def make(app: str, *, at: float, episode: int = 1, ended_at: float | None = None, **labels: str) -> Alert:
    return Alert(
        rule=f"{app.title()}Rate/page",
        key=(app,),
        labels={"alertname": f"{app.title()}Rate", "severity": "page", "app": app} | labels,
        fingerprint=app.encode().hex().rjust(16, "0"),
        state=State.FIRING if ended_at is None else State.INACTIVE,
        episode=episode,
        fired_at=at,
        resolved_at=ended_at,
    )


FIRST = make("shop", at=NOON, ended_at=NOON + 5)
SECOND = make("shop", at=NOON + 10, episode=2)
OTHER = make("cart", at=NOON + 3, ended_at=NOON + 9, environment="prod")
ODD = make("a\0'%b", at=NOON + 1, ended_at=NOON + 2)


@pytest.fixture
def kept(writer: Connection) -> Connection:
    with Transaction(writer):
        for one in (FIRST, ODD, OTHER, SECOND):
            state.save_episode(writer, one)
    return writer


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        (Sought(), [SECOND, OTHER, ODD, FIRST]),
        (Sought(app="shop"), [SECOND, FIRST]),
        (Sought(environment="prod"), [OTHER]),
        (Sought(severity="ticket"), []),
        (Sought(rule="ShopRate"), [SECOND, FIRST]),
        (Sought(rule="ShopRate/page"), [SECOND, FIRST]),
        (Sought(rule="ShopRat"), []),
        (Sought(since=NOON + 3, until=NOON + 10), [OTHER]),
    ],
)
def test_what_fired_is_found_by_what_it_is_the_last_first(kept: Connection, sought: Sought, found: list[Alert]) -> None:
    assert episodes.find(kept, sought, limit=10) == found
    asked = [one for one in (SECOND, OTHER, ODD, FIRST) if sought.takes(one)]
    assert asked == found


def test_a_page_goes_on_where_the_one_before_ended(kept: Connection) -> None:
    place = (OTHER.fired_at or 0.0, OTHER.fingerprint, OTHER.episode)
    assert episodes.find(kept, Sought(), limit=1, before=place) == [ODD]


def test_when_alerts_fired_is_told_by_their_labels(kept: Connection) -> None:
    found = episodes.stretches(kept, Sought(), since=NOON + 6, limit=10)
    assert found == [
        Stretch(app="shop", environment="", severity="page", fired_at=NOON + 10, ended_at=None),
        Stretch(app="cart", environment="prod", severity="page", fired_at=NOON + 3, ended_at=NOON + 9),
    ]


def test_an_episode_is_as_it_was_saved_last(kept: Connection) -> None:
    ended = make("shop", at=NOON + 10, episode=2, ended_at=NOON + 20)
    with Transaction(kept):
        state.save_episode(kept, ended)
    assert state.load_episodes(kept, limit=9, fingerprint=FIRST.fingerprint) == [ended, FIRST]
    assert state.load_resolved(kept, limit=2) == [ended, OTHER]
    assert len(state.texts_since(kept, NOON + 9, limit=9)) == 2


def test_a_text_of_a_rule_stays_as_it_was_first(writer: Connection) -> None:
    with Transaction(writer):
        state.save_rule_texts(writer, {"h1": ("Rate", "one")}, at=1.0)
        state.save_rule_texts(writer, {"h1": ("Rate", "two"), "h2": ("Rate", "three")}, at=2.0)
    assert [state.load_rule_text(writer, name) for name in ("h1", "h2", "h3")] == ["one", "three", None]


def test_what_the_notifier_remembers_keeps_its_order_when_it_changes(writer: Connection) -> None:
    with Transaction(writer):
        remembered.save(writer, [("group", "a", b"1"), ("group", "b", b"\x002"), ("silence", "a", b"3")])
        remembered.save(writer, [("group", "a", b"4"), ("silence", "a", None), ("silence", "z", b"5")])
    assert remembered.load(writer) == [("group", "a", b"4"), ("group", "b", b"\x002"), ("silence", "z", b"5")]


def test_a_secret_of_its_own_is_the_first_that_was_made(writer: Connection) -> None:
    assert remembered.own_secret(writer, "links", b"one\0") == b"one\0"
    assert remembered.own_secret(writer, "links", b"two") == b"one\0"
