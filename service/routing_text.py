"""Says where an alert goes, and why, as text.

≠ where it goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from alerts.durations import exact_duration
from alerts.matchers import make_matcher
from alerts.routing import Asked, Inhibitor, Routing, Told

from .pages.format import plain


def routing_text(routing: Routing) -> str:
    """Return a routing in lines: the answer first, then the tree, then what could hold it back."""
    lines = [
        f"An alert with {_labels(routing.labels)} at {datetime.fromtimestamp(routing.at, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "",
    ]
    for told in routing.told:
        lines += _told(told)
    lines += ["", "Routes asked, in order:", *_tree(routing.tree, ""), ""]
    lines += _inhibitors(routing)
    lines += _escalations(routing)
    return "\n".join(map(plain, lines))


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(str(make_matcher(name, "=", value)) for name, value in labels.items()) or "no labels"


def _told(told: Told) -> Iterator[str]:
    yield f"-> {told.receiver}, by {told.where}"
    if told.integrations:
        yield f"   told by    {', '.join(told.integrations)}"
    else:
        yield "   told by    nothing: the receiver has no integrations, and what it gets is dropped"
    yield f"   grouped    {_grouping(told)}"
    yield f"   quiet now  {_quiet(told)}"
    yield f"   fallback   {told.fallback or 'nobody: there is no other receiver'}"


def _grouping(told: Told) -> str:
    again = f"again after {exact_duration(told.repeat_interval_s)}"
    if told.group is None:
        return f"alone: told at once, {again}"
    group = f"with all that have {_labels(told.group)}" if told.group else "with all others of this route"
    timers = f"first after {exact_duration(told.group_wait_s)}, then every {exact_duration(told.group_interval_s)}"
    return f"{group}: {timers} if something changed, {again}"


def _quiet(told: Told) -> str:
    if not told.muted_by:
        return "no"
    names = ", ".join(told.muted_by)
    if told.outside_active:
        return f"YES: it is none of its active_time_intervals: {names}"
    return f"YES: in its mute_time_intervals: {names}"


def _tree(asked: Asked, indent: str) -> Iterator[str]:
    yield f"{indent}{_answer(asked)}"
    for child in asked.routes:
        yield from _tree(child, f"{indent}  ")


def _answer(asked: Asked) -> str:
    where = f"{asked.where} ({asked.receiver})"
    if asked.taken_by:
        return f"-    {where}: not asked: {asked.taken_by} took it, and has no continue"
    failed = [condition for condition in asked.conditions if not condition.matched]
    if failed:
        return f"no   {where}: " + "; ".join(f"{c.matcher} fails: {c.label} is {_value(c.value)}" for c in failed)
    matchers = ", ".join(c.matcher for c in asked.conditions) or "no matchers, takes everything"
    return f"{'TELL' if asked.tells else 'yes '} {where}: {matchers}"


def _value(value: str) -> str:
    return str(make_matcher("", "=", value)).partition("=")[2] if value else "not there"


def _inhibitors(routing: Routing) -> Iterator[str]:
    if not routing.inhibitors:
        yield "No inhibit rule can mute it."
    for inhibitor in routing.inhibitors:
        yield f"Muted by {inhibitor.where} while an alert fires that {_source(inhibitor)}."


def _source(inhibitor: Inhibitor) -> str:
    said = f"matches {inhibitor.source}"
    if inhibitor.equal:
        said += " and has " + ", ".join(
            f"{name}={_value(value)}" if value else f"no {name}" for name, value in inhibitor.equal.items()
        )
    if inhibitor.not_of_its_kind:
        said += "; but none that could be muted by the same rule, for this one is a source of it too"
    return said


def _escalations(routing: Routing) -> Iterator[str]:
    if not routing.escalations:
        yield "No escalation applies: nobody else is told if nobody acknowledges."
    for escalation in routing.escalations:
        steps = ", ".join(f"after {exact_duration(step.after_s)} {step.receiver}" for step in escalation.steps)
        yield f"While nobody acknowledges, {escalation.where} tells: {steps}."
