"""The commands that a parser of command lines knows."""

from __future__ import annotations

import argparse
from collections.abc import Iterator


def commands_of(parser: argparse.ArgumentParser) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Return each command that can be run: its words after the program's, and its parser."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield (), parser
    for action in below:
        for name, child in action.choices.items():
            for words, leaf in commands_of(child):
                yield (name, *words), leaf
