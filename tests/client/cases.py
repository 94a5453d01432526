"""cases.json: what the API plays, and the events that every client makes of it.

The tests of this folder and those of `client-ts/tests` read the same file, so
that an app in Python and one in TypeScript are watched alike.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("cases.json")
_SHARED: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))

ATTEMPT_FIELDS: tuple[str, ...] = tuple(_SHARED["attempt_fields"])
ENDING_FIELDS: tuple[str, ...] = tuple(_SHARED["ending_fields"])

Case = tuple[str, list[tuple[Any, ...]]]
"""The steps of the API, and the fields of each event."""


def cases_of(kind: str) -> dict[str, Case]:
    """Return the cases of a kind by name: `attempts`, or `unanswered`, which are called once and not again."""
    return {name: (case["steps"], [tuple(row) for row in case["events"]]) for name, case in _SHARED[kind].items()}


def endings() -> dict[str, tuple[str, tuple[Any, ...]]]:
    """Return the steps and the fields of the one event, by how a stream ends."""
    return {name: (case["steps"], tuple(case["event"])) for name, case in _SHARED["endings"].items()}
