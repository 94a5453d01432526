"""Writes the tables of docs/reference/events.md from the code: python -m docs.events_reference

tests/test_events_reference.py holds the page to it.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from claxon.event import Event, StreamEnd, category_of
from claxon.taxonomy import CODES, KINDS, Category, classify
from msgspec import inspect

from docs.marked import code, renew, table
from service.aliases import rows as alias_rows
from service.api.batches import JSON_TYPES, NDJSON_TYPES
from service.api.bodies import LARGE, MAX_HELD, MAX_SENT
from service.api.taking import MAX_IDEMPOTENCY, MAX_WAITING, MAX_WAITING_BYTES, MAX_WAITING_HELD
from service.decoding import CUT, MAX_ATTRIBUTE, MAX_ATTRIBUTE_NAME, MAX_EVENT
from service.event_fields import MEANINGS
from service.expanding import ENCODINGS, MAX_BODY, MAX_MEMBERS, MAX_WINDOW
from service.slow_senders import MAX_HEADERS, Limits
from service.splitting import MAX_EVENTS, MAX_OBJECTS, MAX_VALUES
from service.storage.retention import REMEMBER_S

PAGE = Path(__file__).parent / "reference/events.md"

_TYPES = {field.encode_name: field.type for field in inspect.type_info(Event).fields}

CATEGORIES = {
    Category.OK: "a success, a refusal too",
    Category.AUTHENTICATION: "the key is rejected; credentials that failed before a request was sent",
    Category.ACCOUNT: "billing; a spend limit behind a 429 or 400; organisation on hold; `cmek_*`",
    Category.PERMISSION: "the key may not do this",
    Category.RATE_LIMIT: "a rate limit",
    Category.SERVER: "`api_error`",
    Category.OVERLOADED: "`overloaded_error`, inside a stream too",
    Category.TIMEOUT: "timeouts, the client's own too",
    Category.CONNECTION: "the API cannot be reached",
    Category.STREAM: "cut off or truncated after a 200",
    Category.INVALID_REQUEST: "the API refuses what was asked for",
    Category.TOO_LARGE: "the request is too large",
    Category.NOT_FOUND: "the model, or a resource, does not exist",
    Category.CONFLICT: "two requests collide on one resource",
    Category.BAD_RESPONSE: "a 2xx that is not the API's answer",
    Category.CANCELLED: "the app gave up, or closed the stream: **no error**, and no call either",
    Category.UNKNOWN: "anything else",
}
"""What each category is, beside the statuses that the code knows."""

STREAM_ENDS = {
    StreamEnd.COMPLETE: "the answer came to its end",
    StreamEnd.ERROR_EVENT: "the API told of an error inside the stream",
    StreamEnd.TRANSPORT_ERROR: "reading failed: a reset, a timeout, a proxy",
    StreamEnd.TRUNCATED: "the connection ended cleanly, without the end of the answer",
    StreamEnd.CLOSED: "the app stopped reading, or closed the stream",
    StreamEnd.DROPPED: "the app let go of the stream, and the garbage collector took it",
}


def parts() -> dict[str, str]:
    """Return the parts of the page that come from code."""
    return {
        "request": _request(),
        "fields": _fields(),
        "categories": _categories(),
        "codes": _codes(),
        "stream-ends": _stream_ends(),
        "aliases": "\n".join(alias_rows()),
        "limits": _limits(),
    }


# ── fields ────────────────────────────────────────────────────────────────────


def _fields() -> str:
    rows = [(f"`{name}`", takes(name), MEANINGS[name].what, MEANINGS[name].absent) for name in MEANINGS]
    return table(("field", "takes", "what it says", "when absent"), rows)


def takes(name: str) -> str:
    """Return which values a field takes, in words."""
    if (most := CUT.get(name)) is not None:
        return f"a string; cut at {most} characters"
    found = _TYPES[name]
    kinds = found.types if isinstance(found, inspect.UnionType) else (found,)
    said = [_said(kind) for kind in kinds if not isinstance(kind, inspect.NoneType)]
    if any(isinstance(kind, inspect.DateTimeType) for kind in kinds):
        said[1:] = ["Unix seconds"]
    return ", or ".join(said)


def _members(kind: inspect.StructType) -> str:
    """Return the members of an object by their beginning: `tokens_` with `limit`, `remaining` and `reset`."""
    names = [field.encode_name.rpartition("_")[::2] for field in kind.fields]
    return code(f"{first}_{{{','.join(last for _, last in group)}}}" for first, group in groupby(names, lambda name: name[0]))


def _said(kind: inspect.Type) -> str:
    match kind:
        case inspect.StrType(min_length=least, max_length=most):
            return f"a string of {least} to {most} characters" if least else f"a string of at most {most} characters"
        case inspect.IntType(ge=least, le=most):
            return f"an integer from {least}" + (f" to {most:,}" if most is not None and most < 2**53 else "")
        case inspect.FloatType(ge=least):
            return f"a number from {least:g}"
        case inspect.BoolType():
            return "true or false"
        case inspect.DateTimeType():
            return "an RFC 3339 string with a time zone"
        case inspect.StructType():
            return "an object of " + _members(kind)
        case inspect.EnumType(cls=members):
            return "one of " + code(member.value for member in members)
        case inspect.DictType(max_length=most):
            return f"a flat object of at most {most} strings; names are cut at {MAX_ATTRIBUTE_NAME} characters, values at {MAX_ATTRIBUTE}"
    raise TypeError(f"{kind}: say here what it takes")


# ── what they mean ────────────────────────────────────────────────────────────


def _categories() -> str:
    rows = []
    for category, kind in KINDS.items():
        blame = "" if category is Category.OK else kind.blame.value
        retryable = "" if category is Category.OK else "yes" if kind.retryable else "no"
        rows.append((f"`{category}`", CATEGORIES[category], _statuses(category), retryable, blame))
    return table(("category", "what", "status", "retryable", "look first at"), rows)


def _statuses(category: Category) -> str:
    """Return the HTTP statuses that alone mean a category, as ranges."""
    found = [status for status in range(200, 600) if classify(None, None, status) is category]
    ranges: list[list[int]] = []
    for status in found:
        if ranges and status == ranges[-1][1] + 1:
            ranges[-1][1] = status
        else:
            ranges.append([status, status])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)


def _codes() -> str:
    groups: dict[Category, list[str]] = {}
    for name, category in CODES.items():
        groups.setdefault(category, []).append(name)
    return table(("`error_code`", "category"), [(code(names), f"`{category}`") for category, names in groups.items()])


def _stream_ends() -> str:
    rows = []
    for end, what in STREAM_ENDS.items():
        category = category_of(Event(model="m", status=200, stream_end=end))
        rows.append((f"`{end}`", what, f"`{category}`" + (", or what `error_type` says" if end is StreamEnd.ERROR_EVENT else "")))
    return table(("`stream_end`", "what happened", "category"), rows)


# ── how much ──────────────────────────────────────────────────────────────────


def _limits() -> str:
    patience = Limits()
    rows = [
        ("a body as sent", size(MAX_SENT), "413"),
        ("a body decompressed", size(MAX_BODY), "413"),
        ("events of a body", f"{MAX_EVENTS:,}", "413"),
        ("JSON objects, and values, of a body", f"{MAX_OBJECTS:,}, and about {MAX_VALUES:,}", "413"),
        ("gzip members of a body; the window of zstd", f"{MAX_MEMBERS:,}; {size(MAX_WINDOW)}", "400"),
        ("`Content-Type`; `Content-Encoding`", "[those above](#the-request)", "415"),
        ("an event that has other than known and right fields", size(MAX_EVENT), "the event is refused"),
        ("bytes of bodies that are held at the same time", size(MAX_HELD), "503 with `Retry-After: 1`, decided by `Content-Length`"),
        (
            "batches that wait; bytes of them as sent, and as text",
            f"{MAX_WAITING}; {size(MAX_WAITING_HELD)}, and {size(MAX_WAITING_BYTES)}",
            "503 with `Retry-After: 1`, before anything is read",
        ),
        ("headers of a request", size(MAX_HEADERS), "431"),
        ("from the first byte of a request to the end of its headers", f"{patience.headers_s:g} s", "408"),
        ("a body", f"{patience.body_s:g} s, and the time that it takes at {size(patience.body_rate)}/s", "408"),
        (
            "a connection that sends nothing: a new one; one that was answered",
            f"{patience.headers_s:g} s; {patience.idle_s:g} s",
            "closed",
        ),
        ("a peer that reads nothing of its answer", f"{patience.reader_s:g} s", "cut off"),
        (
            "open connections",
            f"{patience.connections:,}, fewer where the process may not open as many files",
            f"one that has idled for {patience.spare_s:g} s is closed, else the newest gets 503",
        ),
    ]
    return table(("limit", "is", "beyond it"), rows) + (
        f"\nBodies over {size(LARGE)} (decompressed) are decoded one at a time, beside everything else.\n"
    )


def size(count: float) -> str:
    """Return bytes in the largest binary unit that leaves a whole number."""
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit:g} {name}"
    return f"{count:g} bytes"


def _request() -> str:
    rows = [
        ("`Content-Type`", f"{code(kind for kind in JSON_TYPES if kind and kind not in NDJSON_TYPES)}, or none; lines: {code(NDJSON_TYPES)}"),
        ("`Content-Encoding`", code(ENCODINGS) + ", or none"),
        (
            "`Idempotency-Key`",
            f"a text, of which {MAX_IDEMPOTENCY} characters count: a re-post of a whole batch by the same key gets "
            f"the first answer again and counts once, for {REMEMBER_S / 3600:g} h",
        ),
        ("`Claxon-Client-Dropped`", "a number: how many events the sender gave up before this batch; they are counted"),
    ]
    return table(("header", "takes"), rows)


def main() -> None:
    """Write the page anew."""
    renew(PAGE, parts())


if __name__ == "__main__":
    main()
