"""What a change of the rules adds, removes and moves, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from alerts.matchers import parse_matcher
from alerts.rules import Rule
from service.backtest.as_json import as_json
from service.backtest.as_text import as_text
from service.backtest.comparing import Comparison
from service.backtest.running import Result, backtest
from service.backtest.sources import Source
from tests.service.backtest.test_outcome import AUTH, OUTAGE, RATE, ruleset
from tests.support.events import NOON
from tests.support.logs import Wire, rejected, traffic, wire, write


def change(folder: Path, events: list[Wire], old: Rule, new: Rule) -> tuple[Comparison, Result]:
    sources = [Source(write(folder / "log", events))]
    result = backtest(sources, ruleset(new), against=ruleset(old, name="old"))
    assert result.comparison is not None
    return result.comparison, result


def test_no_change_changes_nothing(tmp_path: Path) -> None:
    found, result = change(tmp_path, OUTAGE, AUTH, AUTH)

    assert found == Comparison(same=1)
    assert "0 added, 0 removed, 0 moved, 1 the same" in as_text(result)


def test_an_end_that_comes_later_is_a_move(tmp_path: Path) -> None:
    found, result = change(tmp_path, OUTAGE, AUTH, replace(AUTH, keep_firing_for_s=90))

    (moved,) = found.moved
    assert (found.added, found.removed, found.same) == ([], [], 0)
    assert (moved.starts_later_s, moved.ends_later_s) == (0, 30)
    ((before, after),) = found.told_moved
    assert (before.status, after.at - before.at) == ("resolved", 30)
    assert (found.told_more, found.told_less) == ([], [])
    assert "same    30s later" in as_text(result)


def test_a_start_that_comes_earlier_is_a_move(tmp_path: Path) -> None:
    events = [*traffic(0, 60), *traffic(60, 120, status=400)]
    found, result = change(tmp_path, events, replace(RATE, hold_s=5), RATE)

    (moved,) = found.moved
    assert (moved.starts_later_s, moved.ends_later_s) == (-5, None)
    assert [(before.status, after.at - before.at) for before, after in found.told_moved] == [("firing", -5)]
    assert "5s earlier" in as_text(result)


def test_pages_that_only_one_has_are_added_or_removed_with_their_notifications(tmp_path: Path) -> None:
    events = [*traffic(0, 100), rejected(100), *traffic(101, 300), rejected(300, app="web"), wire(301)]
    only_web = replace(AUTH, match=(*AUTH.match, parse_matcher('app="web"')))

    less, _ = change(tmp_path, events, AUTH, only_web)
    more, result = change(tmp_path, events, only_web, AUTH)

    assert [(e.labels["app"], e.starts_at - NOON) for e in less.removed] == [("shop", 100)]
    assert [(told.status, told.at - NOON) for told in less.told_less] == [("firing", 100), ("resolved", 162)]
    assert (less.added, less.told_more, less.same) == ([], [], 1)
    assert more.added == less.removed
    assert more.told_more == less.told_less
    changes = json.loads(as_json(result))["against"]["changes"]
    assert [a["startsAt"] for a in changes["alerts"]["added"]] == ["2026-09-21T14:15:00.000Z"]
    assert [n["status"] for n in changes["notifications"]["added"]] == ["firing", "resolved"]
    assert (changes["alerts"]["removed"], changes["alerts"]["same"]) == ([], 1)


def test_one_that_becomes_two_is_one_that_ends_earlier_and_one_more(tmp_path: Path) -> None:
    """Kept for 60 s it goes through; kept for 5 s it ends and fires anew."""
    events = [*traffic(0, 100), rejected(100), *traffic(101, 130), rejected(130), *traffic(131, 300)]

    found, _ = change(tmp_path, events, AUTH, replace(AUTH, keep_firing_for_s=5))

    assert [(m.before.starts_at - NOON, m.starts_later_s, m.ends_later_s) for m in found.moved] == [(100, 0, -85)]
    assert [(e.starts_at - NOON, e.episode) for e in found.added] == [(130, 2)]


def test_labels_that_change_make_another_alert(tmp_path: Path) -> None:
    found, _ = change(tmp_path, OUTAGE, AUTH, replace(AUTH, labels={"severity": "ticket"}))

    assert [e.severity for e in found.removed] == ["page"]
    assert [e.severity for e in found.added] == ["ticket"]


def test_other_receivers_are_a_move(tmp_path: Path) -> None:
    from alerts.config import Config
    from alerts.routes import Route

    sources = [Source(write(tmp_path / "log", OUTAGE))]
    other = ruleset(AUTH, config=Config(route=Route(receiver="night")), name="old")
    found = backtest(sources, ruleset(AUTH), against=other).comparison

    assert found is not None
    assert [(m.before.receivers, m.after.receivers) for m in found.moved] == [(["night"], ["console"])]
    assert [told.receiver for told in found.told_less] == ["night", "night"]
    assert [told.receiver for told in found.told_more] == ["console", "console"]
