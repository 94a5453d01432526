"""Writes the tables of docs/reference/rules.md from the code: python -m docs.rules_reference

tests/test_rules_reference.py holds the page to it.
"""

from __future__ import annotations

from dataclasses import fields
from math import inf
from pathlib import Path

from alerts.default_rules import FAST_BURN, SLOW_BURN
from alerts.durations import exact_duration
from alerts.rule_bounds import BOUNDS, Bound
from alerts.rule_checks import OWN_ALERTS
from alerts.rule_form import MAX_LABEL, MAX_MATCHERS, MAX_NAME, TIMES
from alerts.rule_kinds import BURN_FIELDS, FIELDS, MAX_FIELDS, TIER_FIELDS, Field, default_of
from alerts.rule_values import DURATION, FINE_DURATION, FLAG, MAX_COUNT, MAX_DURATION_S, SHARE
from alerts.rules import FAILURE_LABELS, SCOPE_LABELS, Rule
from alerts.templates import MAX_TEMPLATE
from docs.marked import code, renew, table

PAGE = Path(__file__).parent / "reference/rules.md"

_RULE = {field.name: field.default for field in fields(Rule)}

MORE = {
    ("error_rate", "min_failed"): "never on traffic, or the outage of a quiet app would be hidden",
    ("error_rate", "confidence"): "one-sided Wilson bound",
    ("error_rate", "min_absorbed"): "not with `of: calls`",
    ("consecutive", "settle"): "a failure waits so long",
    ("consecutive", "adaptive"): "on keys that are so busy",
    ("consecutive", "floor"): "however good the day was",
    ("parked", "over"): "the SDK obeys a long `retry-after` without a cap",
}
"""What the page says of a field beside what an editor shows."""

_NOTHING = {"error_rate": "the literal share", "budget": "the literal burn"}
"""Of `confidence`."""

HEAD = ("field", "takes", "what", "when absent")


def parts() -> dict[str, str]:
    """Return the parts of the page that come from code."""
    kinds = {kind: table(HEAD, [_row(kind, field) for field in known]) for kind, known in FIELDS.items() if known}
    kinds["budget"] = table(HEAD, [*(_row("budget", field) for field in BURN_FIELDS), _tiers()])
    return {
        "rule": _rule(),
        "values": _values(),
        **{kind.replace("_", "-"): text for kind, text in kinds.items()},
        "tier": table(("of a tier", "takes", "what", "when absent"), [_row("budget", field) for field in TIER_FIELDS]),
        "budget-count": table(HEAD, [_row("budget", field) for field in MAX_FIELDS]),
    }


def _rule() -> str:
    by = "[" + ", ".join(_RULE["by"]) + "]"
    rows = [
        (
            "`alert`",
            f"a text of 1 to {MAX_NAME} characters",
            f"the alert's name; not {' or '.join(f'`{name}`' for name in OWN_ALERTS)}, which are Claxon's own",
            "the rule is refused",
        ),
        ("one of the [kinds](#kinds)", code(FIELDS), "when it fires; exactly one a rule", "the rule is refused"),
        ("`match`", f"a list of at most {MAX_MATCHERS} matchers", "which events it looks at", "every event but cancelled ones"),
        ("`by`", f"a list of {code(SCOPE_LABELS)}", "one alert for each distinct value of these", f"`{by}`"),
        *(_time(field) for field in TIMES),
        ("`labels`", f"names, and texts of 1 to {MAX_LABEL} characters", "added to the alert", "none"),
        (
            "`annotations`",
            f"names, and [templates](#annotations) of 1 to {MAX_TEMPLATE:,} characters",
            "added to the page",
            "none",
        ),
    ]
    return table(("field", "takes", "what", "when absent"), rows)


def _time(field: Field) -> tuple[str, ...]:
    default = _RULE[field.attribute]
    takes = {"clear_below": "a share over 0%, at most `above`", "stale_after": "a duration over 0s"}.get(field.name, _kind(field))
    what = field.about + ("; not with `any`" if field.name == "for" else "")
    return f"`{field.name}`", takes, what, "none" if default is None else f"`{field.value.write(default)}`"


def _values() -> str:
    most = exact_duration(MAX_DURATION_S)
    rows = [
        ("a duration", "Prometheus's: `30s`, `5m`, `1h30m`, `30d`; `0` is 0 in every unit", f"0 to {most}"),
        ("a fine duration", "the same, also with milliseconds: `1s500ms`", f"0 to {most}"),
        ("a share", "`5%` or `0.05`", "0 to 100%"),
        ("a count", "a whole number", f"0 to {MAX_COUNT:,}"),
    ]
    return table(("value", "is written", "lies in, where a table says nothing else"), rows)


def _row(kind: str, field: Field) -> tuple[str, ...]:
    default = default_of(kind, field) if field not in TIER_FIELDS else None
    absent = f"`{default}`".lower() if isinstance(default, bool) else f"`{default}`"
    if default is None:
        absent = _NOTHING[kind] if field.name == "confidence" else _required(field)
    what = "; ".join(part for part in (field.about.partition("; left out")[0].partition("; whole minutes")[0], MORE.get((kind, field.name))) if part)
    return f"`{field.name}`", takes(kind, field), what, absent


def _required(field: Field) -> str:
    return "a twelfth of `long`, in whole minutes" if field.name == "short" else "the other form" if field.name == "max" else "the rule is refused"


def _tiers() -> tuple[str, ...]:
    said = {
        name: " and ".join(f"{tier.burn:g}x ({exact_duration(tier.long_s)}, {exact_duration(tier.short_s)})" for tier in tiers)
        for name, tiers in (("fast", FAST_BURN), ("slow", SLOW_BURN))
    }
    absent = f"{said['fast']} for `severity: page`, else {said['slow']}"
    return "`tiers`", "a list of at least one `{burn, long, short}`", "any of them is enough", absent


def takes(kind: str, field: Field) -> str:
    """Return which values a field takes, in words."""
    bound = BOUNDS.get((kind, field.name), Bound())
    if bound.step == 60:
        return f"whole minutes, from {exact_duration(bound.least)}"
    return _kind(field) + _within(field, bound)


def _kind(field: Field) -> str:
    if "enum" in field.value.schema:
        return " or ".join(f"`{one}`" for one in field.value.schema["enum"])  # type: ignore[attr-defined]
    names = ((DURATION, "a duration"), (FINE_DURATION, "a fine duration"), (SHARE, "a share"), (FLAG, "`true` or `false`"))
    for value, name in names:
        if field.value is value:
            return name
    return "a count" if field.value.schema["type"] == "integer" else "a number"


def _within(field: Field, bound: Bound) -> str:
    """Return " from … to …"; nothing where that is what any such value is."""
    write = {"a duration": exact_duration, "a fine duration": exact_duration, "a share": lambda share: f"{share:.0%}"}
    said = write.get(_kind(field), lambda number: f"{number:g}")
    low = f" over {said(bound.over)}" if bound.over > -inf else f" from {said(bound.least)}" if bound.least > 0 else ""
    high = f" and under {said(bound.under)}" if bound.under < inf else f" to {said(bound.most)}" if bound.most < inf else ""
    return low + (high if low else high.replace(" and", "", 1))


def main() -> None:
    """Write the page anew."""
    renew(PAGE, parts())


if __name__ == "__main__":
    main()
