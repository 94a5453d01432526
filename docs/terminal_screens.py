"""Draws the screens of docs/howto/terminal.md from a recorded answer: python -m docs.terminal_screens

The answer is docs/howto/terminal.json, as `claxon top --once --json` printed it. tests/test_cli_reference.py holds the page to it.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from service.top.cells import painted, written
from service.top.screen import frame, snapshot
from service.top.shown import Part, Shown
from service.top.view import Top

HERE = Path(__file__).parent
PAGE = HERE / "howto/terminal.md"
RECORDED = HERE / "howto/terminal.json"

_STYLE = re.compile(r"\x1b\[[\d;]*m")
_MARK = re.compile(r"(<!-- screen: (\S+) -->\n```text\n).*?(```\n)", re.DOTALL)


def screen(name: str) -> list[str]:
    """Return a screen as text: "80x24", "80x24-alert", or "once"."""
    shown = Shown(url="http://127.0.0.1:5290", name="anna")
    shown.hear(msgspec.json.decode(RECORDED.read_bytes(), type=Top), now=0.0)
    if name == "once":
        return written(snapshot(shown, cells=150, now=0.0))
    size, _, part = name.partition("-")
    cells, lines = map(int, size.split("x"))
    shown.part = Part(part or "all")
    drawn = [painted(line, cells, colour=False) for line in frame(shown, cells=cells, lines=lines, now=0.0)]
    return [_STYLE.sub("", line).rstrip() for line in drawn]


def page(text: str) -> str:
    """Return the page with its screens drawn anew."""
    return _MARK.sub(lambda found: found[1] + "\n".join(screen(found[2])).rstrip() + "\n" + found[3], text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), encoding="utf-8")
