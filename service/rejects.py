"""Rejects: what is kept of events and bodies that were refused, so that somebody can see what a sender does wrong.

Kept are the fields that events have, cut and without secrets, the error, and who sent it. A field that no event
has may hold a prompt, and so may a text that is no JSON: of these nothing is kept.

≠ HTTP, SQL.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from claxon.event import FIELDS, EventError, shown

from .expanding import BadBody, Reason

MOST_OF_A_BATCH = 50
"""Refused events of one body that are kept; all are counted, and named in the answer."""

MOST_WAITING = 200
"""Rejects that wait to be written, at most: the newest. They are written each second."""

_MOST_FIELD = 120
_MOST_ERROR = 300


class NotJson(EventError):
    """An item that cannot be decoded."""


class NotObject(EventError):
    """An item that is JSON, and no object."""


class TooLong(EventError):
    """An item over the limit of one event."""


class Reject(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept of one refused event, or of a whole body.

    Attributes:
        index: Place of the event in its body; None for a whole body.
        reason: The class of the error, such as no_model.
        error: *Field: value: remedy*.
        app: Of the event, or of the key.
        fields: The known ones, as they may be shown.
        at: When it arrived, Unix seconds.
        key: Name of the key it was sent with.
        address: From where.
        door: To which path.
        size: Bytes of a whole body, as it was sent.
    """

    index: int | None = None
    reason: str
    error: str
    app: str = ""
    fields: dict[str, Any] = {}
    at: float = 0.0
    key: str = ""
    address: str = ""
    door: str = ""
    size: int | None = None


def reason_of(fault: EventError) -> Reason:
    """Return the class of an event's error."""
    match fault:
        case NotJson():
            return Reason.NOT_JSON
        case NotObject():
            return Reason.NOT_OBJECT
        case TooLong():
            return Reason.TOO_LARGE
    if fault.field == "model" and fault.value == "missing":
        return Reason.NO_MODEL
    if fault.field == "time" and "ahead" in fault.remedy:
        return Reason.TOO_FAR_AHEAD
    if fault.field == "max_attempts" and fault.remedy.startswith("at least attempt,"):
        return Reason.CONTRADICTION
    return Reason.BAD_VALUE


def reject_of(index: int, fault: EventError, fields: Mapping[str, Any]) -> Reject:
    """Return what is kept of an event."""
    app = fields.get("app")
    return Reject(
        index=index,
        reason=reason_of(fault).value,
        error=f"{_field(fault)}: {_harmless(fault)}: {fault.remedy}"[:_MOST_ERROR],
        app=shown(app) if isinstance(app, str) else "",
        fields={name: _kept(value) for name, value in fields.items()},
    )


def reject_of_body(fault: BadBody, *, size: int | None) -> Reject:
    """Return what is kept of a body of which nothing could be read; its text says where and why, and quotes nothing."""
    return Reject(reason=fault.reason.value, error=shown(str(fault), limit=_MOST_ERROR), size=size)


def _field(fault: EventError) -> str:
    """Return the field of an error without the name of an attribute, which is the sender's own."""
    return "attributes" if fault.field.startswith("attributes") else fault.field[:80]


def _harmless(fault: EventError) -> str:
    """Return the value of an error as it may be kept: what is no value of a known field may be a prompt."""
    name = fault.field.partition(".")[0].partition("[")[0]
    return str(_kept(fault.value)) if name in FIELDS else _size(fault.value)


_SECRET = re.compile(
    r"(?i)\b(bearer|basic|(?:access_|auth_)?token|api[_-]?key|x-api-key|password|secret)([\s:=\"']+)[^\s,;\"']{6,}"
)


def _kept(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value if not isinstance(value, int) or abs(value) < 2**53 else shown(value)
    if isinstance(value, str):
        return shown(_SECRET.sub(r"\1\2***", value[:1000]), limit=_MOST_FIELD)
    return _size(value)


def _size(value: object) -> str:
    match value:
        case str() | bytes():
            return f"({len(value)} characters)"
        case dict():
            return f"(an object of {len(value)})"
        case list():
            return f"(a list of {len(value)})"
    return f"({type(value).__name__})"


class Rejects:
    """Those that wait to be written, and how many there were."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: deque[Reject] = deque()

    def note(self, rejects: Iterable[Reject], *, key: str, app: str, address: str, door: str) -> int:
        """Keep what was refused; return how many are not, which are the oldest, where too many wait."""
        now = self._clock()
        for reject in rejects:
            reject.at, reject.key, reject.address, reject.door = now, key, address[:64], door[:100]
            reject.app = reject.app or app
            self._waiting.append(reject)
        unkept = 0
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            unkept += 1
        return unkept

    def take(self) -> list[Reject]:
        """Return those that wait; they wait no longer. Other threads may note meanwhile."""
        taken: list[Reject] = []
        while self._waiting and len(taken) < MOST_WAITING:
            taken.append(self._waiting.popleft())
        return taken

    def __bool__(self) -> bool:
        """Whether any wait."""
        return bool(self._waiting)
