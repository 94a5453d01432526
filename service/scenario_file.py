"""Scenario files: YAML -> scenarios; what they name is found beside them.

≠ what scenarios mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alerts.config import parse_config
from alerts.errors import ConfigError
from alerts.problems import Problem
from alerts.rule_form import parse_rules
from alerts.rules import Rule
from alerts.scenarios import Difference, Files, Scenario, Setup, parse_scenarios, run

from .receivers import KINDS
from .yaml_file import ConfigFileError, YamlFile, read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFile:
    """A file of scenarios."""

    file: YamlFile
    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a scenario went.

    Attributes:
        file: Where it is written.
        line: Its line.
        scenario: Its name.
        differences: With the line of each.
    """

    file: str
    line: int
    scenario: str
    differences: tuple[tuple[int, Difference], ...]


def scenario_paths(names: Sequence[Path]) -> list[Path]:
    """Return the files that are meant: a folder stands for all *.yml in it, in order.

    Raises:
        ConfigFileError: A folder has none.
    """
    found: list[Path] = []
    for name in names:
        if not name.is_dir():
            found.append(name)
            continue
        inside = sorted(path for path in name.iterdir() if path.suffix in (".yml", ".yaml"))
        if not inside:
            raise ConfigFileError([f"{name}: no *.yml in it: name a file, or a folder that holds scenarios"])
        found += inside
    return list(dict.fromkeys(found))


def load_scenarios(path: Path) -> ScenarioFile:
    """Return the scenarios of a file.

    Raises:
        ConfigFileError: It cannot be read, or something in it is wrong.
    """
    file = read_yaml(path)
    beside = _Beside(path.parent)
    scenarios, problems = parse_scenarios(file.data, Files(config=beside.config, rules=beside.rules))
    if problems:
        raise ConfigFileError([file.say(problem) for problem in problems])
    return ScenarioFile(file=file, scenarios=tuple(scenarios))


def run_scenario(file: YamlFile, scenario: Scenario) -> Result:
    """Return how a scenario of a file goes."""
    return Result(
        file=str(file.path),
        line=file.line(scenario.path),
        scenario=scenario.name,
        differences=tuple((file.line(difference.path), difference) for difference in run(scenario)),
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """Reads what a scenario names, relative to its own folder."""

    folder: Path

    def rules(self, name: str) -> tuple[Rule, ...]:
        """Return the rules of a rule file."""
        file = self._read(name)
        parsed = parse_rules(file.data)
        _refuse(file, parsed.problems)
        return parsed.rules

    def config(self, name: str) -> Setup:
        """Return what a configuration says of routes; its receivers are not built, so no secret is needed."""
        file = self._read(name)
        config, problems = parse_config(file.data, tuple(KINDS))
        _refuse(file, problems)
        return Setup(route=config.route, inhibit_rules=config.inhibit_rules)

    def _read(self, name: str) -> YamlFile:
        try:
            return read_yaml(self.folder / name)
        except ConfigFileError as fault:
            raise ConfigError("; ".join(fault.problems)) from fault


def _refuse(file: YamlFile, problems: Sequence[Problem]) -> None:
    if problems:
        raise ConfigError("; ".join(map(file.say, problems)))
