"""Which firing alert mutes which.

≠ silences, routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .labels import Labels
from .lifecycle import Alert
from .matchers import Matcher, all_match, parse_matcher
from .notification import AlertMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """While a source fires, its targets are not told of; `equal` labels must be the same, absent counts as empty."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def mutes(self, source: Labels, target: Labels) -> bool:
        """Whether one alert mutes another; never itself, nor one that could mute it by the same rule."""
        if not all_match(self.source, source) or not all_match(self.target, target):
            return False
        if all_match(self.source, target) and all_match(self.target, source):
            return False
        return all(source.get(name, "") == target.get(name, "") for name in self.equal)


_CAUSES = "ClaudeAuthError|ClaudeAccountBlocked"

DEFAULT_INHIBIT_RULES: tuple[InhibitRule, ...] = (
    InhibitRule(
        source=(parse_matcher(f'alertname=~"{_CAUSES}"'),),
        target=(parse_matcher(f'alertname!~"{_CAUSES}"'),),
        equal=("app", "environment"),
    ),
    InhibitRule(
        source=(parse_matcher('severity="page"'),),
        target=(parse_matcher('severity="ticket"'),),
        equal=("alertname", "app", "environment", "model"),
    ),
)


class Inhibition:
    """The firing alerts that may mute others, found by the labels that must be equal: there may be thousands."""

    def __init__(self, rules: Iterable[InhibitRule], firing: Iterable[Alert] = ()) -> None:
        self._rules = tuple(rules)
        self._sources: list[dict[tuple[str, ...], dict[str, Alert]]] = [{} for _ in self._rules]
        for alert in firing:
            self.add(alert)

    def add(self, alert: Alert) -> None:
        """Take an alert that fires."""
        for rule, sources in zip(self._rules, self._sources, strict=True):
            if all_match(rule.source, alert.labels):
                sources.setdefault(_values(rule, alert.labels), {})[alert.fingerprint] = alert

    def discard(self, alert: Alert) -> None:
        """Forget an alert that has ended."""
        for rule, sources in zip(self._rules, self._sources, strict=True):
            same = sources.get(_values(rule, alert.labels), {})
            same.pop(alert.fingerprint, None)
            if not same:
                sources.pop(_values(rule, alert.labels), None)

    def source_of(self, alert: Alert | AlertMessage, *, before: str | None = None) -> Alert | None:
        """Return a firing alert that mutes this one.

        Args:
            alert: Which fires too, or has ended.
            before: The fingerprint of the one that muted it so far; it is the answer as long as it may be.
        """
        first: Alert | None = None
        for rule, sources in zip(self._rules, self._sources, strict=True):
            same = sources.get(_values(rule, alert.labels), {})
            if before in same and rule.mutes(same[before].labels, alert.labels):
                return same[before]
            if first is None:
                first = next((source for source in same.values() if _mutes(rule, source, alert)), None)
        return first


def _mutes(rule: InhibitRule, source: Alert, alert: Alert | AlertMessage) -> bool:
    return source.fingerprint != alert.fingerprint and rule.mutes(source.labels, alert.labels)


def _values(rule: InhibitRule, labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)
