"""Random routing trees as an Alertmanager file has them, and labels to send through them."""

from __future__ import annotations

import random
from typing import Any

LABELS = ("app", "severity", "team")
VALUES = ("chat", "batch", "page", "ticket", "a\nb", "Chat", "é", "chat1", "")
PATTERNS = (
    "chat|batch",
    "c.*",
    ".+",
    "",
    "a.b",
    "(?s)a.b",
    r"\w+",
    r"chat\d",
    "(?i)CHAT",
    "chat1{,2}",
    "[[:lower:]]+",
    "[^c].*",
    "^page$",
    "p(?i)AGE|t.*",
    r"\Qa\E\n?b",
    "(?U)c.*t",
    "é?",
    "(c|ch|h|at)+",
    "([a-z]+[0-9]?)*",
    ".*[ai].*[tcg].*[he].*",
    "(?:(?:^|b)(?i:A).?)+(?:$|t)",
    r"\pL+",
    "(",
    "a++",
)
"""Also some that are none."""


def random_file(chance: random.Random, *, receivers: int = 6) -> dict[str, Any]:
    """Return the content of a file: a tree, three levels deep at most, and its receivers."""
    names = [f"r{i}" for i in range(receivers)]
    root = {"receiver": "r0", "group_by": ["app"], "routes": _routes(chance, names, depth=3)}
    return {"route": root, "receivers": [{"name": name} for name in names]}


def random_labels(chance: random.Random) -> dict[str, str]:
    """Return labels, some with values that some route asks for."""
    return {name: chance.choice(VALUES) for name in LABELS if chance.random() < 0.9}


def _routes(chance: random.Random, names: list[str], *, depth: int) -> list[dict[str, Any]]:
    return [_route(chance, names, depth=depth) for _ in range(chance.randint(1, 3))] if depth else []


def _route(chance: random.Random, names: list[str], *, depth: int) -> dict[str, Any]:
    route: dict[str, Any] = {}
    if chance.random() < 0.8:
        route["receiver"] = chance.choice(names)
    if chance.random() < 0.4:
        route["continue"] = chance.random() < 0.7
    if chance.random() < 0.3:
        route["match"] = {chance.choice(LABELS): chance.choice(VALUES)}
    if chance.random() < 0.2:
        route["match_re"] = {chance.choice(LABELS): chance.choice(PATTERNS[:-2])}
    if chance.random() < 0.7:
        route["matchers"] = [_text(chance) for _ in range(chance.randint(1, 2))]
    route["routes"] = _routes(chance, names, depth=depth - 1)
    return route


def _text(chance: random.Random) -> str:
    """Return one matcher, or several with commas, in one of the ways to write them."""
    text = ",".join(_matcher(chance) for _ in range(chance.choice((1, 1, 1, 2))))
    return f"{{{text}}}" if chance.random() < 0.2 else text


def _matcher(chance: random.Random) -> str:
    operator = chance.choice(("=", "=", "!=", "=~", "!~"))
    # Few that are none, or no file would ever load.
    patterns = PATTERNS if chance.random() < 0.1 else PATTERNS[:-2]
    value = chance.choice(patterns if "~" in operator else VALUES)
    if value.isalnum() and chance.random() < 0.3:
        return f" {chance.choice(LABELS)} {operator} {value} "
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
    return f'{chance.choice(LABELS)}{operator}"{escaped}"'
