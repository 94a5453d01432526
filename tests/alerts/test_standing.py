"""One alert of several partitions: it fires while it fires in any, and its episodes are counted here."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from alerts.board import Board
from alerts.decisions import Transition
from alerts.evidence import Evidence, Sample
from alerts.lifecycle import Alert, Change, State
from alerts.standing import refreshed

NOON = 1_790_000_000.0


def an_alert(**changes: Any) -> Alert:
    return Alert(rule="R/page", key=("m",), labels={"alertname": "R", "model": "m"}, fingerprint="f" * 16, **changes)


class Part:
    """What the engine of one partition says of an alert."""

    def __init__(self, board: Board, partition: int) -> None:
        self.board, self.partition, self.alert = board, partition, an_alert()

    def say(self, change: Change, at: float, **changes: Any) -> list[str]:
        alert = self.alert = msgspec.structs.replace(self.alert, **changes)
        told = self.board.take(self.partition, Transition(change=change, at=at, alert=alert))
        return [transition.change.value for transition in told]

    def fire(self, at: float, **changes: Any) -> list[str]:
        episode = self.alert.episode + 1
        return self.say(
            Change.FIRED, at, state=State.FIRING, episode=episode, fired_at=at, active_at=at, kept_at=None, **changes
        )

    def keep(self, at: float) -> list[str]:
        return self.say(Change.KEPT, at, kept_at=at)

    def hold(self, at: float) -> list[str]:
        return self.say(Change.HELD, at, kept_at=None)

    def end(self, at: float) -> list[str]:
        return self.say(
            Change.RESOLVED,
            at,
            state=State.INACTIVE,
            active_at=None,
            kept_at=None,
            resolved_at=at,
            resolve_reason="stale",
        )


@pytest.fixture
def board() -> Board:
    return Board(())


def only(board: Board) -> Alert:
    [alert] = board.alerts()
    return alert


def test_it_begins_with_the_first_and_ends_with_the_last(board: Board) -> None:
    one, two = Part(board, 1), Part(board, 2)

    said = [one.fire(NOON), two.fire(NOON + 1), one.end(NOON + 2), two.end(NOON + 3)]

    assert said == [["fired"], [], [], ["resolved"]]
    alert = only(board)
    assert (alert.episode, alert.fired_at, alert.resolved_at, alert.state) == (1, NOON, NOON + 3, State.INACTIVE)


def test_it_is_kept_once_no_part_holds_and_held_once_one_does(board: Board) -> None:
    one, two = Part(board, 1), Part(board, 2)

    said = [one.fire(NOON), two.fire(NOON), one.keep(NOON + 1), two.keep(NOON + 2), one.hold(NOON + 3)]

    assert said == [["fired"], [], [], ["kept"], ["held"]]
    assert only(board).kept_at is None


def test_its_episodes_are_counted_on_the_board(board: Board) -> None:
    one, two = Part(board, 1), Part(board, 2)
    for n in range(3):
        one.fire(NOON + 10 * n)
        one.end(NOON + 10 * n + 1)
        two.fire(NOON + 10 * n + 2)
        two.end(NOON + 10 * n + 3)

    assert only(board).episode == 6
    assert (one.alert.episode, two.alert.episode) == (3, 3)


def test_an_engine_that_knows_earlier_episodes_goes_on_with_their_number(board: Board) -> None:
    one = Part(board, 1)
    one.alert = an_alert(episode=7)
    one.fire(NOON)

    assert only(board).episode == 8


def test_where_it_ends_and_is_pending_elsewhere_both_are_told(board: Board) -> None:
    one, two = Part(board, 1), Part(board, 2)
    one.fire(NOON)
    two.say(Change.PENDING, NOON + 1, state=State.PENDING, active_at=NOON + 1)

    assert one.end(NOON + 2) == ["resolved", "pending"]
    assert only(board).state is State.PENDING


def test_who_looks_after_it_is_known_until_its_end(board: Board) -> None:
    one, two = Part(board, 1), Part(board, 2)
    one.fire(NOON)
    only(board).acked_by = "Ann"
    two.fire(NOON + 1)
    one.end(NOON + 2)
    assert only(board).acked_by == "Ann"

    two.end(NOON + 3)
    one.fire(NOON + 4)

    assert only(board).acked_by == ""


def test_what_failed_and_matched_is_counted_over_all_parts(board: Board) -> None:
    one, two = Part(board, 1), Part(board, 2)
    samples = [Sample(at=NOON + n, error="e", category="server", model="m", path="/", attempt=1) for n in range(2)]
    for part, n in ((one, 2), (two, 3)):
        evidence = Evidence(
            first_at=NOON + n,
            last_at=NOON + 9 - n,
            failures=n,
            errors={"e": n},
            categories={"server": n},
            samples=samples,
        )
        part.fire(NOON + n, value={"count": float(n)}, evidence=evidence)

    alert = only(board)

    assert alert.value == {"count": 5.0}
    assert (alert.evidence.failures, alert.evidence.errors) == (5, {"e": 5})
    assert (alert.evidence.first_at, alert.evidence.last_at) == (NOON + 2, NOON + 7)
    assert alert.evidence.samples == [samples[0], samples[0], samples[1], samples[1]]


def test_a_partition_shows_what_it_measures_by_now_of_an_alert_that_is_as_it_said(board: Board) -> None:
    one = Part(board, 1)
    one.fire(NOON, value={"share": 0.2})
    standing = board.standing("f" * 16)
    assert standing is not None

    refreshed(standing, 1, msgspec.structs.replace(one.alert, value={"share": 0.9}))
    refreshed(standing, 1, msgspec.structs.replace(one.alert, value={"share": 0.1}, episode=9))
    refreshed(standing, 2, msgspec.structs.replace(one.alert, value={"share": 0.1}))

    assert only(board).value == {"share": 0.9}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_parts_say_the_board_says_what_any_of_them_does(seed: int) -> None:
    chance, board = random.Random(seed), Board(())
    parts = [Part(board, n) for n in range(3)]
    told: list[str] = []
    for n in range(60):
        part = chance.choice(parts)
        match (part.alert.state, part.alert.kept_at is not None, chance.random() < 0.5):
            case (State.INACTIVE, _, _):
                told += part.fire(NOON + n)
            case (_, True, True):
                told += part.hold(NOON + n)
            case (_, True, False):
                told += part.end(NOON + n)
            case _:
                told += part.keep(NOON + n)
        fires = [p for p in parts if p.alert.state is State.FIRING]
        alert = only(board)
        assert (alert.state is State.FIRING) == bool(fires)
        assert (alert.kept_at is not None) == (bool(fires) and all(p.alert.kept_at is not None for p in fires))
    assert told[0] == "fired"
    grammar = {
        "fired": {"kept", "resolved"},
        "kept": {"held", "resolved"},
        "held": {"kept", "resolved"},
        "resolved": {"fired"},
    }
    assert all(after in grammar[before] for before, after in pairwise(told))
