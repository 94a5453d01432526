"""What partitions, a board and the elected node have told is what one engine over all events would have had told."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from claxon.event import Event
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alerts.config import EscalationConfig, EscalationStep
from alerts.crossing import crosses
from alerts.evaluator import Engine
from alerts.matchers import parse_matcher
from alerts.notification import Notification
from alerts.notifier import Notifier
from alerts.policy import Policy
from alerts.routes import Route
from alerts.rules import Rule
from tests.support.oracle import Moment, copies
from tests.support.partitions import Tier
from tests.support.postgres import Postgres
from tests.support.random_logs import TIMES, logs
from tests.support.rule_shapes import RULE_SETS
from tests.support.telling import grouped, route

from .conftest import TEMPLATE

STEP_S = 55.0
"""So often time is evaluated, at least: a longer gap would be a pause."""

GAPS = [0, 0, 0.25, 0.5, 0.75, 1, 1, 1.5, 2, 3, 5.25, 19, 30, 59, 61, 240, 299, 301, 600, 900, 901]
SEVERAL = settings(
    max_examples=4 * TIMES,
    deadline=None,
    # To look for the least log that fails takes very long here; the seed is said.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    derandomize=TIMES == 1,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

Told = tuple[float, str, str, str, str, tuple[tuple[str, str, int], ...]]


def a_policy(r: random.Random, *, groups: bool) -> Policy:
    children: list[Route] = []
    for receiver in ("pager", "chat", "log"):
        matchers = r.choice([("severity=page",), ("app=a",), ()])
        children.append(
            grouped(receiver, *matchers, group_by=r.choice([(), ("alertname",), ("app",), ("...",)]))
            if groups and r.random() < 0.7
            else route(receiver, *matchers, repeat_interval_s=r.choice([90.0, 14_400.0]))
        )
    proceeding = [changed(child, proceed=r.random() < 0.7) for child in children]
    step = EscalationConfig(
        matchers=(parse_matcher("severity=page"),), steps=(EscalationStep(after_s=60, receiver="second"),)
    )
    return Policy(
        route=route("rest", routes=tuple(proceeding)),
        escalations=(step,) if r.random() < 0.5 else (),
        ack_expires_s=120.0,
    )


def changed(made: Route, **changes: object) -> Route:
    return replace(made, **changes)  # type: ignore[arg-type]


def without_crossing(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if not crosses(rule))


def steps(log: list[Moment]) -> Iterable[tuple[float, list[Event]]]:
    """Yield the log, and what time is evaluated between; at its end an hour more."""
    now = float(log[0].now)
    for moment in [*log, Moment(log[-1].now + 3600)]:
        while now + STEP_S < moment.now:
            now += STEP_S
            yield now, []
        now = float(moment.now)
        yield now, copies(moment.events)


def by_one_engine(log: list[Moment], rules: tuple[Rule, ...], policy: Policy) -> list[Notification]:
    engine, notifier = Engine(()), Notifier(policy=policy)
    known = {rule.id: rule for rule in rules}
    told: list[Notification] = []
    engine.replace_rules(rules, float(log[0].now))
    for now, events in steps(log):
        step = engine.observe(events, now)
        told += notifier.step(step.transitions, known, engine.find)[0]
        told += notifier.tick(engine.now, known, engine.find)[0]
    return told


def by_partitions(tier: Tier, log: list[Moment], chance: random.Random, *, crashes: bool) -> list[Notification]:
    ticked_at = 0.0
    for now, events in steps(log):
        tier.observe(events, now=now, chance=chance)
        # The elected node looks when it likes.
        if chance.random() < 0.7 or now > ticked_at + 4:
            tier.tick()
            ticked_at = now
            if crashes and chance.random() < 0.05:
                tier.crash()
                # Its timers begin anew: one that is due between two looks is due at the second.
                tier.tick()
        if chance.random() < 0.02:
            place = chance.randrange(len(tier.owned))
            tier.owned[place] = tier.owned[place].again()
    for _ in range(3):
        tier.observe([], now=tier.clock.now + 1)
        tier.tick()
    return tier.told()


def said(many: Iterable[Notification], *, up_to: float) -> list[Told]:
    return sorted(
        (
            one.at,
            one.receiver,
            one.status.value,
            one.reason,
            one.dedup_key,
            tuple(sorted((alert.fingerprint, alert.status.value, alert.episode) for alert in one.alerts)),
        )
        for one in many
        if one.at <= up_to
    )


@pytest.mark.parametrize("rules", RULE_SETS.values(), ids=RULE_SETS.keys())
@given(log=logs(most=20, between=st.sampled_from(GAPS), pauses=False), seed=st.integers(0, 2**32))
@SEVERAL
def test_partitions_tell_what_one_engine_tells(
    server: Postgres, rules: tuple[Rule, ...], log: list[Moment], seed: int
) -> None:
    chance, kept = random.Random(seed), without_crossing(rules)
    # A group that was looked at and not told of is looked at again after a crash, and from then on at other instants.
    groups = chance.random() < 0.5
    policy = a_policy(chance, groups=groups)
    name = server.create_database(template=TEMPLATE)
    tier = Tier(server.url(name), kept, n=3, now=float(log[0].now), policy=policy)
    try:
        found = by_partitions(tier, log, chance, crashes=not groups)
    finally:
        tier.close()
        server.drop_database(name)

    expected = by_one_engine(log, kept, policy)

    end = float(log[-1].now) + 3600
    assert said(found, up_to=end) == said(expected, up_to=end)
