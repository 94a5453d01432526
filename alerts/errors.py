"""What can be wrong with what an operator wrote.

ValueError
└── ConfigError      one problem, *where: value: remedy*
    ├── MatcherError
    ├── DurationError
    └── RuleError
"""

from __future__ import annotations


class ConfigError(ValueError):
    """A setting that cannot be used; the text says what to write instead."""


class MatcherError(ConfigError):
    """A matcher that cannot be read."""


class DurationError(ConfigError):
    """A duration that cannot be read."""


class RuleError(ConfigError):
    """A rule that cannot be evaluated, or that could never fire."""
