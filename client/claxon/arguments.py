"""arguments: a parser of command lines that says what is wrong as JSON where JSON was asked for.

For `python -m claxon` and the service's `claxon`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

# A terminal takes some of these for the beginning of an order, others turn a line around or are not seen.
_ORDERS = re.compile("[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Parser(argparse.ArgumentParser):
    """argparse's; its subcommands are parsed by the same."""

    _asked: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; what was asked is remembered for what may be wrong with it."""
        self._asked = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on standard error, and end with 2."""
        if asks_for_json(self._asked):
            self.exit(2, fault_line(f"{self.prog}: {message}: see --help"))
        super().error(message)


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether unparsed arguments ask for JSON."""
    found = list(arguments)
    found = found[: found.index("--")] if "--" in found else found
    return "--json" in found or "--format=json" in found or "--format json" in " ".join(found)


def harmless(text: str) -> str:
    """Return JSON with every character escaped that a terminal may take for an order; it says the same."""
    return _ORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def fault_line(text: str) -> str:
    """Return what is wrong as a line of JSON."""
    return json.dumps({"error": text}) + "\n"
