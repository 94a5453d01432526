"""Whatever happens, in whatever order and over whatever restarts: who was told of a beginning is told of its end."""

from __future__ import annotations

import os
import random
from collections import defaultdict

import pytest

from alerts.config import EscalationConfig, EscalationStep
from alerts.default_rules import AUTH_ERROR, CONSECUTIVE_SERVER_ERRORS, ERROR_RATE_PAGE, ERROR_RATE_TICKET
from alerts.inhibition import DEFAULT_INHIBIT_RULES
from alerts.lifecycle import Alert, Change, State
from alerts.matchers import parse_matcher
from alerts.notification import Notification, Status
from alerts.policy import Policy
from alerts.routes import Route
from alerts.silences import expired
from alerts.time_intervals import Span, TimeInterval
from tests.support.telling import NOON, Telling, grouped, own, posted, route

RULES = {r.id: r for r in (AUTH_ERROR, ERROR_RATE_PAGE, ERROR_RATE_TICKET, CONSECUTIVE_SERVER_ERRORS)}
SEEDS = range(60 * int(os.environ.get("CLAXON_TEST_FUZZ", "1")))
APPS = ("shop", "cart", "desk")


def a_policy(r: random.Random) -> Policy:
    quiet = TimeInterval(name="quiet", spans=(Span(times=((22 * 60 + 14, 22 * 60 + 16),)),))
    children: list[Route] = []
    for receiver in ("pager", "chat", "log"):
        matchers = r.choice([("severity=page",), ("app=shop",), ()])
        muted = ("quiet",) if r.random() < 0.3 else ()
        made = (
            grouped(receiver, *matchers, group_by=r.choice([(), ("alertname",), ("app",), ("...",)]))
            if r.random() < 0.5
            else route(receiver, *matchers, repeat_interval_s=r.choice([90.0, 14_400.0]))
        )
        children.append(replace_route(made, proceed=r.random() < 0.7, mute_time_intervals=muted))
    step = EscalationConfig(
        matchers=(parse_matcher("severity=page"),), steps=(EscalationStep(after_s=60, receiver="second"),)
    )
    return Policy(
        route=route("rest", routes=tuple(children)),
        inhibit_rules=DEFAULT_INHIBIT_RULES,
        time_intervals={"quiet": quiet},
        escalations=(step,) if r.random() < 0.5 else (),
        ack_expires_s=120.0,
        lanes={"chat": (True, False)} if r.random() < 0.3 else {},
    )


def replace_route(made: Route, **changes: object) -> Route:
    from dataclasses import replace

    return replace(made, **changes)  # type: ignore[arg-type]


def live(telling: Telling, r: random.Random) -> None:
    """Let a night pass: alerts fire and end, are posted, silenced, acknowledged; at last all of it is over."""
    alerts: dict[str, Alert] = {}
    open_posted: set[str] = set()
    for _ in range(r.randint(20, 60)):
        telling.at(telling.now - NOON + r.choice([0.5, 1, 7, 30, 70]))
        match r.choice(["rule", "rule", "rule", "post", "silence", "ack", "unack", "expire"]):
            case "rule":
                change_one(telling, alerts, r)
            case "post":
                name = r.choice(["Down", "Slow"])
                (telling.end if name in open_posted else telling.fire)(name, app="shop", severity="page")
                open_posted ^= {name}
            case "silence":
                name = f"s{r.randint(1, 3)}"
                telling.silence(f"app={r.choice(APPS)}", ends=telling.now - NOON + r.choice([5, 60, 200]), name=name)
            case "expire":
                for silence in list(telling.notifier.state.silences.values())[:1]:
                    over = expired(silence, now=telling.now)
                    telling.take(telling.notifier.silence(over, telling.now, RULES, telling.find))
            case "ack":
                for name in list(telling.notifier.state.firing)[:2]:
                    telling.notifier.acknowledge(name, by="Ann", now=telling.now)
            case "unack":
                for name in list(telling.notifier.state.acks)[:1]:
                    telling.take(telling.notifier.unacknowledge(name, telling.now, RULES, telling.find))
    for name in sorted(open_posted):
        telling.end(name, app="shop", severity="page")
    for alert in alerts.values():
        if alert.state is State.FIRING:
            telling.change(Change.RESOLVED, alert)
    telling.at(telling.now - NOON + 400)


def change_one(telling: Telling, alerts: dict[str, Alert], r: random.Random) -> None:
    rule, app = r.choice(list(RULES.values())), r.choice(APPS)
    alert = alerts.setdefault(f"{rule.id}/{app}", own(rule, app=app, episode=0))
    if alert.episode and alert.state is State.FIRING:
        telling.change(r.choice([Change.KEPT, Change.HELD, Change.RESOLVED]), alert)
        return
    alert.episode, alert.fired_at = alert.episode + 1, telling.now
    telling.change(Change.FIRED, alert)


def open_at_the_end(told: list[Notification]) -> set[tuple[str, str, str]]:
    """Return (receiver, key, alert) that were told as firing and never as ended."""
    latest: dict[tuple[str, bool | None, str], dict[str, bool]] = defaultdict(dict)
    for n in told:
        if n.status is Status.RESOLVED:
            # A page may have spoken of others since; its end is the end of all of it.
            latest[n.receiver, n.send_resolved, n.dedup_key].clear()
        for alert in n.alerts:
            latest[n.receiver, n.send_resolved, n.dedup_key][alert.fingerprint] = alert.status is Status.FIRING
    return {
        (receiver, key, name)
        for (receiver, lane, key), alerts in latest.items()
        for name, firing in alerts.items()
        if firing and lane is not False
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_told_is_closed_and_nothing_is_left_behind(seed: int) -> None:
    r = random.Random(seed)
    telling = Telling(a_policy(r), rules=RULES)
    live(telling, r)

    assert open_at_the_end(telling.told) == set()
    state = telling.notifier.state
    left = (state.firing, state.told, state.groups, state.incidents, state.ended, state.escalations, state.acks)
    assert left == ({},) * 7
    assert state.held_back == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_restarts_change_nothing_that_is_told(seed: int) -> None:
    def night(*, restarts: bool) -> tuple[list[Notification], list[tuple[float, str]]]:
        r = random.Random(seed)
        telling = Telling(a_policy(r), rules=RULES, restarts=restarts)
        live(telling, r)
        return telling.told, sorted((row.at, row.note) for row in telling.decisions)

    assert night(restarts=False) == night(restarts=True)


def test_a_posted_alert_may_be_told_by_any_policy() -> None:
    for seed in range(20):
        telling = Telling(a_policy(random.Random(seed)), rules=RULES)
        telling.post(posted("Down", ends=3600, app="shop", severity="page"))
        telling.at(400)
        assert telling.told
