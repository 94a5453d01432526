"""What docs/howto/backtest.md shows is what comes out; `python -m docs.backtest_output` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.backtest_output import COMMANDS, PAGE, output, shown, write_files

TEXT = PAGE.read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of the page."""
    folder = tmp_path_factory.mktemp("howto")
    write_files(TEXT, folder)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_shows_what_comes_out(folder: Path, command: str) -> None:
    begin, end = shown(TEXT, command)

    assert output(command, folder) == TEXT[begin:end]
