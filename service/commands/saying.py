"""How a command says what it found and what is wrong: to people as text, to programs as JSON.

≠ what it says.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from weakref import WeakKeyDictionary

from claxon.arguments import harmless

EXITS: Mapping[int, str] = MappingProxyType({0: "done", 2: "not done"})
"""What a command ends with, unless it says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is documented of a command beside its arguments.

    Attributes:
        fields: Of what it prints with --json, outermost ones; a * says that only some answers have it.
        exits: Its exit status.
        lines: Whether it prints one object a line, as they come.
        variables: What it takes from the environment.
    """

    fields: Mapping[str, str]
    exits: Mapping[int, str]
    lines: bool
    variables: Mapping[str, str]


_FACTS: WeakKeyDictionary[argparse.ArgumentParser, Facts] = WeakKeyDictionary()


def add_json(
    parser: argparse.ArgumentParser,
    fields: Mapping[str, str],
    *,
    exits: Mapping[int, str] = EXITS,
    lines: bool = False,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Add --json to a command, with what is documented of it."""
    what = "print an object a line, as JSON" if lines else "print JSON"
    parser.add_argument("--json", action="store_true", help=f"{what}, for programs; what is wrong, too")
    _FACTS[parser] = Facts(fields=fields, exits=exits, lines=lines, variables=variables or {})


def facts_of(parser: argparse.ArgumentParser) -> Facts | None:
    """Return what is documented of a command; None if it has no --json."""
    return _FACTS.get(parser)


def wants_json(options: argparse.Namespace) -> bool:
    """Whether a command is to print JSON."""
    return bool(options.json) or getattr(options, "format", "text") == "json"


def say_json(value: object, *, indent: int | None = None) -> None:
    """Print an answer, or one of many, as JSON."""
    import msgspec

    text = msgspec.json.encode(value)
    say_json_text((msgspec.json.format(text, indent=indent) if indent is not None else text).decode())


def say_json_text(text: str) -> bool:
    """Print JSON; what might order a terminal about is escaped; return whether somebody reads."""
    if "utf" not in (sys.stdout.encoding or "utf-8").lower():
        text = json.dumps(json.loads(text))
    return say_text(harmless(text).rstrip("\n") + "\n")


def say_text(text: str) -> bool:
    """Print text; return whether somebody reads: who has had enough may have gone, as `head` does."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Or else Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def refuse(options: argparse.Namespace, *problems: object, status: int = 2) -> int:
    """Say what is wrong on standard error, a line each; return the exit status."""
    for problem in problems:
        _complain(options, "error", str(problem))
    return status


def warn(options: argparse.Namespace, warning: str) -> None:
    """Say on standard error what is odd."""
    _complain(options, "warning", warning)


def _complain(options: argparse.Namespace, kind: str, text: str) -> None:
    if wants_json(options):
        line = harmless(json.dumps({kind: text}, ensure_ascii=False))
    else:
        line = f"claxon: {text}" if kind == "error" else f"claxon: {kind}: {text}"
    print(line, file=sys.stderr, flush=True)
