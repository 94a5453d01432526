"""alerts/rule_checks.py, rule_matches.py, rule_oddities.py: what can never fire, and what is only odd."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import accumulate
from typing import Any as Anything

import pytest
from claxon.event import Event, complete
from claxon.taxonomy import Category
from hypothesis import assume, given
from hypothesis import strategies as st

from alerts import default_rules
from alerts.budgets import Tier
from alerts.conditions import (
    Any,
    Budget,
    Condition,
    Consecutive,
    EndOfLife,
    ErrorRate,
    Headroom,
    Of,
    Own,
    Parked,
    Silent,
)
from alerts.default_rules import FAST_BURN
from alerts.errors import RuleError
from alerts.evaluator import Engine
from alerts.feeds import matches_failure
from alerts.lifecycle import Change
from alerts.matchers import Matcher, parse_matcher
from alerts.rule_checks import oddities
from alerts.rules import Rule
from tests.support.events import NOON, exhausted
from tests.support.rules import UNHURRIED, rules

ALL_DEFAULTS = [found for found in vars(default_rules).values() if isinstance(found, Rule)]


def matchers(*texts: str) -> tuple[Matcher, ...]:
    return tuple(parse_matcher(text) for text in texts)


def problems(condition: Condition, *match: str, **fields: Anything) -> list[str]:
    with pytest.raises(RuleError) as refused:
        Rule(alert="A", condition=condition, match=matchers(*match), **fields)
    assert str(refused.value) == f"rule {'A/page'!r}: {refused.value.problems[0].said}"
    return [problem.said for problem in refused.value.problems]


NEVER: list[tuple[Condition, dict[str, Anything], str]] = [
    (Any(), {"hold_s": 60}, "for: 1m: `any` fires at once: leave it out"),
    (Any(), {"hold_s": -1}, "for: -1: not negative"),
    (Any(), {"keep_firing_for_s": -1}, "keep_firing_for: -1: not negative"),
    (Any(), {"stale_after_s": 0}, "stale_after: 0s: more than 0s"),
    (Any(), {"clear_below": 0.1}, "clear_below: 0.1: only `error_rate` has a share to fall below: leave it out"),
    (Any(), {"by": ("host",)}, "by[0]: 'host': not what a rule can be split by: one of app, environment, model, path"),
    (ErrorRate(above=0), {}, "error_rate.above: 0: write a share between 0 and 1, such as 5%"),
    (ErrorRate(above=1), {}, "error_rate.above: 1: write a share between 0 and 1, such as 5%"),
    (ErrorRate(window_s=30), {}, "error_rate.window: 30s: whole minutes, at least 1m"),
    (ErrorRate(min_failed=0), {}, "error_rate.min_failed: 0: at least 1"),
    (ErrorRate(min_absorbed=-1), {}, "error_rate.min_absorbed: -1: not negative"),
    (ErrorRate(min_absorbed=3), {}, "error_rate.min_absorbed: 3: an absorbed attempt is no call: write `of: attempts`"),
    (ErrorRate(confidence=1), {}, "error_rate.confidence: 1: between 50% and 100%, such as 99%"),
    (ErrorRate(), {"clear_below": 0.0}, "clear_below: 0: over 0 and at most `above`, which is 0.05"),
    (Consecutive(count=1), {}, "consecutive.count: 1: from 2 to 64; for one event write `any`"),
    (Consecutive(count=65), {}, "consecutive.count: 65: from 2 to 64; for one event write `any`"),
    (Consecutive(floor=1.0), {}, "consecutive.floor: 1: write a share from 0 and under 1, such as 0.5%"),
    (Consecutive(settle_s=61.5), {}, "consecutive.settle: 1m1s500ms: from 0s to 60s"),
    (
        Consecutive(settle_s=2.5),
        {"keep_firing_for_s": 2},
        (
            "keep_firing_for: 2s: failures older than this are passed over, so it can never fire: "
            "longer than settle, 2s500ms"
        ),
    ),
    (Budget(), {}, "budget.tiers: none: write at least one, such as {burn: 14.4, long: 1h, short: 5m}"),
    (Budget(objective=1, tiers=FAST_BURN), {}, "budget.objective: 1: write a share between 0 and 1, such as 99.9%"),
    (Budget(min_exhausted=0, tiers=FAST_BURN), {}, "budget.min_exhausted: 0: at least 1"),
    (Budget(confidence=0.5, tiers=FAST_BURN), {}, "budget.confidence: 0.5: between 50% and 100%, such as 99%"),
    (
        Budget(objective=0.9, tiers=FAST_BURN),
        {},
        (
            "budget.tiers[0].burn: 14.4: even a total outage burns at 10x, so it can never fire: "
            "lower the burn or raise the objective"
        ),
    ),
    (Budget(tiers=(Tier(burn=0, long_s=60, short_s=60),)), {}, "budget.tiers[0].burn: 0: more than 0"),
    (
        Budget(tiers=(Tier(burn=1, long_s=90, short_s=60),)),
        {},
        "budget.tiers[0].long: 1m30s: whole minutes, at least 1m",
    ),
    (
        Budget(tiers=(FAST_BURN[0], Tier(burn=1, long_s=600, short_s=50))),
        {},
        "budget.tiers[1].short: 50s: whole minutes, at least 1m",
    ),
    (
        Budget(period_s=3600, tiers=FAST_BURN),
        {},
        "budget.tiers[1].long: 6h: longer than the budget's period, 1h: shorten it",
    ),
    (Budget(max_count=-1), {}, "budget.max: -1: not negative"),
    (Budget(max_count=1, window_s=90), {}, "budget.window: 1m30s: whole minutes, at least 1m"),
    (Parked(over_s=-1), {}, "parked.over: -1: not negative"),
    (Parked(calls=0), {}, "parked.calls: 0: from 1 to 1000"),
    (Parked(calls=1001), {}, "parked.calls: 1001: from 1 to 1000"),
    (Headroom(window_s=10), {}, "headroom.window: 10s: from 20s to 10m"),
    (Headroom(below=0), {}, "headroom.below: 0: write a share over 0 and at most 1, such as 50%"),
    (Silent(after_s=59), {}, "silent.after: 59s: at least 1m"),
    (Silent(steady_s=599), {}, "silent.steady: 9m59s: at least 10m"),
    (Silent(per_minute=0), {}, "silent.per_minute: 0: more than 0"),
    (
        Silent(after_s=600),
        {"stale_after_s": 600},
        "stale_after: 10m: the alert is closed before it is told of: longer than `after`, 10m",
    ),
    (
        Silent(after_s=600),
        {"stale_after_s": 900, "hold_s": 300},
        "stale_after: 15m: the alert is closed before it is told of: longer than `after` and `for` together, 15m",
    ),
    (EndOfLife(within_s=-1), {}, "end_of_life.within: -1: not negative"),
]


@pytest.mark.parametrize(("condition", "fields", "said"), NEVER, ids=[said[:50] for _, _, said in NEVER])
def test_a_rule_that_can_never_fire_is_refused_with_a_remedy(
    condition: Condition, fields: dict[str, Anything], said: str
) -> None:
    assert said in problems(condition, **fields)


@pytest.mark.parametrize("name", ["ClaxonRuleFailed", "ClaxonKeysOverflow"])
def test_no_rule_takes_the_name_of_what_claxon_says_of_itself(name: str) -> None:
    with pytest.raises(RuleError, match="what Claxon says of itself: choose another name"):
        Rule(alert=name, condition=Any())

    assert Rule(alert=name, condition=Own()).kind == "own"


UNMATCHED: list[tuple[Condition, tuple[str, ...], str]] = [
    (Any(), ("host=x",), 'match[0]: host="x": no event has this label: one of app, environment, model, path, category'),
    (
        Any(),
        ("category=ok",),
        'match[0]: category="ok": no failure has such a category: one of authentication, account',
    ),
    (Any(), ("category=cancelled",), "no failure has such a category"),
    (Any(), ("status=99",), 'match[0]: status="99": no failure has such a status: a number from 100 to 599'),
    (Any(), ("final=yes",), 'match[0]: final="yes": no failure has such a final: one of true, false'),
    (
        Any(),
        ("category=server", "category=timeout"),
        'match[1]: category="server", category="timeout": contradict each other: one of authentication',
    ),
    (Any(), ("app=a", "app=b"), 'match[1]: app="a", app="b": contradict each other: no event meets all of them: leave'),
    (Any(), ("path=~x.*", "path=y"), 'match[1]: path=~"x.*", path="y": contradict each other'),
    (Any(), ('app=""',), 'match[0]: app="": every event has one: leave it out, or name it'),
    (Any(), ('model=""',), 'match[0]: model="": every event has one'),
    (Any(), (f"app={'x' * 65}",), "match[0]: 65 characters: no event has a longer app than 64: shorten it"),
    (
        ErrorRate(),
        ("final=false",),
        'match: final="false": no failure meets all of it and ends its call, as `error_rate`',
    ),
    (
        ErrorRate(of=Of.ATTEMPTS, min_absorbed=1),
        ("exhausted=true",),
        "no failure meets all of it and is absorbed by a retry, as `min_absorbed` asks: leave one out",
    ),
    (
        Budget(tiers=FAST_BURN),
        ("exhausted=false",),
        "no failure meets all of it and is exhausted, as `budget` asks: leave one out",
    ),
    (
        Parked(),
        ("category=authentication", "final=true"),
        "no failure meets all of it and sleeps before a next attempt, as `parked` asks: leave one out",
    ),
    (
        Any(),
        ("final=false", "exhausted=true"),
        'match: final="false", exhausted="true": no failure meets all of it: leave',
    ),
    (
        Headroom(),
        ("status=429",),
        'match[0]: status="429": `headroom` looks at every event, failed or not: leave it out',
    ),
    (Silent(), ("app=a", "final=true"), 'match[1]: final="true": `silent` looks at every event, failed or not'),
    (EndOfLife(), ("category=server",), "`end_of_life` looks at every event, failed or not: leave it out"),
]


@pytest.mark.parametrize(("condition", "match", "said"), UNMATCHED, ids=[said[:50] for *_, said in UNMATCHED])
def test_matchers_that_nothing_can_meet_are_refused(condition: Condition, match: tuple[str, ...], said: str) -> None:
    found = problems(condition, *match)

    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("condition", "match"),
    [
        (Any(), ('environment=""',)),
        (Any(), ('error_code=""', "status=~5..", "status!=529")),
        (Any(), ("app=~a.*", "app!~.*b")),
        (Parked(), ("final=true",)),
        (ErrorRate(of=Of.ATTEMPTS, min_absorbed=1), ("final=true",)),
        (ErrorRate(of=Of.ATTEMPTS), ("final=false",)),
        (Consecutive(), ("category=timeout", "category!=server")),
        (Headroom(), ("model=~claude-.*",)),
    ],
)
def test_matchers_that_something_can_meet_are_taken(condition: Condition, match: tuple[str, ...]) -> None:
    """A provisional failure is final until a later attempt shows that it was absorbed, and may be parked."""
    assert Rule(alert="A", condition=condition, match=matchers(*match)).match == matchers(*match)


FAILURES = st.builds(
    Event,
    model=st.just("m"),
    status=st.none() | st.integers(400, 599),
    error_type=st.none() | st.sampled_from([*(c.value for c in Category), "api_error", "APITimeoutError", "Unheard"]),
    final=st.none() | st.booleans(),
    exhausted=st.none() | st.booleans(),
    attempt=st.integers(1, 3),
    max_attempts=st.none() | st.integers(3, 4),
    call_id=st.none() | st.just("c"),
    stream_end=st.none() | st.sampled_from(["truncated", "error_event"]),
)
CANDIDATES = matchers(
    *(f"category{op}{c.value}" for c in Category for op in ("=", "!=")),
    *("category=~server|timeout", "category!~server|timeout", "status=500", "status!=500", "status=~4..", 'status=""'),
    *(f"{name}{op}{value}" for name in ("final", "exhausted") for op in ("=", "!=") for value in ("true", "false")),
)


@UNHURRIED
@given(FAILURES, st.data())
def test_matchers_that_a_failure_meets_are_never_said_to_be_impossible(event: Event, data: st.DataObject) -> None:
    """What is refused must be impossible for every event that a client can send."""
    failed = complete(event, received_at=1000.0)
    assume(failed.category not in ("ok", "cancelled"))
    met = [matcher for matcher in CANDIDATES if matches_failure((matcher,), failed)]
    match = tuple(data.draw(st.lists(st.sampled_from(met), min_size=1, max_size=4)))

    conditions: list[Condition] = [Any(), Consecutive(), ErrorRate(of=Of.ATTEMPTS)]
    if failed.final:
        conditions.append(ErrorRate())
    if failed.exhausted:
        conditions.append(Budget(tiers=FAST_BURN))
    if not failed.final or failed.provisional:
        conditions += [Parked(), ErrorRate(of=Of.ATTEMPTS, min_absorbed=1)]

    for condition in conditions:
        assert Rule(alert="A", condition=condition, match=match).match == match


# ── what is refused really never fires ────────────────────────────────────────


def unchecked(rule: Rule, **fields: Anything) -> Rule:
    """Return a rule as it would be if nobody had checked it."""
    changed = copy.copy(rule)
    for name, value in fields.items():
        object.__setattr__(changed, name, value)
    return changed


def fires(rule: Rule, events: Iterable[Event]) -> bool:
    engine, now = Engine([rule]), NOON
    steps = []
    for event in events:
        now = event.at
        steps.append(engine.observe([event], now))
    steps.append(engine.tick(now + 7200))
    return any(t.change is Change.FIRED and t.alert.rule == rule.id for step in steps for t in step.transitions)


@UNHURRIED
@given(
    st.lists(st.floats(0, 5), min_size=4, max_size=12), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0])
)
def test_consecutive_that_keeps_no_longer_than_it_settles_never_fires(
    gaps: list[float], keep: int, settle: float
) -> None:
    good = Rule(alert="A", condition=Consecutive(settle_s=settle, adaptive=False), by=("app",))
    events = [exhausted(NOON + at, call_id=f"c{i}") for i, at in enumerate(accumulate(gaps))]

    assert fires(good, events)
    if keep <= settle:
        assert not fires(unchecked(good, keep_firing_for_s=keep), events)


def test_consecutive_that_keeps_longer_than_it_settles_can_fire() -> None:
    """At the very next number, so nothing is refused that could fire."""
    good = Rule(alert="A", condition=Consecutive(settle_s=2.0, adaptive=False), by=("app",), keep_firing_for_s=3)

    assert fires(good, [exhausted(NOON + 0.5 + i / 10, call_id=f"c{i}") for i in range(2)])


@UNHURRIED
@given(st.integers(3, 40), st.floats(0.5, 0.99))
def test_a_burn_that_a_total_outage_does_not_reach_never_fires(failures: int, objective: float) -> None:
    reached = (1 + 1e-9) / (1 - objective)  # A little more, for n of n may be over a product that was rounded down.
    good = Rule(alert="A", condition=Budget(objective=objective, tiers=(Tier(burn=1, long_s=600, short_s=60),)))
    never = Budget(objective=objective, tiers=(Tier(burn=reached, long_s=600, short_s=60),))
    events = [exhausted(NOON + i, call_id=f"c{i}") for i in range(failures)]

    assert fires(good, events)
    assert not fires(unchecked(good, condition=never), events)


# ── odd ───────────────────────────────────────────────────────────────────────


def odd(condition: Condition, *match: str, **fields: Anything) -> list[str]:
    usual: dict[str, Anything] = {"alert": "A", "labels": {"severity": "page"}}
    rule = Rule(**{**usual, "condition": condition, "match": matchers(*match), **fields})
    return [oddity.said for oddity in oddities(rule)]


BURN = Tier(burn=1, long_s=3600, short_s=300)
ODD: list[tuple[Condition, tuple[str, ...], dict[str, Anything], str]] = [
    (
        Any(),
        (),
        {"labels": {}},
        "labels: no severity: counts as a page, but no route and no inhibit rule finds it by that",
    ),
    (Any(), (), {"labels": {"severity": "info"}}, "labels.severity: 'info': neither page nor ticket, which routes and"),
    (Any(), (), {"by": ("model",)}, "by: without app: one alert for all apps, which inhibits and is inhibited by none"),
    (Any(), (), {"stale_after_s": 30}, "stale_after: 30s: events come some seconds late; older than this they begin"),
    (ErrorRate(), (), {"hold_s": 3600}, "for: 1h: an app that goes silent meanwhile is never told of: shorter than"),
    (ErrorRate(), (), {"hold_s": 600}, "for: 10m: longer than the window: short outages are never told of: shorten it"),
    (
        ErrorRate(above=0.999, confidence=0.99),
        (),
        {},
        "error_rate.above: 0.999: a total outage is sure to be over it only after 5,406 calls: lower it",
    ),
    (Consecutive(), (), {}, 'consecutive: any failure counts, a 400 too: add category=~"server|overloaded"'),
    (Consecutive(), (), {"keep_firing_for_s": 30}, "keep_firing_for: 30s: failures that come later than this begin"),
    (
        Budget(objective=0.9, tiers=(Tier(burn=6, long_s=3600, short_s=300),)),
        (),
        {},
        "budget.tiers[0].burn: 6: fires only when over 60% of all calls are exhausted: lower it",
    ),
    (
        Budget(tiers=(BURN, Tier(burn=1, long_s=60, short_s=60))),
        (),
        {},
        "budget.tiers[1].short: 1m: not shorter than long, 1m: a twelfth of it is usual",
    ),
    (
        Budget(tiers=(BURN,)),
        ("app=x", "category=authentication"),
        {},
        "match[1]: authentication: no retry helps, so only a client that says `exhausted` itself counts",
    ),
    (Any(), ("category=permission", "exhausted=true"), {}, "match[0]: permission: no retry helps"),
]


@pytest.mark.parametrize(("condition", "match", "fields", "said"), ODD, ids=[said[:50] for *_, said in ODD])
def test_what_is_odd_is_warned_of_with_a_remedy(
    condition: Condition, match: tuple[str, ...], fields: dict[str, Anything], said: str
) -> None:
    found = odd(condition, *match, **fields)

    assert any(text.startswith(said) for text in found), found


@pytest.mark.parametrize("rule", ALL_DEFAULTS, ids=lambda rule: rule.id)
def test_nothing_is_odd_about_a_default_rule(rule: Rule) -> None:
    assert list(oddities(rule)) == []


@pytest.mark.parametrize(
    ("condition", "match"),
    [
        (Any(), ("category=permission",)),
        (Budget(tiers=(BURN,)), ("category=server",)),
        (Budget(tiers=(BURN,)), ("category!=server",)),
        (ErrorRate(confidence=0.99), ()),
        (Budget(max_count=3), ()),
    ],
)
def test_what_is_not_odd_is_not_warned_of(condition: Condition, match: tuple[str, ...]) -> None:
    assert odd(condition, *match) == []


def test_nothing_is_odd_about_what_claxon_says_of_itself() -> None:
    assert list(oddities(Rule(alert="ClaxonRuleFailed", condition=Own(), by=()))) == []


@UNHURRIED
@given(rules())
def test_what_is_odd_can_be_said_of_any_rule(rule: Rule) -> None:
    for oddity in oddities(rule):
        assert oddity.path
        assert ": " in oddity.text
