"""What can be wrong with what an operator wrote.

ValueError
└── ConfigError      one problem, *where: value: remedy*
    ├── MatcherError
    ├── DurationError
    ├── SilenceError
    ├── AlertError
    └── RuleError
"""

from __future__ import annotations

from collections.abc import Sequence

from .problems import Problem


class ConfigError(ValueError):
    """A setting that cannot be used; the text says what to write instead."""


class MatcherError(ConfigError):
    """A matcher that cannot be read."""


class DurationError(ConfigError):
    """A duration that cannot be read."""


class SilenceError(ConfigError):
    """A silence that cannot be put in force."""


class AlertError(ConfigError):
    """A posted alert that cannot be taken."""


class RuleError(ConfigError):
    """A rule that cannot be evaluated, or that could never fire.

    Attributes:
        problems: All that is wrong with it; paths begin inside the rule.
    """

    def __init__(self, text: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(text)
        self.problems = tuple(problems)
