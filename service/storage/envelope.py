"""Envelope: part of a batch on its way from who took it to who evaluates it, as one message.

Written by any node and read by any other, perhaps of another version: fields are added at the end, and have a default.
What cannot be read by an older Claxon at all gets another version, and that one waits for its upgrade.

≠ how it travels, what an event is.
"""

from __future__ import annotations

from typing import Any

import msgspec

VERSION = 1
"""Of what is written here; the newest that can be read."""


class UnreadableError(ValueError):
    """No envelope, or a damaged one: nobody ever reads it. The text is *where: value: remedy*."""


class NewerError(ValueError):
    """An envelope of a newer Claxon: it can be read after an upgrade. The text is *where: value: remedy*."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Events of one app and environment, in the order in which they were sent.

    Attributes:
        version: Of this form.
        received_at: When they arrived, Unix seconds; for those without a time.
        app: Of each of them; the app of those that name none.
        environment: Of each of them.
        key: Makes a second one like it harmless; None where the sender gave none.
        n: How many there are.
        claims: What they are known by, as `known.to_text` writes it.
        spans: Whether they came by a door by which spans come.
        client_dropped: Events that the sender says it gave up before these.
        node: Who took them.
        body: A JSON array, compressed as the log keeps it.
    """

    version: int = VERSION
    received_at: float
    app: str
    environment: str
    key: str | None
    n: int
    claims: str
    spans: bool
    client_dropped: int
    node: str
    body: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Envelope)
_VERSION: msgspec.msgpack.Decoder[list[Any]] = msgspec.msgpack.Decoder(list[Any])


def write(envelope: Envelope) -> bytes:
    """Return it as a message."""
    return _ENCODER.encode(envelope)


def read(message: bytes | None) -> Envelope:
    """Return what a message holds; its body is not looked at.

    Raises:
        UnreadableError: It is none.
        NewerError: It is one of a newer Claxon.
    """
    try:
        found = _DECODER.decode(message or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        _refuse_newer(message or b"")
        raise UnreadableError(f"envelope: {fault}: only Claxon may write here") from fault
    if found.version != VERSION:
        _refuse_newer(message or b"")
        raise UnreadableError(f"envelope: version {found.version}: only Claxon may write here")
    return found


def _refuse_newer(message: bytes) -> None:
    try:
        fields = _VERSION.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    if fields and isinstance(fields[0], int) and VERSION < fields[0] < 1_000:
        raise NewerError(f"envelope: version {fields[0]}: this Claxon knows {VERSION}: upgrade who evaluates first")
