"""docs/reference/cli.md and docs/howto/terminal.md say of the command line what it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from claxon.__main__ import make_parser as make_client_parser

from docs import cli_reference, terminal_screens
from service.cli import make_parser
from tests.support.parsers import commands_of
from tests.support.repository import ROOT

PAGE = (ROOT / "docs/reference/cli.md").read_text("utf-8")
TERMINAL = (ROOT / "docs/howto/terminal.md").read_text("utf-8")
JQ = re.findall(r"^claxon top --once --json \| jq (?:-\w+ )?'(.+)'$", TERMINAL, re.MULTILINE)


def test_the_reference_is_made_of_the_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert cli_reference.page() == PAGE, "run: python -m docs.cli_reference"


@pytest.mark.parametrize("make", [make_parser, make_client_parser])
def test_every_command_and_every_option_is_explained(make: object) -> None:
    for words, parser in commands_of(make()):  # type: ignore[operator]
        [section] = re.findall(rf"^## {re.escape(parser.prog)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
        for action in parser._actions:
            for option in set(action.option_strings) - {"-h", "--help"}:
                assert re.search(rf"^\| `(.+, )?{option}[ ,`]", section, re.MULTILINE), (words, option)
        assert not re.search(r"\|\s*\|$", section, re.MULTILINE), f"{words}: an argument without a word"
        assert "%(" not in section


def test_the_screens_of_the_howto_are_what_is_drawn() -> None:
    assert terminal_screens.page(TERMINAL) == TERMINAL, "run: python -m docs.terminal_screens"
    assert max(len(line) for line in terminal_screens.screen("80x24")) <= 80
    assert len(terminal_screens.screen("80x24")) == 24


@pytest.mark.parametrize("question", JQ)
def test_what_is_asked_of_the_json_names_fields_that_are_there(question: str) -> None:
    """Of the recorded answer; jq itself is not needed."""
    recorded = json.loads(terminal_screens.RECORDED.read_text("utf-8"))
    known = set(_names(recorded))

    fields = re.findall(r"\.([a-z_]+)", question)
    assert fields
    assert set(fields) <= known


def _names(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for one in value.values() for name in _names(one))]
    return [name for one in value for name in _names(one)] if isinstance(value, list) else []


def test_the_reference_is_written_by_its_command_whatever_the_terminal() -> None:
    """A narrow window wraps what argparse prints; the page is not made of that."""
    code = "from docs.cli_reference import page; import sys; sys.stdout.write(page())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(COLUMNS="40"), capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == PAGE


def _environment(**more: str) -> dict[str, str]:
    import os

    path = os.pathsep.join(os.path.abspath(part) for part in sys.path if part)
    return {**os.environ, "PYTHONPATH": path, **more}
