"""Rules of every kind, as a property wants them."""

from __future__ import annotations

from typing import Any as Anything

from hypothesis import HealthCheck, reject, settings
from hypothesis import strategies as st

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
    Parked,
    Silent,
)
from alerts.errors import RuleError
from alerts.matchers import Matcher, make_matcher
from alerts.rules import SCOPE_LABELS, Rule

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
"""For properties whose examples take long on a busy machine: how long is not what is tested."""

MINUTES = st.integers(1, 10_000).map(lambda n: n * 60)
SECONDS = st.integers(0, 1_000_000)
SHARES = st.floats(1e-9, 0.999999)
CONFIDENCES = st.none() | st.floats(0.51, 0.9999)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20).filter(str.strip)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in SCOPE_LABELS)
ANNOTATIONS = TEXTS.filter(lambda text: "{" not in text) | st.just("{{ labels.severity }}:\n{{ alert.measured }}")
TIERS = st.builds(Tier, burn=st.floats(0.1, 20), long_s=MINUTES, short_s=MINUTES)

CONDITIONS: st.SearchStrategy[Condition] = st.one_of(
    st.just(Any()),
    st.builds(
        ErrorRate,
        of=st.just(Of.CALLS),
        above=SHARES,
        window_s=MINUTES,
        min_failed=st.integers(1, 10_000),
        confidence=CONFIDENCES,
    ),
    st.builds(
        ErrorRate,
        of=st.just(Of.ATTEMPTS),
        above=SHARES,
        window_s=MINUTES,
        confidence=CONFIDENCES,
        min_absorbed=st.integers(0, 100),
    ),
    st.builds(
        Consecutive,
        count=st.integers(2, 64),
        settle_s=st.integers(0, 60_000).map(lambda ms: ms / 1000),
        adaptive=st.booleans(),
    ),
    st.builds(
        Budget,
        objective=st.floats(0.9, 0.9999),
        period_s=st.integers(600_000, 10_000_000),
        tiers=st.lists(TIERS, min_size=1, max_size=3).map(tuple),
        min_exhausted=st.integers(1, 100),
        confidence=CONFIDENCES,
    ),
    st.builds(Budget, max_count=st.integers(0, 1000), window_s=MINUTES),
    st.builds(Parked, over_s=st.integers(0, 10**6).map(lambda ms: ms / 1000), calls=st.integers(1, 1000)),
    st.builds(Headroom, window_s=st.integers(20, 600), below=st.floats(0.001, 1)),
    st.builds(
        Silent, after_s=st.integers(60, 3000), steady_s=st.integers(600, 90_000), per_minute=st.floats(0.01, 1e6)
    ),
    st.builds(EndOfLife, within_s=SECONDS),
)

SCOPE_MATCHERS = st.builds(
    make_matcher, st.sampled_from(SCOPE_LABELS), st.sampled_from(["=", "!="]), TEXTS
) | st.builds(
    make_matcher, st.sampled_from(SCOPE_LABELS), st.sampled_from(["=~", "!~"]), st.sampled_from([r"a\.b|c", 'q"\\d+'])
)
FAILURE_MATCHERS: st.SearchStrategy[Matcher] = st.sampled_from(
    [
        make_matcher("category", "=~", "server|overloaded"),
        make_matcher("final", "=", "true"),
        make_matcher("status", "!=", "529"),
        make_matcher("error_code", "=", 'a "quoted" code\\'),
    ]
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Return a rule that can be evaluated."""
    condition = draw(CONDITIONS)
    every: dict[str, Anything] = {
        "alert": draw(TEXTS),
        "condition": condition,
        "match": tuple(draw(st.lists(SCOPE_MATCHERS | FAILURE_MATCHERS, max_size=3))),
        "by": tuple(draw(st.lists(st.sampled_from(SCOPE_LABELS), unique=True))),
        "hold_s": 0 if isinstance(condition, Any) else draw(SECONDS),
        "keep_firing_for_s": draw(SECONDS),
        "stale_after_s": draw(st.integers(1, 10_000_000)),
        "labels": draw(st.dictionaries(NAMES, TEXTS, max_size=2))
        | {"severity": draw(st.sampled_from(["page", "ticket"]))},
        "annotations": draw(st.dictionaries(NAMES, ANNOTATIONS, max_size=2)),
    }
    if isinstance(condition, ErrorRate) and draw(st.booleans()):
        every["clear_below"] = condition.above * draw(st.floats(0.1, 1))
    try:
        return Rule(**every)
    except RuleError:
        # Matchers that contradict each other, a silence longer than `stale_after`: most are good.
        reject()
