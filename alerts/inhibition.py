"""Which firing alert mutes which.

≠ silences, routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .labels import Labels
from .lifecycle import Alert
from .matchers import Matcher, all_match, parse_matcher


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


def inhibited_by(alert: Alert, firing: Iterable[Alert], rules: Iterable[InhibitRule]) -> Alert | None:
    """Return a firing alert that mutes this one."""
    sources = [other for other in firing if other.fingerprint != alert.fingerprint]
    for rule in rules:
        for source in sources:
            if rule.mutes(source.labels, alert.labels):
                return source
    return None
