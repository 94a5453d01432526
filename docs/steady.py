"""What a real service answered, as a page shows it: the same at each run, and short.

Instants are moved to one hour of one day, and what is drawn by chance has the same value each time.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SHOWN_AT = 1_795_600_000.0
"""What the present is moved to, in whole minutes."""

_TOOK = {
    "duration_s": 0.01,
    "seconds": 0.02,
    "after_s": 0.05,
    "age_s": 0.0,
    "known_s": 60,
    "decisions": 13,
    "lag_s": 0.2,
    "events_per_s": 1.5,
    "per_s": 1.0,
    "queue": 0,
    "outbox": 0,
}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_NANOSECONDS = re.compile(r"\b\d{19}\b")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_DRILL = re.compile(r"(fire-drill/[\w-]+/)[0-9a-f]{8}-[0-9a-f]{4}")
_KEY = re.compile(r"(claxon_[a-z]+_)[\w-]{43}")
_SIGNATURE = re.compile(r"\bv1=[0-9a-f]{64}")
_CHAIN = re.compile(r"[0-9a-f]{32}$")
_KEY_ID = re.compile(r"[0-9a-f]{8}$")


class Steady:
    """Shows what was seen of one run."""

    def __init__(self, began_at: float, addresses: Mapping[str, str]) -> None:
        """Take over what is different in each run.

        Args:
            began_at: The present when it began.
            addresses: What is shown in place of an address.
        """
        self._began_at = began_at
        self._addresses = addresses
        self._ids: dict[str, str] = {}

    def show(self, value: Any, name: str = "") -> Any:
        """Return a value, or a JSON document, as it is shown; `name` is that of the member that holds it."""
        match value:
            case dict():
                return {key: self.show(one, key) for key, one in value.items()}
            case list():
                return [self.show(one, name) for one in value]
            case str():
                return self._drawn(value, name) or self.text(value)
            case bool():
                return value
            case float() if name == "window_s":
                return 60.0  # a rule's is whole; this is how long it ran
            case int() | float() | None if name in _TOOK:
                return _TOOK[name]
            case int() | float():
                return self._number(value)
        return value

    def text(self, value: str) -> str:
        """Return a text as it is shown."""
        for address, shown in self._addresses.items():
            value = value.replace(address, shown)
        value = _RFC3339.sub(lambda found: self._written(found[0]), value)
        value = _NANOSECONDS.sub(lambda found: f"{int(self._moved(int(found[0]) / 1e9))}000000000", value)
        value = _UUID.sub(lambda _: "0b9f0f3e-5a1c-4d0e-9f35-7f2c3f1d2a10", value)
        value = _DRILL.sub(r"\g<1>0b9f0f3e-5a1c", value)
        value = _SIGNATURE.sub(f"v1={hashlib.sha256(b'').hexdigest()}", value)
        return _KEY.sub(lambda found: found[1] + "x" * 43, value)

    def _drawn(self, value: str, name: str) -> str:
        """Return what is shown in place of the id of a key, or of the ledger's hash; "" for anything else."""
        if name == "hash" and _CHAIN.match(value):
            return hashlib.sha256(b"").hexdigest()[:32]
        if name != "id" or _KEY_ID.match(value) is None:
            return ""
        return self._ids.setdefault(value, hashlib.sha256(str(len(self._ids)).encode()).hexdigest()[:8])

    def _number(self, value: float) -> float:
        return type(value)(self._moved(value)) if 1e9 < value < 1e10 else value

    def _moved(self, at: float) -> float:
        # A run takes some seconds, on a busy machine more.
        return SHOWN_AT + (at - self._began_at + 5) // 60 * 60

    def _written(self, text: str) -> str:
        at = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._moved(at)))


def short(value: Any, depth: int = 4) -> Any:
    """Return a document without all but the first object of each list, and without what lies deep in it."""
    match value:
        case dict():
            return {key: short(one, depth - 1) for key, one in value.items()} if depth or not value else "…"
        case list():
            return [short(one, depth) for one in (value if value and isinstance(value[0], str) else value[:1])]
    return value


def pretty(value: Any, *, width: int = 110, indent: str = "") -> str:
    """Return a document as JSON, what fits on a line on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= width or not value or not isinstance(value, (dict, list)):
        return flat
    deeper = indent + "  "
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {pretty(one, width=width, indent=deeper)}" for key, one in value.items()]
        return "{\n" + ",\n".join(deeper + line for line in lines) + f"\n{indent}}}"
    lines = [pretty(one, width=width, indent=deeper) for one in value]
    return "[\n" + ",\n".join(deeper + line for line in lines) + f"\n{indent}]"
