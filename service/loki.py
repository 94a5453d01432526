"""The Loki push format: lines of log streams, of which those that are events are taken.

Both forms of it: JSON, and the protobuf compressed with snappy that Alloy, Promtail and Vector send unless told
otherwise.

Source:
    Grafana Loki 3, "Ingest logs" (HTTP API), `pkg/push/push.proto`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import cramjam
import msgspec
from claxon.event import shown
from google.protobuf.message import DecodeError

from .decoding import MAX_BODY, BodyTooLarge
from .otlp.records import event_of_record
from .otlp.span import BadOtlp, Origin, Record
from .otlp.wire import compiled

_MESSAGES = {
    "Timestamp": {1: "int64 seconds", 2: "int32 nanos"},
    "Label": {1: "string name", 2: "string value"},
    "Entry": {1: "Timestamp timestamp", 2: "string line", 3: "*Label metadata"},
    "Stream": {1: "string labels", 2: "*Entry entries"},
    "PushRequest": {1: "*Stream streams"},
}
_PushRequest: Any = compiled("claxon.loki", _MESSAGES)["PushRequest"]

_LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_SERVICE = ("app", "service_name", "service")
_ENVIRONMENT = ("environment", "env", "deployment_environment")


class _Stream(msgspec.Struct):
    stream: dict[str, str] = {}
    values: list[Annotated[list[str | dict[str, str]], msgspec.Meta(min_length=2, max_length=3)]] = []


class _Push(msgspec.Struct):
    streams: list[_Stream] = []


_DECODER = msgspec.json.Decoder(_Push)


def from_json(body: bytes) -> list[Record]:
    """Return the lines of a push in JSON.

    Raises:
        BadOtlp: It is none.
    """
    try:
        return list(_json_lines(_DECODER.decode(body)))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as fault:
        raise BadOtlp(f"body: not a Loki push in JSON: {shown(str(fault), limit=120)}") from fault


def from_protobuf(body: bytes) -> list[Record]:
    """Return the lines of a push in protobuf, compressed with snappy.

    Raises:
        BodyTooLarge: It says that it expands to more than may be.
        BadOtlp: It is none.
    """
    if _expanded_size(body) > MAX_BODY:
        raise BodyTooLarge(f"body: over {MAX_BODY} bytes decompressed: send smaller batches")
    try:
        plain = bytes(cramjam.snappy.decompress_raw(body))
        return list(_protobuf_lines(_PushRequest.FromString(plain)))
    except (cramjam.DecompressionError, DecodeError) as fault:
        raise BadOtlp("body: not a Loki push: send JSON, or protobuf compressed with snappy") from fault


def events(records: list[Record]) -> list[tuple[int, dict[str, Any]]]:
    """Return the fields of the lines that are events, each with its place."""
    return [(i, fields) for i, record in enumerate(records) if (fields := event_of_record(record)) is not None]


def _expanded_size(body: bytes) -> int:
    """Return the size that a snappy block says it expands to: a varint at its beginning."""
    size = 0
    for i, byte in enumerate(body[:5]):
        size |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return size
    raise BadOtlp("body: not snappy: compress it whole, as Loki's clients do")


def _json_lines(push: _Push) -> Iterator[Record]:
    for number, stream in enumerate(push.streams):
        origin = _origin(number, stream.stream)
        for time, line, *metadata in stream.values:
            if isinstance(time, dict) or isinstance(line, dict):
                raise BadOtlp("body: values: each is a list of the time, the line and perhaps a map")
            at = int(time) if time.isascii() and time.isdecimal() and len(time) < 20 else 0
            found = metadata[0] if metadata and isinstance(metadata[0], dict) else {}
            yield Record(origin=origin, attributes=dict(found), time=at, body=line)


def _protobuf_lines(push: Any) -> Iterator[Record]:
    for number, stream in enumerate(push.streams):
        origin = _origin(number, dict(_LABEL.findall(stream.labels)))
        for entry in stream.entries:
            at = entry.timestamp.seconds * 1_000_000_000 + entry.timestamp.nanos
            metadata = {label.name: label.value for label in entry.metadata}
            yield Record(origin=origin, attributes=metadata, time=max(at, 0), body=entry.line)


def _origin(number: int, labels: dict[str, str]) -> Origin:
    found = {
        "service": next((labels[name] for name in _SERVICE if labels.get(name)), ""),
        "environment": next((labels[name] for name in _ENVIRONMENT if labels.get(name)), ""),
    }
    return Origin(number, {name: value for name, value in found.items() if value}, "")
