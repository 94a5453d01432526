"""The command line: those of commands/.

≠ how anything works.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from claxon.arguments import Parser

from .commands import (
    audit,
    backtest,
    backup,
    check,
    demo,
    explain,
    export,
    fire_drill,
    keys,
    migrate,
    move,
    route,
    rules,
    serve,
    test,
    top,
    verify,
)

_COMMANDS = (
    serve,
    demo,
    top,
    backtest,
    check,
    rules,
    test,
    explain,
    route,
    fire_drill,
    keys,
    audit,
    verify,
    export,
    backup,
    migrate,
    move,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 failed, 2 asked for wrongly."""
    options = make_parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="claxon", description="Alerting for applications that call the Claude API.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.register(commands)
    return parser
