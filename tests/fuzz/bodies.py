"""What a sender may send by mistake, or on purpose: strategies for bodies of events.

≠ what is made of them.
"""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import zstandard
from claxon.event import FIELDS
from hypothesis import strategies as st

from service.aliases import ALIASES

CANARY = "tell me a secret"
"""Stands for a prompt: in fields that no event has, and nowhere else."""

_numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False),
    st.sampled_from([0, -1, 1, 2**53, 2**63, 2**64, 1e308, -1e308, 5e-324, 1795000000, 1795000000000, 1e18]),
)
_texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "\0", "\u2028", "x" * 3000, "sk-ant-api03-secret", "2026-11-25T08:00:00Z", "0001-01-01T00:00:00Z"]
    ),
    st.sampled_from(
        ["9999-12-31T23:59:59.999999-23:59", "2016-12-31T23:59:60Z", "429", "1.5", "error", "RateLimitError"]
    ),
)
_plain = st.one_of(st.none(), st.booleans(), _numbers, _texts)
_values = st.recursive(
    _plain,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=6,
)
_names = st.one_of(
    st.sampled_from(sorted(FIELDS)),
    st.sampled_from(sorted({name for alias in ALIASES for name in alias.names})),
    st.sampled_from(["level", "usage", "service", "error", "http", "_at", "_category", "_provisional"]),
)
_GOOD: dict[str, st.SearchStrategy[Any]] = {
    "time": st.one_of(st.floats(0, 1795000000), st.just("2026-11-01T00:00:00+01:00")),
    "app": st.sampled_from(["a", "b"]),
    "path": st.sampled_from(["/v1/messages", "checkout"]),
    "attempt": st.integers(1, 5),
    "max_attempts": st.integers(1, 5),
    "error_type": st.sampled_from(["RateLimitError", "overloaded_error", "whatever", "cancelled"]),
    "status": st.integers(100, 599),
    "stream_end": st.sampled_from(["complete", "truncated", "closed"]),
    "retry_after_s": st.floats(0, 1e9),
    "call_id": st.sampled_from(["1", "2"]),
    "event_id": st.sampled_from(["1", "2", "3"]),
    "ratelimit": st.fixed_dictionaries(
        {}, optional={"tokens_limit": st.floats(0, 1e12), "tokens_remaining": _numbers, "tokens_reset": _values}
    ),
    "model_end_of_life": _texts,
    "attributes": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=4),
}
good_events = st.fixed_dictionaries({"model": st.sampled_from(["m", "n"])}, optional=_GOOD)
_instants = st.one_of(_numbers, st.datetimes().map(str), st.datetimes().map(lambda at: at.isoformat() + "Z"), _texts)
_odd_times = st.fixed_dictionaries({}, optional={"time": _instants, "timestamp": _instants})
odd_events = st.builds(
    lambda good, odd, times, unknown: (
        good | odd | times | ({"prompt": CANARY, "messages": [{"content": CANARY}]} if unknown else {})
    ),
    good_events,
    st.dictionaries(_names, _values, max_size=4),
    st.one_of(st.just({}), _odd_times),
    st.booleans(),
)
items = st.one_of(good_events, odd_events, _values)
lists = st.lists(items, max_size=6)


def _cut(text: bytes, place: int, with_what: bytes) -> bytes:
    at = place % (len(text) + 1)
    return text[:at] + with_what + text[at + 1 :]


_spoilt = st.builds(
    _cut,
    lists.map(lambda found: json.dumps(found).encode()),
    st.integers(0, 10_000),
    st.sampled_from(
        [b"", b"\0", b"\xff", b"{", b"]", b"NaN", b"1e999", b"\\ud800", b"\n", b"," * 50, b"[" * 3000, b"9" * 2000]
    ),
)
plain_bodies = st.one_of(
    lists.map(lambda found: json.dumps(found).encode()),
    lists.map(lambda found: b"\n".join(json.dumps(item).encode() for item in found)),
    lists.map(
        lambda found: b"".join(json.dumps(item, ensure_ascii=False).encode("utf-8", "replace") for item in found)
    ),
    lists.map(lambda found: json.dumps(found, ensure_ascii=False).encode("utf-16")),
    items.map(lambda item: json.dumps(item, indent=1).encode()),
    _spoilt,
    st.binary(max_size=200),
)

_PACKERS = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
packed_bodies = st.one_of(
    st.tuples(st.sampled_from(sorted(_PACKERS)), plain_bodies, st.integers(1, 3)).map(
        lambda made: (made[0], _PACKERS[made[0]](made[1]) * made[2])
    ),
    st.tuples(st.sampled_from(sorted(_PACKERS)), plain_bodies, st.integers(0, 10_000), st.binary(max_size=3)).map(
        lambda made: (made[0], _cut(_PACKERS[made[0]](made[1]), made[2], made[3]))
    ),
    st.tuples(st.sampled_from([*_PACKERS, "br", "gzip, gzip", "\u00e9"]), st.binary(max_size=300)),
)
