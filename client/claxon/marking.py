"""marking: what is said to the app about an answer, or an error, beside what the API says.

They are kept where the SDK carries them along by itself: in the `extensions` of
the HTTP answer, which a stream, a raw response and a status error all refer to;
on the object itself where there is no HTTP answer or it was parsed.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from . import guard

KEY = "claxon"
ATTRIBUTE = "_claxon_marks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What happened on the way to an answer or an error.

    Attributes:
        model: The model that was asked last; None if no pattern noted it.
        fallback_from: The models that failed before it, in order.
        attempts: Requests that went out, as far as a retry policy counted them.
        stale: Whether the answer is an older one, from the cache.
        age_s: How old it is, in seconds.
        stopped_by: Why no further retry was made.
        waited_s: How long a throttle held the call back.
    """

    model: str | None = None
    fallback_from: tuple[str, ...] = ()
    attempts: int = 1
    stale: bool = False
    age_s: float | None = None
    stopped_by: str | None = None
    waited_s: float = 0.0


NO_MARKS = Marks()


def mark(thing: Any, **fields: Any) -> None:
    """Add to the marks of what `call_next` returned or raised; never raises."""
    try:
        _put(thing, replace(marks(thing), **fields))
    except Exception as error:  # noqa: BLE001 - the app gets its answer without marks
        guard.fault("marks", error)


def marks(answer: object) -> Marks:
    """Return what is said about an answer or an error: a message, a stream, a raw response, an exception.

    `Marks()` for what no pattern of ours has touched.
    """
    own = getattr(answer, "__dict__", {}).get(ATTRIBUTE)
    if isinstance(own, Marks):
        return own
    extensions = _extensions(answer)
    found = extensions.get(KEY) if extensions is not None else None
    return found if isinstance(found, Marks) else NO_MARKS


def _put(thing: Any, value: Marks) -> None:
    extensions = _extensions(thing)
    if extensions is not None:
        extensions[KEY] = value
    parsed = getattr(thing, "_parsed_by_type", None)  # private: what `parse()` made of a response, so far
    for answer in parsed.values() if isinstance(parsed, dict) else ():
        _attach(answer, value)
    if extensions is None:
        _attach(thing, value)


def _attach(thing: Any, value: Marks) -> None:
    with contextlib.suppress(AttributeError, TypeError):  # a str, a slotted object: it cannot be marked
        object.__setattr__(thing, ATTRIBUTE, value)


def _extensions(thing: Any) -> dict[str, Any] | None:
    """Return the extensions of the HTTP answer behind a response, stream, manager or status error."""
    for name in ("http_response", "response", "_raw_stream"):
        inner = getattr(thing, name, None)
        if inner is not None and inner is not thing:
            found = _extensions(inner)
            if found is not None:
                return found
    extensions = getattr(thing, "extensions", None)
    return extensions if isinstance(extensions, dict) and hasattr(thing, "status_code") else None


def parse_and_mark(result: Any) -> None:
    """Give the marks of an unstreamed answer to the message that the app will get."""
    if getattr(result, "is_closed", False) and hasattr(result, "parse"):
        _attach(result.parse(), marks(result))


async def parse_and_mark_async(result: Any) -> None:
    """As `parse_and_mark`, for the async client."""
    if getattr(result, "is_closed", False) and hasattr(result, "parse"):
        _attach(await result.parse(), marks(result))
