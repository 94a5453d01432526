"""alerts/lifecycle.py: one function moves an alert. The table is in docs/reference/decisions.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.conditions import ErrorRate, Silent
from alerts.evidence import Evidence
from alerts.lifecycle import Alert, Change, State, advance, close, rewind, timers
from alerts.rules import Rule

NOON = 1_790_000_000.0
AT_ONCE = Rule(alert="Rate", condition=ErrorRate(), keep_firing_for_s=300)
HELD = Rule(alert="Rate", condition=ErrorRate(), hold_s=60, keep_firing_for_s=300)


def make_alert(**fields: object) -> Alert:
    known: dict[str, object] = {"rule": "Rate/page", "key": ("chat",), "labels": {}, "fingerprint": "0" * 16}
    evidence = Evidence(first_at=NOON, last_at=NOON, failures=3)
    return Alert(**(known | {"last_at": NOON, "evidence": evidence} | fields))  # type: ignore[arg-type]


def firing(**fields: object) -> Alert:
    return make_alert(state=State.FIRING, episode=1, active_at=NOON, fired_at=NOON, **fields)


def pending() -> Alert:
    return make_alert(state=State.PENDING, active_at=NOON)


def test_an_alert_without_for_fires_at_once() -> None:
    alert = make_alert()

    change = advance(alert, AT_ONCE, holds=True, now=NOON)

    assert (change, alert.state, alert.episode, alert.fired_at) == (Change.FIRED, State.FIRING, 1, NOON)


def test_an_alert_with_for_is_pending_first_and_fires_when_the_time_is_up() -> None:
    alert = make_alert()

    changes = [advance(alert, HELD, holds=True, now=NOON + s) for s in (0, 59, 60)]

    assert changes == [Change.PENDING, None, Change.FIRED]
    assert alert.active_at == NOON


def test_a_pending_alert_whose_condition_stops_is_calmed() -> None:
    alert = pending()

    assert advance(alert, HELD, holds=False, now=NOON + 1) is Change.CALMED
    assert (alert.state, alert.episode) == (State.INACTIVE, 0)


@pytest.mark.parametrize("alert", [make_alert(), pending(), firing()], ids=lambda alert: alert.state.value)
def test_no_evidence_leaves_an_alert_as_it_was(alert: Alert) -> None:
    """An app that has stopped calling has not recovered."""
    before = alert.state

    assert advance(alert, HELD, holds=None, now=NOON + 1800) is None
    assert alert.state is before


def test_a_firing_alert_is_kept_and_then_resolved() -> None:
    alert = firing(last_at=NOON + 400)

    advance(alert, AT_ONCE, holds=False, now=NOON + 10)
    advance(alert, AT_ONCE, holds=False, now=NOON + 309)
    kept = alert.state
    change = advance(alert, AT_ONCE, holds=False, now=NOON + 310)

    assert kept is State.FIRING
    assert (change, alert.resolve_reason, alert.resolved_at) == (Change.RESOLVED, "recovered", NOON + 310)


def test_keeping_starts_anew_when_the_condition_holds_in_between() -> None:
    alert = firing(last_at=NOON + 900)

    for second, holds in [(10, False), (200, True), (250, False), (549, False)]:
        advance(alert, AT_ONCE, holds=holds, now=NOON + second)

    assert (alert.state, alert.kept_at) == (State.FIRING, NOON + 250)


def test_no_evidence_at_the_end_of_keeping_does_not_resolve() -> None:
    alert = firing(kept_at=NOON)

    advance(alert, AT_ONCE, holds=None, now=NOON + 300)

    assert alert.state is State.FIRING


@pytest.mark.parametrize("holds", [True, None])
def test_a_key_that_is_silent_for_an_hour_is_closed_as_stale(holds: bool | None) -> None:
    alert = firing()

    assert advance(alert, AT_ONCE, holds=holds, now=NOON + 3599) is None
    assert advance(alert, AT_ONCE, holds=holds, now=NOON + 3600) is Change.RESOLVED
    assert alert.resolve_reason == "stale"


def test_old_failures_begin_nothing() -> None:
    alert = make_alert(evidence=Evidence(last_at=NOON - 3600))

    assert advance(alert, AT_ONCE, holds=True, now=NOON) is None


def test_an_alert_that_fires_again_is_a_new_episode_that_nobody_has_acknowledged() -> None:
    alert = make_alert(episode=1, resolved_at=NOON - 60, resolve_reason="recovered", acked_by="ann", acked_at=NOON - 90)

    advance(alert, AT_ONCE, holds=True, now=NOON)

    assert (alert.episode, alert.resolved_at, alert.resolve_reason) == (2, None, "")
    assert (alert.acked_by, alert.acked_at) == ("", None)


# ── the ways out of turn ─────────────────────────────────────────────────────


@pytest.mark.parametrize(("make", "change"), [(make_alert, None), (pending, Change.CALMED), (firing, Change.RESOLVED)])
def test_an_alert_whose_rule_is_gone_is_closed_as_far_as_it_had_begun(
    make: Callable[[], Alert], change: Change | None
) -> None:
    alert = make()

    assert close(alert, "rule removed", now=NOON + 9) is change
    assert (alert.state, alert.active_at, alert.kept_at) == (State.INACTIVE, None, None)
    assert (alert.resolved_at, alert.resolve_reason) == (
        (NOON + 9, "rule removed") if change is Change.RESOLVED else (None, "")
    )


def test_after_a_clock_was_set_back_nothing_of_an_alert_lies_ahead_and_nothing_earlier_moves() -> None:
    """What never happened has not happened then either."""
    alert = firing(kept_at=NOON + 50, acked_at=NOON - 50)
    rewind(alert, NOON - 10)

    assert (alert.active_at, alert.fired_at, alert.kept_at) == (NOON - 10, NOON - 10, NOON - 10)
    assert (alert.resolved_at, alert.acked_at) == (None, NOON - 50)
    assert (alert.last_at, alert.evidence.first_at, alert.evidence.last_at) == (NOON - 10, NOON - 10, NOON - 10)


@pytest.mark.parametrize(
    ("alert", "rule", "instants"),
    [
        (make_alert(kept_at=NOON), HELD, []),
        (pending(), HELD, [NOON + 60, NOON + 3600]),
        (firing(), HELD, [NOON + 3600]),
        (firing(kept_at=NOON + 10, last_at=NOON + 5), HELD, [NOON + 310, NOON + 3605]),
    ],
    ids=["inactive", "pending", "firing", "kept"],
)
def test_time_alone_may_end_the_waiting_the_keeping_and_a_silence(
    alert: Alert, rule: Rule, instants: list[float]
) -> None:
    assert sorted(timers(alert, rule)) == instants


# ── what each change leaves behind ───────────────────────────────────────────


def test_what_begins_to_fire_knows_its_rule_and_its_worst_so_far() -> None:
    alert = make_alert(value={"share": 0.5})

    advance(alert, AT_ONCE, holds=True, now=NOON)

    assert (alert.rule_hash, alert.peak) == (AT_ONCE.hash, {"share": 0.5})


def test_a_wait_of_a_second_is_a_wait() -> None:
    rule = Rule(alert="Rate", condition=ErrorRate(), hold_s=1)

    assert advance(make_alert(), rule, holds=True, now=NOON) is Change.PENDING


def test_what_was_pending_fires_from_the_instant_at_which_its_time_was_up() -> None:
    alert = pending()

    advance(alert, HELD, holds=True, now=NOON + 61)

    assert (alert.fired_at, alert.active_at) == (NOON + 61, NOON)


def test_a_pending_alert_of_a_key_that_fell_silent_is_calmed() -> None:
    rule = Rule(alert="Rate", condition=ErrorRate(), hold_s=7200)

    changes = [advance(pending(), rule, holds=holds, now=NOON + 3600) for holds in (True, None)]

    assert changes == [Change.CALMED] * 2


def test_keeping_and_holding_again_are_told_each_once() -> None:
    alert = firing(last_at=NOON + 900)
    steps = [(10, False), (11, False), (20, True), (21, True), (22, None), (30, False), (31, None)]

    told = [advance(alert, AT_ONCE, holds=holds, now=NOON + second) for second, holds in steps]

    assert told == [Change.KEPT, None, Change.HELD, None, None, Change.KEPT, None]


@pytest.mark.parametrize(("holds", "second"), [(True, 3600), (False, 300)])
def test_what_is_over_is_over_from_then_and_nothing_is_left_of_it(holds: bool, second: int) -> None:
    alert = firing(kept_at=None if holds else NOON)

    advance(alert, AT_ONCE, holds=holds, now=NOON + second)

    assert (alert.resolved_at, alert.active_at, alert.kept_at) == (NOON + second, None, None)
    assert alert.fired_at == NOON


SILENT = Rule(alert="Silent", condition=Silent(), stale_after_s=3600)


@pytest.mark.parametrize(
    ("heard_at", "last_at", "change"),
    [
        (NOON - 3599, 0, Change.FIRED),
        (NOON - 3600, NOON, None),
        (None, NOON - 3599, Change.FIRED),
        (None, NOON - 3600, None),
    ],
)
def test_what_needs_no_failures_is_old_by_when_the_key_was_heard_of(
    heard_at: float | None, last_at: float, change: Change | None
) -> None:
    alert = make_alert(last_at=last_at, evidence=Evidence())

    assert advance(alert, SILENT, holds=True, now=NOON, heard_at=heard_at) is change
