"""Writes into docs/howto/backtest.md what its commands print: python -m docs.backtest_output

tests/service/backtest/test_howto.py holds the page to it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "howto/backtest.md"
FILES = ("week.py", "calmer.yml", "outages.csv")
COMMANDS = {
    "claxon backtest events.ndjson": "",
    "claxon backtest events.ndjson --config calmer.yml --against defaults": "From defaults to",
    "claxon backtest events.ndjson --labels outages.csv": "against the labels",
}
"""What is run, and how the part of its output begins that is shown."""


def write_files(text: str, folder: Path) -> None:
    """Write the files that the page shows, each a block that begins with its name, and the log they make."""
    for name in FILES:
        block = re.search(rf"```\w*\n# {name}\n(.*?)```", text, re.DOTALL)
        assert block is not None, name
        (folder / name).write_text(block[1])
    with (folder / "events.ndjson").open("wb") as log:
        subprocess.run([sys.executable, "week.py"], cwd=folder, stdout=log, check=True)


def shown(text: str, command: str) -> tuple[int, int]:
    """Return where in the page the output of a command begins and ends."""
    place = re.search(rf"`{re.escape(command)}`[^`]*```text\n(.*?)```", text, re.DOTALL)
    assert place is not None, command
    return place.span(1)


def output(command: str, folder: Path) -> str:
    """Return the part of a command's output that the page shows."""
    arguments = [sys.executable, "-m", "service", *command.split()[1:]]
    whole = subprocess.run(arguments, cwd=folder, check=True, capture_output=True, text=True).stdout
    return whole[whole.index(COMMANDS[command]) :]


def main() -> None:
    """Write the page anew."""
    text = PAGE.read_text()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(text, folder)
        for command in COMMANDS:
            begin, end = shown(text, command)
            text = text[:begin] + output(command, folder) + text[end:]
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
