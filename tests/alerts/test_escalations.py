"""Escalations, and pages that go on for others than the alert that was told."""

from __future__ import annotations

from alerts.config import EscalationConfig, EscalationStep
from alerts.decisions import What
from alerts.default_rules import CONSECUTIVE_SERVER_ERRORS, ERROR_RATE_PAGE
from alerts.lifecycle import Alert, Change
from alerts.matchers import parse_matcher
from alerts.policy import Policy
from tests.support.telling import NOON, Telling, grouped, own, route

STEPS = EscalationConfig(
    matchers=(parse_matcher("severity=page"),),
    steps=(EscalationStep(after_s=600, receiver="second"), EscalationStep(after_s=1500, receiver="lead")),
)


# ── escalations ───────────────────────────────────────────────────────────────


def escalating(*, restarts: bool = True, tree: object = None) -> Telling:
    policy = Policy(route=tree or route(), inhibit_rules=(), escalations=(STEPS,))  # type: ignore[arg-type]
    return Telling(policy, restarts=restarts)


def test_a_page_that_nobody_looks_after_goes_on_to_the_next_step_by_step() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    telling.fire("Slow", severity="ticket")
    telling.at(1600)
    telling.end("Down", severity="page")

    assert [line for line in telling.said() if "Down" in line] == [
        "0 on-call first notification: +Down{severity=page}",
        "600 second first notification: +Down{severity=page}",
        "1500 lead first notification: +Down{severity=page}",
        "1600 on-call all alerts resolved: -Down{severity=page}",
        "1600 second all alerts resolved: -Down{severity=page}",
        "1600 lead all alerts resolved: -Down{severity=page}",
    ]
    assert telling.rows(What.ESCALATED) == ["nobody looks after it: second", "nobody looks after it: lead"]


def test_the_steps_are_those_of_when_it_was_told() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    telling.policy = Policy(route=route(), inhibit_rules=())
    telling.notifier.adopt(telling.policy, NOON)

    assert telling.at(700).said()[-1] == "600 second first notification: +Down{severity=page}"


def test_a_receiver_that_is_gone_is_passed_over() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    telling.policy = Policy(route=route(), inhibit_rules=(), receivers=frozenset({"on-call", "lead"}))
    telling.notifier.adopt(telling.policy, NOON)

    assert len(telling.at(700).said()) == 1
    assert telling.at(1600).said() == ["1500 lead first notification: +Down{severity=page}"]


def test_an_acknowledgement_stops_it_until_it_expires() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    (name,) = telling.notifier.state.firing
    telling.at(500)
    telling.notifier.acknowledge(name, by="Ann", now=telling.now)
    telling.at(2299)
    assert len(telling.said()) == 1

    telling.at(2400)
    assert telling.said() == [
        "2300 on-call repeat interval elapsed: +Down{severity=page}",
        "2340 second first notification: +Down{severity=page}",
        "2340 lead first notification: +Down{severity=page}",
    ]


def test_what_was_told_in_a_group_is_escalated_and_closed_by_itself() -> None:
    telling = escalating(tree=grouped())
    telling.fire("Down", severity="page")
    telling.at(650)
    telling.end("Down", severity="page")

    said = telling.at(700).said()
    assert [line for line in said if " second " in line] == [
        "610 second first notification: +Down{severity=page}",
        "650 second all alerts resolved: -Down{severity=page}",
    ]


# ── a page that speaks for several ───────────────────────────────────────────


def outage(**settings: object) -> tuple[Telling, Alert, Alert]:
    """Return a notifier whose error rate page goes on as a streak, for the error rate is over."""
    policy = Policy(route=route(repeat_interval_s=600.0), escalations=(STEPS,), **settings)  # type: ignore[arg-type]
    telling = Telling(policy, rules={r.id: r for r in (ERROR_RATE_PAGE, CONSECUTIVE_SERVER_ERRORS)}, restarts=True)
    first, second = own(ERROR_RATE_PAGE), own(CONSECUTIVE_SERVER_ERRORS)
    telling.change(Change.FIRED, first)
    telling.at(10).change(Change.FIRED, second)
    telling.at(20).change(Change.RESOLVED, first)
    return telling, first, second


def test_a_page_goes_on_and_is_escalated_while_anything_of_it_fires() -> None:
    telling, _, second = outage()
    telling.at(1000)
    telling.change(Change.RESOLVED, second)

    assert [(n.at - NOON, n.receiver, n.reason, n.alerts[0].labels["alertname"]) for n in telling.told] == [
        (0, "on-call", "first notification", "ClaudeErrorRate"),
        (600, "on-call", "repeat interval elapsed", "ClaudeConsecutiveServerErrors"),
        (600, "second", "first notification", "ClaudeConsecutiveServerErrors"),
        (1000, "on-call", "all alerts resolved", "ClaudeErrorRate"),
        (1000, "second", "all alerts resolved", "ClaudeErrorRate"),
    ]
    assert len({n.dedup_key for n in telling.told}) == 1
    assert telling.notifier.state.escalations == {}


def test_a_page_whose_alert_is_over_can_be_acknowledged_while_anything_of_it_fires() -> None:
    telling, first, second = outage()

    acknowledged = telling.notifier.acknowledge(first.fingerprint, by="Ann", now=telling.now)

    assert acknowledged is not None
    assert acknowledged.fingerprint == second.fingerprint
    assert len(telling.at(1000).told) == 1
    telling.change(Change.RESOLVED, second)
    assert telling.notifier.state.acks == {}
    assert telling.notifier.page(first.fingerprint) is None


def test_an_acknowledgement_holds_when_its_alert_fires_again_under_the_same_page() -> None:
    telling, first, _ = outage()
    telling.notifier.acknowledge(first.fingerprint, by="Ann", now=telling.now)
    first.episode = 2
    telling.at(30).change(Change.FIRED, first)

    assert len(telling.at(1000).told) == 1
    assert telling.notifier.state.acks[first.fingerprint].episode == 1
