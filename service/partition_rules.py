"""Which rules fit a log on Kafka, where each partition is evaluated by itself.

≠ what a rule asks.
"""

from __future__ import annotations

from collections.abc import Iterable

from alerts.crossing import refused
from alerts.rules import Rule

from .settings import Settings, SettingsError


def check_rules(settings: Settings, rules: Iterable[Rule]) -> None:
    """Refuse rules that count what no single partition has; without a log on Kafka all fit.

    Raises:
        SettingsError: There are such; all are named.
    """
    if settings.log is not None and (problems := refused(rules)):
        raise SettingsError("; ".join(problem.why for problem in problems))
