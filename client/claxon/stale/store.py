"""store: what keeps answers, behind one small protocol."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

import msgspec

LARGEST = 1024 * 1024
"""Bytes of an answer that is kept, at most."""

WEEK_S = 7 * 86_400.0


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An answer as it came.

    Attributes:
        at: When, in Unix seconds.
        kind: Its Content-Type.
        body: JSON, or the events of a stream.
        request_id: The API's.
    """

    at: float
    kind: str
    body: bytes
    request_id: str = ""


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

    def delete_expired(self) -> int:
        """Delete what is too old to be given; return how many answers that were."""
        ...


def check(name: str, field: str, value: float, least: float) -> None:
    """Raise ValueError where a bound of a store makes no sense."""
    if not (isinstance(value, (int, float)) and value >= least):
        raise ValueError(f"{name}: {field}: {value!r}: give a number from {least}")


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode


class Forkable(Protocol):
    """Has something that a forked child must not use, such as a lock that another thread of the parent holds."""

    def after_fork(self) -> None:
        """Begin anew, in the child."""
        ...


_forkable: WeakSet[Forkable] = WeakSet()


def renew_after_fork(store: Forkable) -> None:
    """Have `store.after_fork()` called in forked children, as long as it lives."""
    _forkable.add(store)


def _renew() -> None:
    for store in list(_forkable):
        store.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
