"""Rule: a condition, where it is looked for, and what an alert of it is called.

≠ state, YAML.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from .conditions import Condition, kind_of, windows_of
from .labels import Labels
from .matchers import Matcher
from .rule_checks import check_rule

SCOPE_LABELS = ("app", "environment", "model", "path")
"""What a rule may be split by; every event has them."""

FAILURE_LABELS = ("category", "status", "error_type", "error_code", "final", "exhausted")
"""What else a rule may match: these say which failures count, not which calls."""


# No slots: what is derived is computed once and kept.
@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        alert: The alert's name.
        condition: When it fires.
        match: Which events it looks at.
        by: One alert for each distinct value of these.
        hold_s: `for`: how long the condition must hold first.
        keep_firing_for_s: How long the alert stays after the condition stopped holding.
        clear_below: With `error_rate`: an alert that fires holds until the share is below this.
        stale_after_s: How long a key may be silent before its alert is closed.
        labels: Added to the alert; `severity` is one of them.
        annotations: Templates, added to the page.

    Raises:
        RuleError: It cannot be evaluated, or could never fire.
    """

    alert: str
    condition: Condition
    match: tuple[Matcher, ...] = ()
    by: tuple[str, ...] = ("app", "environment")
    hold_s: int = 0
    keep_firing_for_s: int = 900
    clear_below: float | None = None
    stale_after_s: int = 3600
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_rule(self, SCOPE_LABELS, FAILURE_LABELS)

    @cached_property
    def kind(self) -> str:
        """The condition's kind as a rule file names it."""
        return kind_of(self.condition)

    @cached_property
    def severity(self) -> str:
        """The label `severity`, "page" where the rule has none."""
        return self.labels.get("severity", "page")

    @cached_property
    def id(self) -> str:
        """What names the rule among others, and its state over a reload: alert, severity, and its other labels."""
        others = [f"{name}={value}" for name, value in sorted(self.labels.items()) if name != "severity"]
        return "/".join([self.alert, self.severity, *others])

    @cached_property
    def scope(self) -> tuple[Matcher, ...]:
        """The matchers that say which calls the rule looks at."""
        return tuple(m for m in self.match if m.name in SCOPE_LABELS)

    @cached_property
    def failures(self) -> tuple[Matcher, ...]:
        """The matchers that say which failures count."""
        return tuple(m for m in self.match if m.name in FAILURE_LABELS)

    @cached_property
    def hash(self) -> str:
        """12 hex digits that change when anything that decides changes."""
        said = "\n".join(
            [
                repr(self.condition),
                *map(str, self.match),
                repr((self.by, self.hold_s)),
                repr((self.keep_firing_for_s, self.clear_below, self.stale_after_s)),
                repr(sorted(self.labels.items())),
                self.alert,
            ]
        )
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @cached_property
    def windows(self) -> tuple[int, ...]:
        """The lengths of the windows the condition reads, in seconds."""
        return windows_of(self.condition)


def same_keys(old: Rule, new: Rule) -> bool:
    """Whether a changed rule still asks the same of the same keys, only with other limits."""
    return (old.kind, old.by, old.scope) == (new.kind, new.by, new.scope)
