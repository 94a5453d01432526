"""tests/scenarios/: what Claxon promises to page, and never to page; each scenario is one test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alerts.scenarios import Scenario
from service.commands.test import lines
from service.scenario_file import load_scenarios, run_scenario, scenario_paths
from service.yaml_file import YamlFile

FOLDER = Path(__file__).parent / "scenarios"
FILES = [load_scenarios(path) for path in scenario_paths([FOLDER])]
SCENARIOS = [
    pytest.param(file.file, scenario, id=f"{file.file.path.stem}: {scenario.name}")
    for file in FILES
    for scenario in file.scenarios
]


@pytest.mark.parametrize(("file", "scenario"), SCENARIOS)
def test_a_scenario_goes_as_expected(file: YamlFile, scenario: Scenario) -> None:
    result = run_scenario(file, scenario)

    assert result.differences == (), "\n".join(lines(result))


@pytest.mark.parametrize("path", [file.file.path for file in FILES], ids=lambda path: path.stem)
def test_a_scenario_file_says_which_promise_it_holds(path: Path) -> None:
    assert re.match(r"# Promise: \S.{20,}", path.read_text("utf-8"))
