"""Scenarios: unit tests of rules. Events and instants in, differences from what was expected out.

    records     Scenario and all that it holds
    form        a mapping -> Scenario, every problem with its path
    event_form  one entry of `events`
    expect_form one entry of `expect`
    reading     what the forms share: typed values, each problem with its path
    play        steps -> what the engine and the notifier decided
    check       that, against what was expected -> differences
    shown       alerts, labels and numbers as a difference tells them

The engine and the notifier are those that serve. ≠ files, YAML, pytest.
"""

from __future__ import annotations

from .check import differences
from .form import Files, parse_scenarios
from .play import play as _play  # or it would hide its module
from .records import Difference, Scenario, Setup

__all__ = ["Difference", "Files", "Scenario", "Setup", "parse_scenarios", "run"]


def run(scenario: Scenario) -> list[Difference]:
    """Return where what was decided differs from what the scenario expects, in the order of its expectations."""
    return differences(scenario, _play(scenario))
