"""`python -m claxon`: look at what the client keeps. The service's own command is `claxon`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .arguments import Parser
from .later import command as deferred


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 failed or nothing found, 2 asked for wrongly."""
    options = make_parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.command
    return run(options)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="python -m claxon", description="Look at what the Claxon client keeps.")
    deferred.register(parser.add_subparsers(required=True, metavar="COMMAND"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
