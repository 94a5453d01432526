"""alerts/lifecycle.py: one function moves an alert. The table is in docs/reference/decisions.md."""

from __future__ import annotations

import pytest

from alerts.evidence import Evidence
from alerts.lifecycle import Alert, Change, State, advance
from alerts.rules import ErrorRate, Rule

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
