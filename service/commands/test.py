"""`claxon test`: runs rule unit tests; a line for each scenario, and below it what is not as expected.

≠ what scenarios mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .saying import add_json, refuse, say_json, wants_json

if TYPE_CHECKING:
    from alerts.scenarios import Difference

    from ..scenario_file import Result, ScenarioFile


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    test = commands.add_parser(
        "test",
        help="run rule unit tests",
        description="Runs rule unit tests through the engine that serves. "
        "Ends with 0 if all is as expected, 1 if something is not, 2 if a file cannot be used.",
    )
    test.add_argument("files", type=Path, nargs="+", metavar="FILE", help="a file of scenarios, or a folder of *.yml")
    test.add_argument("--format", choices=["text", "json"], default="text", help="default %(default)s")
    test.add_argument("-k", dest="word", default="", metavar="WORD", help="only scenarios with this in file or name")
    add_json(
        test,
        {
            "scenarios": "each: file, line, name, passed, differences (line, where, claim, expected, was, ledger)",
            "passed": "how many went as expected",
            "failed": "how many did not",
        },
        exits={0: "all is as expected", 1: "something is not", 2: "a file cannot be used"},
    )
    test.set_defaults(command=_test)


def _test(options: argparse.Namespace) -> int:
    from ..scenario_file import run_scenario

    files, problems = _load(options.files)
    if problems:
        return refuse(options, *problems)
    chosen = [
        (file, scenario)
        for file in files
        for scenario in file.scenarios
        if options.word.lower() in f"{file.file.path.name} {scenario.name}".lower()
    ]
    if not chosen:
        return refuse(options, f"-k: {options.word}: no scenario has this in its file's name or its own: leave it out")
    report = _Report(as_json=wants_json(options))
    for file, scenario in chosen:
        report.add(run_scenario(file.file, scenario))
    report.end()
    return 1 if report.failed else 0


def _load(names: Sequence[Path]) -> tuple[list[ScenarioFile], list[str]]:
    """Return the files, and all that is wrong with any of them."""
    from ..scenario_file import load_scenarios, scenario_paths
    from ..yaml_file import ConfigFileError

    files: list[ScenarioFile] = []
    problems: list[str] = []
    try:
        paths = scenario_paths(names)
    except ConfigFileError as fault:
        return [], fault.problems
    for path in paths:
        try:
            files.append(load_scenarios(path))
        except ConfigFileError as fault:
            problems += fault.problems
    return files, problems


class _Report:
    """Says how each scenario went as soon as it has; as JSON all at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self.results: list[Result] = []
        self._as_json = as_json

    @property
    def failed(self) -> int:
        return sum(1 for result in self.results if result.differences)

    def add(self, result: Result) -> None:
        self.results.append(result)
        if not self._as_json:
            print("\n".join(lines(result)), flush=True)

    def end(self) -> None:
        n, failed = len(self.results), self.failed
        if self._as_json:
            scenarios = [_mapping(result) for result in self.results]
            say_json({"scenarios": scenarios, "passed": n - failed, "failed": failed}, indent=2)
        else:
            print(f"{n} scenario{'' if n == 1 else 's'}: {n - failed} as expected, {failed} not")


def lines(result: Result) -> list[str]:
    """Return how a scenario went, as text."""
    said = [f"{'FAIL' if result.differences else 'ok  '} {result.file}:{result.line}: {result.scenario}"]
    for line, difference in result.differences:
        said.append(f"     {result.file}:{line}: {_where(difference)}: {difference.claim}")
        said.append(f"       expected: {difference.expected}")
        said.append(f"       was:      {difference.was}")
        said += [f"       ledger:   {row}" for row in difference.numbers]
    return said


def _mapping(result: Result) -> dict[str, Any]:
    return {
        "file": result.file,
        "line": result.line,
        "name": result.scenario,
        "passed": not result.differences,
        "differences": [
            {
                "line": line,
                "where": _where(difference),
                "claim": difference.claim,
                "expected": difference.expected,
                "was": difference.was,
                "ledger": list(difference.numbers),
            }
            for line, difference in result.differences
        ],
    }


def _where(difference: Difference) -> str:
    from alerts.problems import Problem

    return Problem(difference.path, "").where
