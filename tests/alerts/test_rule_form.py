"""alerts/rule_form.py: a mapping -> Rules, every problem with its path; and back."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import default_rules
from alerts.conditions import Budget, ErrorRate, Of, Own, Parked
from alerts.default_rules import DEFAULT_RULES, FAST_BURN, SLOW_BURN
from alerts.matchers import parse_matcher
from alerts.rule_form import dump_rule, dump_rules, parse_rules
from alerts.rule_kinds import FIELDS, default_of
from alerts.rules import Rule
from tests.support.rules import UNHURRIED, rules

ALL_DEFAULTS = [found for found in vars(default_rules).values() if isinstance(found, Rule)]

GOOD: dict[str, Any] = {
    "alert": "Slow",
    "error_rate": {"of": "attempts", "above": "10%", "window": "10m", "min_failed": 5, "confidence": "95%"},
    "match": ['app=~"shop|pay"', 'category!="rate_limit"'],
    "by": ["app"],
    "for": "1m",
    "keep_firing_for": "5m",
    "clear_below": "2%",
    "stale_after": "2h",
    "labels": {"severity": "ticket", "team": "core"},
    "annotations": {"summary": "it fails"},
}


def parsed(*entries: object) -> Rule:
    found = parse_rules({"rules": list(entries)})
    assert found.problems == []
    return found.rules[-1]


def problems(data: object) -> list[str]:
    return [problem.said for problem in parse_rules(data).problems]


def test_every_field_is_read() -> None:
    assert parsed(GOOD) == Rule(
        alert="Slow",
        condition=ErrorRate(of=Of.ATTEMPTS, above=0.1, window_s=600, min_failed=5, confidence=0.95),
        match=(parse_matcher('app=~"shop|pay"'), parse_matcher('category!="rate_limit"')),
        by=("app",),
        hold_s=60,
        keep_firing_for_s=300,
        clear_below=0.02,
        stale_after_s=7200,
        labels={"severity": "ticket", "team": "core"},
        annotations={"summary": "it fails"},
    )


def test_an_annotation_may_use_what_alerts_of_the_rule_have() -> None:
    text = "{{ labels.alertname }} {{ labels.app }} {{ labels.team }} {{ value.attempts }} {{ value.bound }}"

    assert parsed(GOOD | {"annotations": {"summary": text}}).annotations == {"summary": text}


def test_what_is_left_out_is_the_default() -> None:
    assert parsed({"alert": "Slow", "parked": {}}) == Rule(alert="Slow", condition=Parked())


@pytest.mark.parametrize(
    ("labels", "tiers"),
    [
        ({}, FAST_BURN),
        ({"severity": "page"}, FAST_BURN),
        ({"severity": "ticket"}, SLOW_BURN),
        ({"severity": "info"}, SLOW_BURN),
    ],
)
def test_a_budget_without_tiers_burns_as_fast_as_its_severity_asks(labels: dict[str, str], tiers: object) -> None:
    rule = parsed({"alert": "Spent", "budget": {}, "labels": labels})

    assert rule.condition == Budget(tiers=tiers)


@pytest.mark.parametrize(("long", "short_s"), [("1h", 300), ("1d", 7200), ("30m", 180), ("1m", 60)])
def test_the_short_window_is_a_twelfth_of_the_long_one_in_whole_minutes(long: str, short_s: int) -> None:
    rule = parsed({"alert": "Spent", "budget": {"tiers": [{"burn": 2, "long": long}]}})

    assert isinstance(rule.condition, Budget)
    assert rule.condition.tiers[0].short_s == short_s


def test_a_plain_count_has_no_tiers() -> None:
    assert parsed({"alert": "Spent", "budget": {"max": 10, "window": "1h"}}).condition == Budget(max_count=10)


# ── round trip ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rule", ALL_DEFAULTS, ids=lambda rule: rule.id)
def test_a_default_rule_that_was_written_is_read_back(rule: Rule) -> None:
    back = parsed(dump_rule(rule))

    assert (back, back.hash) == (rule, rule.hash)


@UNHURRIED
@given(rules())
def test_a_rule_that_was_written_is_read_back(rule: Rule) -> None:
    """Its hash too, or a reload would end its alerts."""
    back = parsed(dump_rule(rule))

    assert (back, back.hash) == (rule, rule.hash)


@UNHURRIED
@given(st.lists(rules(), unique_by=lambda rule: rule.id, min_size=1, max_size=4))
def test_rules_that_were_written_are_read_back_in_order(many: list[Rule]) -> None:
    assert parse_rules(dump_rules(many)).rules == tuple(many)


def test_what_claxon_says_of_itself_is_in_no_file() -> None:
    with pytest.raises(ValueError, match="ClaxonRuleFailed/page: only Claxon itself makes such a rule"):
        dump_rule(Rule(alert="ClaxonRuleFailed", condition=Own()))


# ── include ───────────────────────────────────────────────────────────────────


def test_the_default_rules_can_be_included() -> None:
    found = parse_rules({"include": "defaults"})

    assert (found.rules, found.problems, found.warnings) == (DEFAULT_RULES, [], [])
    assert set(found.paths.values()) == {("include",)}


def test_a_rule_of_the_same_id_replaces_its_default() -> None:
    mine = dump_rule(DEFAULT_RULES[0]) | {"keep_firing_for": "1h"}

    found = parse_rules({"include": "defaults", "rules": [mine, GOOD]})

    assert [rule.id for rule in found.rules] == [*(rule.id for rule in DEFAULT_RULES), "Slow/ticket/team=core"]
    assert found.rules[0].keep_firing_for_s == 3600
    assert found.paths[found.rules[0].id] == ("rules", 0)
    assert found.paths[found.rules[1].id] == ("include",)


# ── problems ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "None: expected a mapping with `rules`, a list of rules"),
        ([GOOD], "expected a mapping with `rules`, a list of rules"),
        ({}, "rules: missing: write rules: and a list of rules, or include: defaults"),
        ({"rules": {}}, "rules: {}: expected a list of rules"),
        ({"rules": []}, "rules: []: nobody would ever be paged: write a rule, or include: defaults"),
        ({"rules": None}, "rules: None: expected a list of rules"),
        ({"rule": []}, "rule: not a setting of a rule file: did you mean rules?"),
        ({"groups": []}, "groups: not a setting of a rule file: one of include, rules"),
        ({"include": "all", "rules": []}, "include: 'all': only the word defaults: the rules that Claxon ships"),
        ({"rules": [3]}, "rules[0]: 3: expected a rule, a mapping with `alert` and a kind"),
        (
            {"rules": [GOOD, GOOD]},
            "rules[1]: Slow/ticket/team=core: makes the same alerts as rules[0]: give one a label",
        ),
    ],
)
def test_a_problem_of_the_file_has_its_path_and_a_remedy(data: object, said: str) -> None:
    found = problems(data)

    assert len(found) == 1
    assert said in found[0]


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda rule: rule.pop(name)


def having(**more: object) -> Callable[[dict[str, Any]], None]:
    return lambda rule: rule.update(more)


def kind(name: str, held: object) -> Callable[[dict[str, Any]], None]:
    """Make it a rule of another kind."""

    def change(rule: dict[str, Any]) -> None:
        for gone in ("error_rate", "clear_below", "match", "for"):
            rule.pop(gone)
        rule[name] = held

    return change


def rate(**more: object) -> Callable[[dict[str, Any]], None]:
    return lambda rule: rule["error_rate"].update(more)


TIER = {"burn": 2, "long": "1h"}

WRONG: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    # the rule
    (without("alert"), "rules[0]: alert: missing: write alert: and a name"),
    (having(alert=""), "rules[0].alert: '': empty: write a text, or leave it out"),
    (having(alert="x" * 129), "129 characters: at most 128"),
    (having(alert=7), "rules[0].alert: 7: not a text: write it in quotes"),
    (
        without("error_rate"),
        "rules[0]: kind: missing: write exactly one of any, error_rate, consecutive, budget, parked",
    ),
    (having(any={}), "rules[0].any: a second kind beside error_rate: make it a rule of its own"),
    (having(keep_fireing_for="1m"), "rules[0].keep_fireing_for: not a field of a rule: did you mean keep_firing_for?"),
    (having(window="5m"), "rules[0].window: not a field of a rule: stands inside error_rate: {window: ...}"),
    (having(severity="page"), "rules[0].severity: not a field of a rule: write labels: {severity: ...}"),
    (having(summary="x"), "rules[0].summary: not a field of a rule: write annotations: {summary: ...}"),
    (having(expr="x > 1"), "rules[0].expr: not a field of a rule: a rule has a kind in place of an expression"),
    (having(xyz=1), "rules[0].xyz: not a field of a rule: one of alert, any, error_rate"),
    # common fields
    (having(**{"for": 5}), "rules[0].for: 5: not a duration: write a number and a unit"),
    (having(keep_firing_for="5 min"), "rules[0].keep_firing_for: '5 min': not a duration"),
    (having(stale_after="0s"), "rules[0].stale_after: 0s: more than 0s"),
    (having(stale_after=None), "rules[0].stale_after: None: not a duration"),
    (having(clear_below="20%"), "rules[0].clear_below: 0.2: over 0 and at most `above`, which is 0.1"),
    (having(match="app=x"), "rules[0].match: 'app=x': expected a list such as ['category=\"server\"']"),
    (having(match=["app"]), "rules[0].match[0]: 'app': not a matcher: write name=\"value\""),
    (having(match=["app=x", "app=~'('"]), "rules[0].match[1]: app=~\"'('\": not a regular expression"),
    (
        having(match=['app=~"a{99999999999999999999}"']),
        "not a regular expression: {99999999999999999999}: repeats at most 1000 times",
    ),
    (having(match=[None]), "rules[0].match[0]: None: not a text"),
    (having(match=["app!=x"] * 101), "rules[0].match: 101 matchers: at most 100"),
    (
        having(match=["host=x"]),
        'rules[0].match[0]: host="x": no event has this label: one of app, environment, model, path',
    ),
    (having(by="app"), "rules[0].by: 'app': expected a list such as [app, environment]"),
    (having(by=[3]), "rules[0].by[0]: 3: not a text: write it in quotes"),
    (having(by=["app", "host"]), "rules[0].by[1]: 'host': not what a rule can be split by: one of app, environment"),
    (having(by=["app", "app"]), "rules[0].by[1]: app: written twice: keep one"),
    (having(labels=["x"]), "rules[0].labels: ['x']: expected a mapping such as {severity: page}"),
    (having(labels={"severity": True}), "rules[0].labels.severity: True: not a text: write it in quotes"),
    (having(labels={"app": "x"}), "rules[0].labels.app: the alert has this label from its name or from `by`: leave it"),
    (having(labels={"alertname": "x"}), "rules[0].labels.alertname: the alert has this label"),
    (having(labels={"a-b": "x"}), "rules[0].labels.a-b: not a label's name: letters, digits and _, such as team"),
    (having(labels={"__a": "x"}), "rules[0].labels.__a: not a label's name"),
    (having(annotations={"a b": "x"}), "rules[0].annotations.a b: not an annotation's name"),
    (having(annotations={"a": ""}), "rules[0].annotations.a: '': empty"),
    (having(annotations={"a": "{{ app }}"}), "rules[0].annotations.a: app: not something to show: one of labels"),
    (
        having(annotations={"a": "{{ labels.model }}"}),
        "rules[0].annotations.a: labels.model: no alert of this rule has it",
    ),
    (
        having(annotations={"a": "{{ value.calls }}"}),
        "rules[0].annotations.a: value.calls: no alert of this rule has it",
    ),
    # kinds
    (kind("any", None), "rules[0].any: None: write {}"),
    (kind("any", {"count": 1}), "rules[0].any.count: not a field of `any`: it has none: leave it out"),
    (having(error_rate=5), "rules[0].error_rate: 5: expected a mapping of of, above, window, min_failed, confidence"),
    (rate(obove="5%"), "rules[0].error_rate.obove: not a field of `error_rate`: did you mean above?"),
    (rate(above="five"), "rules[0].error_rate.above: 'five': not a share: write a share such as 5% or 0.05"),
    (rate(above=7), "rules[0].error_rate.above: 7: write a share between 0 and 1, such as 5%"),
    (rate(of="call"), "rules[0].error_rate.of: 'call': one of calls, attempts"),
    (rate(window="90s"), "rules[0].error_rate.window: 1m30s: whole minutes, at least 1m"),
    (kind("consecutive", {"adaptive": "no"}), "rules[0].consecutive.adaptive: 'no': true or false"),
    (kind("consecutive", {"count": 1}), "rules[0].consecutive.count: 1: from 2 to 64"),
    (
        kind("budget", []),
        "rules[0].budget: []: expected a mapping of objective, period, min_exhausted, confidence, max",
    ),
    (
        kind("budget", {"max": 3, "objective": "99%"}),
        "rules[0].budget.objective: stands beside `max`: a plain count has",
    ),
    (kind("budget", {"max": 3, "tiers": []}), "rules[0].budget.tiers: stands beside `max`"),
    (kind("budget", {"window": "1h"}), "rules[0].budget.window: stands without `max`: a burn rate has the windows"),
    (kind("budget", {"tiers": []}), "rules[0].budget.tiers: none: write at least one, such as {burn: 14.4, long: 1h"),
    (kind("budget", {"tiers": TIER}), "expected a list such as [{burn: 14.4, long: 1h, short: 5m}]"),
    (kind("budget", {"tiers": [1]}), "rules[0].budget.tiers[0]: 1: expected a mapping such as {burn: 14.4, long: 1h"),
    (kind("budget", {"tiers": [{"burn": 1}]}), "rules[0].budget.tiers[0]: long: missing: a tier has burn, long and"),
    (kind("budget", {"tiers": [{"long": "1h"}]}), "rules[0].budget.tiers[0]: burn: missing: a tier has burn, long and"),
    (kind("budget", {"tiers": [TIER | {"x": 1}]}), "rules[0].budget.tiers[0].x: not a field of a tier: one of burn"),
    (kind("budget", {"tiers": [TIER | {"short": 5}]}), "rules[0].budget.tiers[0].short: 5: not a duration"),
    (kind("budget", {"tiers": [TIER | {"burn": 2000}]}), "rules[0].budget.tiers[0].burn: 2000: even a total outage"),
    (kind("budget", {"budget": 1}), "rules[0].budget.budget: not a field of `budget`: one of objective, period"),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[said[:60] for _, said in WRONG])
def test_a_problem_of_a_rule_has_its_path_its_value_and_a_remedy(
    change: Callable[[dict[str, Any]], None], said: str
) -> None:
    rule = copy.deepcopy(GOOD)
    change(rule)

    found = problems({"rules": [rule]})

    assert any(said in problem for problem in found), found


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        {"inclde": 1, "rules": [GOOD | {"for": 1, "by": 2}, {"alert": "A", "any": {}, "for": "1m", "match": ["x=y"]}]}
    )

    assert [text.split(":")[0] for text in found] == [
        "inclde",
        "rules[0].for",
        "rules[0].by",
        "rules[1].match[0]",
        "rules[1].for",
    ]


def test_a_rule_with_a_problem_is_not_among_the_rules() -> None:
    found = parse_rules({"rules": [GOOD | {"for": 1}, GOOD]})

    assert [rule.id for rule in found.rules] == ["Slow/ticket/team=core"]
    assert found.paths == {"Slow/ticket/team=core": ("rules", 1)}


def test_a_warning_has_its_path() -> None:
    found = parse_rules({"rules": [GOOD, GOOD | {"by": [], "labels": {"severity": "low"}}]})

    assert [warning.where for warning in found.warnings] == ["rules[1].labels.severity", "rules[1].by"]
    assert found.problems == []


# ── anything ──────────────────────────────────────────────────────────────────

WORDS = st.sampled_from(
    [
        "alert",
        "rules",
        "include",
        "defaults",
        "any",
        "error_rate",
        "budget",
        "tiers",
        "burn",
        "long",
        "short",
        "match",
        "by",
        "for",
        "labels",
        "annotations",
        "severity",
        "window",
        "above",
        "5%",
        "5m",
        "app",
        'app=~"x"',
        "max",
        "silent",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | WORDS
    | st.dates()
    | st.binary(max_size=3)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.integers() | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
RULE_LIKE = st.fixed_dictionaries(
    {"alert": st.just("A") | ANYTHING},
    optional=dict.fromkeys(("match", "by", "for", "labels", "annotations", "clear_below"), ANYTHING)
    | {name: st.dictionaries(WORDS, ANYTHING, max_size=4) for name in ("any", "error_rate", "budget", "silent")},
)


@UNHURRIED
@given(ANYTHING | st.fixed_dictionaries({"rules": st.lists(RULE_LIKE, max_size=3)}))
def test_whatever_a_file_holds_makes_rules_or_problems_and_never_raises(data: object) -> None:
    with warnings.catch_warnings():
        # A regular expression that Python will read differently one day.
        warnings.simplefilter("ignore", FutureWarning)
        found = parse_rules(data)

    assert found.rules or found.problems
    assert all("\n" not in problem.said and len(problem.text) < 1000 for problem in found.problems)


@UNHURRIED
@given(st.data())
def test_a_rule_of_which_one_part_is_anything_makes_a_rule_or_a_problem(data: st.DataObject) -> None:
    rule = copy.deepcopy(GOOD)
    where: Any = data.draw(st.sampled_from([rule, rule["error_rate"], rule["labels"], rule["annotations"]]))
    where[data.draw(st.sampled_from(sorted(where)))] = data.draw(ANYTHING)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found = parse_rules({"rules": [rule]})

    assert len(found.rules) + (len(found.problems) > 0) == 1


TIERS: dict[str, object] = {"tiers": [{"burn": 14.4, "long": "1h", "short": "5m"}]}


@pytest.mark.parametrize(("kind", "name"), [(kind, field.name) for kind in FIELDS for field in FIELDS[kind]])
def test_what_is_left_out_is_its_default_written_out(kind: str, name: str) -> None:
    (field,) = (field for field in FIELDS[kind] if field.name == name)
    default = default_of(kind, field)
    needed: dict[str, object] = {"max": 3} if name == "window" else TIERS
    needed = needed if kind == "budget" else {}

    if default is not None and name not in needed:
        left_out = parsed({"alert": "A", kind: needed})
        assert parsed({"alert": "A", kind: needed | {name: default}}) == left_out
    else:
        assert default in (None, [])
