"""The notifier alone tells what a real Alertmanager was seen to tell, or what is written down as better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from tests.alertmanager.outcome import Message, unexpected, wrong_reasons
from tests.alertmanager.random_timetables import wild_timetable
from tests.alertmanager.timetable import Timetable
from tests.alertmanager.timetables import TIMETABLES
from tests.alertmanager.virtual import is_virtual, play_virtually


@pytest.mark.parametrize("timetable", [one for one in TIMETABLES if is_virtual(one)], ids=lambda one: one.name)
def test_the_notifier_keeps_the_timetable(timetable: Timetable) -> None:
    outcome = play_virtually(timetable)

    assert unexpected(timetable.told if timetable.claxon is None else timetable.claxon, outcome, within_s=0.11) == []
    assert wrong_reasons(outcome) == []


@pytest.mark.parametrize("seed", range(200))
def test_what_was_told_is_closed(seed: int) -> None:
    """Silenced, inhibited and flapping meanwhile or not: nobody is left with a page that nothing ends."""
    outcome = play_virtually(wild_timetable(seed))

    told_of_ends = [one for one in outcome.messages if not one.webhook.endswith("[1]")]
    assert left_open(told_of_ends) == set()
    assert left_out(told_of_ends) == []
    assert wrong_reasons(outcome) == []


def test_what_is_left_open_is_seen() -> None:
    messages = play_virtually(TIMETABLES[0]).messages

    assert [one.line for one in messages] == ["1.0 page: +a"]
    assert len(left_open(messages)) == 1
    other = play_virtually(TIMETABLES[1]).messages[0]
    assert left_out([messages[0], replace(other, body={**other.body, "groupKey": messages[0].body["groupKey"]})]) == [
        other.line
    ]


def left_open(messages: Iterable[Message]) -> set[tuple[str, str, str]]:
    """Return the (webhook, group, fingerprint) that were told as firing and not as resolved after it."""
    found: set[tuple[str, str, str]] = set()
    for one in messages:
        for alert in one.body["alerts"]:
            key = (one.webhook, one.body["groupKey"], alert["fingerprint"])
            if alert["status"] == "firing":
                found.add(key)
            else:
                found.discard(key)
    return found


def left_out(messages: Sequence[Message]) -> list[str]:
    """Return the messages that do not name an alert that was told as firing, and not as resolved since."""
    found = []
    for i, one in enumerate(messages):
        named = {(one.webhook, one.body["groupKey"], alert["fingerprint"]) for alert in one.body["alerts"]}
        mine = {key for key in left_open(messages[:i]) if key[:2] == (one.webhook, one.body["groupKey"])}
        found += [one.line] if mine - named else []
    return found
