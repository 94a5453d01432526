"""Colour is for a terminal that wants it: never for a file, a pipe, `NO_COLOR` or `TERM=dumb`."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.screens import OnTerminal


@pytest.mark.parametrize(
    ("variables", "more", "coloured"),
    [({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False), ({}, ["--json"], False)],
    ids=["a terminal", "NO_COLOR", "TERM=dumb", "--json"],
)
def test_a_service_colours_its_log_only_on_a_terminal_that_wants_it(
    tmp_path: Path, variables: dict[str, str], more: list[str], coloured: bool
) -> None:
    command = ["serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path), *more]
    with OnTerminal(command, variables=variables) as terminal:
        terminal.until(lambda: b"service.started" in terminal.written, within=30)
        terminal.hang_up(signal.SIGTERM)
        assert terminal.ends(within=30) in (0, 128 + signal.SIGTERM)

    assert (b"\x1b" in terminal.written) == coloured
    assert terminal.written.startswith(b"{") == (more == ["--json"])


@pytest.mark.parametrize("command", ["check none.yml", "verify --data none", "rules", "route app=x severity=page"])
def test_what_is_no_view_prints_the_same_to_a_terminal_as_to_a_file(tmp_path: Path, command: str) -> None:
    with OnTerminal(command.split()) as terminal:
        terminal.ends()

    assert terminal.written
    assert b"\x1b" not in terminal.written
