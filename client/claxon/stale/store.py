"""store: what keeps answers, behind one small protocol."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it came.

    Attributes:
        at: When, in Unix seconds.
        kind: Its Content-Type.
        body: JSON, or the events of a stream.
    """

    at: float
    kind: str
    body: bytes


class Store(Protocol):
    """Keeps answers by key. Thread-safe; what it raises costs a call nothing but its older answer.

    Attributes:
        blocking: Whether it waits for a disk or a network: async clients then use it in a thread.
    """

    blocking: bool

    def get(self, key: str) -> Kept | None:
        """Return the answer of a key; None if there is none, or it is too old."""
        ...

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer, in place of an older one."""
        ...


def check(name: str, field: str, value: float, least: float) -> None:
    """Raise ValueError where a bound of a store makes no sense."""
    if not (isinstance(value, (int, float)) and value >= least):
        raise ValueError(f"{name}: {field}: {value!r}: give a number from {least}")


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode
