"""The notifier over reloads, pauses and clocks that jump, and who audits it."""

from __future__ import annotations

from alerts.default_rules import AUTH_ERROR, CONSECUTIVE_SERVER_ERRORS, ERROR_RATE_PAGE
from alerts.inhibition import InhibitRule
from alerts.lifecycle import Change
from alerts.matchers import parse_matcher
from alerts.notifier_state import NotifierState
from alerts.policy import Policy
from tests.support.telling import NOON, Telling, grouped, own, posted, route

# ── an auditor ────────────────────────────────────────────────────────────────


def test_a_page_that_nobody_was_told_of_is_found() -> None:
    telling = Telling(route(), rules={AUTH_ERROR.id: AUTH_ERROR})
    telling.change(Change.FIRED, own(AUTH_ERROR))
    assert telling.notifier.untold_pages(NOON + 600, after_s=120) == []

    (name,) = telling.notifier.state.told
    del telling.notifier.state.told[name]

    assert [a.fingerprint for a in telling.notifier.untold_pages(NOON + 600, after_s=120)] == [name]
    assert telling.notifier.untold_pages(NOON + 60, after_s=120) == []


def test_a_page_that_waits_for_its_group_is_not_missed() -> None:
    telling = Telling(grouped(group_wait_s=600.0), rules={AUTH_ERROR.id: AUTH_ERROR})
    telling.change(Change.FIRED, own(AUTH_ERROR))

    assert telling.at(300).notifier.untold_pages(telling.now, after_s=120) == []
    assert telling.notifier.told(own(AUTH_ERROR).fingerprint) == []
    telling.at(601)
    assert telling.notifier.told(own(AUTH_ERROR).fingerprint) == ["on-call"]
    next_at = telling.notifier.next_at()
    assert next_at is not None
    assert next_at > telling.now


# ── another configuration, another time ───────────────────────────────────────


def test_an_incident_of_which_nobody_knows_who_is_there_is_told_anew() -> None:
    telling = Telling(route("old"), rules={r.id: r for r in (ERROR_RATE_PAGE, CONSECUTIVE_SERVER_ERRORS)})
    first, second = own(ERROR_RATE_PAGE), own(CONSECUTIVE_SERVER_ERRORS)
    telling.change(Change.FIRED, first)
    telling.change(Change.FIRED, second)
    telling.policy = Policy(route=route("new"), receivers=frozenset({"new"}))
    telling.notifier.adopt(telling.policy, telling.now)
    telling.take(telling.notifier.weigh(telling.rules, telling.find, telling.now))
    telling.change(Change.RESOLVED, first)
    telling.change(Change.RESOLVED, second)

    assert [(n.receiver, n.reason, n.alerts[0].labels["alertname"]) for n in telling.told] == [
        ("old", "first notification", "ClaudeErrorRate"),
        ("new", "first notification", "ClaudeErrorRate"),
        ("new", "all alerts resolved", "ClaudeErrorRate"),
    ]


def test_who_asks_is_told_what_holds_an_alert_back_and_what_it_holds_back() -> None:
    rule = InhibitRule(source=(parse_matcher("alertname=Cause"),), target=(parse_matcher("alertname=Effect"),))
    for tree in (route(), grouped()):
        telling = Telling(Policy(route=tree, inhibit_rules=(rule,)))
        telling.fire("Cause")
        telling.fire("Effect")
        telling.at(10)
        cause, effect = telling.notifier.state.firing

        assert telling.notifier.held_back(effect) == f"inhibited {cause}"
        assert telling.notifier.holds_back(cause) == [effect]
        assert telling.notifier.held_back(cause) == ""


def test_a_clock_that_is_set_back_makes_nobody_wait_longer() -> None:
    telling = Telling(route(repeat_interval_s=600.0))
    telling.fire("Down", severity="page")
    telling.fire("Slow", severity="ticket")
    telling.at(50)
    for name in telling.notifier.state.firing:
        telling.notifier.acknowledge(name, by="Ann", now=telling.now)
    telling.now = NOON - 86_400
    telling.notifier.rewind(telling.now)
    telling.told.clear()
    telling.at(-86_400 + 1805)

    assert telling.said() == ["-84600 on-call repeat interval elapsed: +Down{severity=page}"]


def test_after_a_pause_what_was_due_meanwhile_is_told_once() -> None:
    telling = Telling(route(repeat_interval_s=60.0))
    telling.post(posted("Down", ends=90_000))
    telling.now = NOON + 7200
    telling.notifier.resume()
    telling.at(7230)

    assert telling.said()[1:] == ["7200.5 on-call repeat interval elapsed: +Down"]


def test_rows_of_a_version_that_remembers_other_things_are_passed_over() -> None:
    assert NotifierState([("dreams", "x", b"")]).rows() == []
