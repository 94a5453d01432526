"""The keys of the database: made, rotated and revoked, each with its row of the audit log in one transaction.

Runs in the core's thread of a service, or on a database that no service has open.

≠ HTTP, the command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from alerts.config import SCOPES, KeyConfig
from alerts.durations import exact_duration

from ..audit import Actor, What, entry
from ..storage import audit
from ..storage import keys as rows
from ..storage.connecting import Connection
from ..storage.database import Transaction
from .listing import Listed, listed
from .record import SOURCE, StoredKey, make_key, name_problem, short, way_out

MOST = 10_000
"""Keys in the database, dead ones too."""

LONGEST_S = 10 * 366 * 86_400.0
"""An overlap, or the life of a key."""

MOST_PER_SECOND = 1e9


class Fault(StrEnum):
    """Why something cannot be done to a key."""

    INVALID = "invalid"
    TAKEN = "taken"
    UNKNOWN = "unknown"
    ELSEWHERE = "elsewhere"


class KeyFault(Exception):
    """Something cannot be done to a key; the text is *where: value: remedy*.

    Attributes:
        kind: Why.
    """

    def __init__(self, kind: Fault, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is to be."""

    name: str
    scope: str = "ingest"
    app: str = ""
    only_app: bool = False
    events_per_second: float = 0.0
    requests_per_second: float = 0.0
    burst_s: float = 10.0
    expires_in_s: float | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new key, shown once.

    Attributes:
        secret: The key itself.
        stored: What is kept of it.
        replaced: Those of its name that go on for a while.
    """

    secret: str
    stored: StoredKey
    replaced: list[StoredKey] = []


class Book:
    """The keys of one database."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Callable[[], float],
        fixed: Callable[[], Iterable[KeyConfig]] = tuple,
        on_change: Callable[[list[StoredKey]], None] = lambda _: None,
    ) -> None:
        """Take over a database.

        Args:
            connection: To it.
            clock: Unix seconds.
            fixed: The keys that are kept elsewhere: in the configuration, in the environment.
            on_change: Told all keys after each change, before whoever asked for it.
        """
        self._connection = connection
        self._clock = clock
        self._fixed = fixed
        self._on_change = on_change

    def all(self) -> list[StoredKey]:
        """Return all keys of the database, dead ones too, the oldest first."""
        return [
            StoredKey(
                row=row,
                key=key,
                created_at=made,
                created_by=by,
                expires_at=ends,
                overlap_until=overlap,
                revoked_at=revoked,
            )
            for row, key, made, by, ends, overlap, revoked in rows.load(self._connection)
        ]

    def listed(self, uses: Mapping[str, float] | None = None) -> list[Listed]:
        """Return every key for people; `uses` are those that the database does not know yet."""
        known = rows.uses(self._connection) | dict(uses or {})
        return listed(self.all(), self._fixed(), uses=known, now=self._clock())

    def create(self, asked: Asked, *, actor: Actor) -> Made:
        """Make a key.

        Raises:
            KeyFault: Its name is taken, or something of it cannot be.
            DatabaseError: It cannot be written; nothing has changed.
        """
        _check(asked)
        now = self._clock()
        self._check_name(asked.name, now)
        self._check_the_first(asked)
        secret, digest = make_key(asked.scope)
        settings = msgspec.structs.asdict(asked)
        del settings["expires_in_s"]
        key = KeyConfig(**settings, sha256=digest, source=SOURCE)
        expires_at = now + asked.expires_in_s if asked.expires_in_s is not None else None
        with Transaction(self._connection):
            rows.add(self._connection, key, at=now, by=actor.who, expires_at=expires_at)
            after = said(key) | ({"expires_at": expires_at} if expires_at is not None else {})
            audit.add(self._connection, [entry(actor, What.KEY_CREATED, key.name, at=now, after=after)])
        return Made(secret=secret, stored=self._changed(digest))

    def rotate(self, name: str, *, overlap_s: float, actor: Actor) -> Made:
        """Make a new key in place of one; that one goes on for a while.

        Raises:
            KeyFault: There is none of this name, or it is kept elsewhere.
            DatabaseError: It cannot be written; nothing has changed.
        """
        if not 0 <= overlap_s <= LONGEST_S:
            raise KeyFault(Fault.INVALID, f"overlap: {overlap_s:g} s: from 0s to 10y")
        now = self._clock()
        old = self._alive(name, now)
        self._check_room()
        secret, digest = make_key(old[-1].key.scope)
        key = dataclasses.replace(old[-1].key, sha256=digest)
        ends_at = now + overlap_s
        with Transaction(self._connection):
            for one in old:
                rows.let_go(self._connection, one.row, until=ends_at)
            # What is made for a time ends at its time, rotated or not.
            rows.add(self._connection, key, at=now, by=actor.who, expires_at=old[-1].expires_at)
            before: dict[str, Any] = {"ids": [short(one.key.sha256) for one in old], "ends_at": ends_at}
            entered = entry(actor, What.KEY_ROTATED, name, at=now, before=before, after=said(key))
            audit.add(self._connection, [entered])
        stored = self._changed(digest)
        gone_on = {one.key.sha256 for one in old}
        return Made(secret=secret, stored=stored, replaced=[o for o in self.all() if o.key.sha256 in gone_on])

    def revoke(self, name: str, *, actor: Actor, which: str = "") -> list[StoredKey]:
        """Refuse a key from the next request on: all of its name, or the one whose id begins so; return which.

        Raises:
            KeyFault: There is none, or it is kept elsewhere.
            DatabaseError: It cannot be written; nothing has changed.
        """
        now = self._clock()
        meant = [one for one in self._alive(name, now) if one.key.sha256.startswith(which)]
        if not meant:
            raise KeyFault(
                Fault.UNKNOWN, f"id: {which[:64]}: no key {name!r} has this id: `claxon keys list` shows them"
            )
        with Transaction(self._connection):
            for one in meant:
                rows.revoke(self._connection, one.row, at=now)
            entered = [entry(actor, What.KEY_REVOKED, name, at=now, before=said(one.key)) for one in meant]
            audit.add(self._connection, entered)
        self._on_change(self.all())
        return meant

    def warning(self) -> str:
        """Return what somebody should know of the keys that are left; "" if nothing."""
        now = self._clock()
        left = [*self._fixed(), *(one.key for one in self.all() if one.alive(now))]
        if not left:
            return (
                "keys: none is left, and nobody is let in: "
                "stop Claxon, `claxon keys create NAME --scope admin --data DIR`, start it"
            )
        if not any(key.scope == "admin" for key in left):
            return "keys: none of scope admin is left: set CLAXON_ADMIN_KEY and start Claxon again to make one"
        return ""

    def _changed(self, digest: str) -> StoredKey:
        stored = self.all()
        self._on_change(stored)
        return next(one for one in stored if one.key.sha256 == digest)

    def _alive(self, name: str, now: float) -> list[StoredKey]:
        if problem := name_problem(name):
            elsewhere = [key for key in self._fixed() if key.name == name]
            if not elsewhere:
                raise KeyFault(Fault.INVALID, problem)
        found = [one for one in self.all() if one.key.name == name and one.alive(now)]
        if found:
            return found
        for key in self._fixed():
            if key.name == name:
                raise KeyFault(Fault.ELSEWHERE, f"key: {name}: of the {key.source}: {way_out(key)}")
        raise KeyFault(Fault.UNKNOWN, f"key: {name}: no such key: `claxon keys list` shows those there are")

    def _check_name(self, name: str, now: float) -> None:
        for key in self._fixed():
            if key.name == name:
                raise KeyFault(Fault.TAKEN, f"name: {name}: of a key of the {key.source}: choose another")
        if any(one.key.name == name and one.alive(now) for one in self.all()):
            said = f"name: {name}: taken: choose another, or `claxon keys rotate {name}`"
            raise KeyFault(Fault.TAKEN, said)
        self._check_room()

    def _check_room(self) -> None:
        if len(self.all()) >= MOST:
            raise KeyFault(Fault.TAKEN, f"keys: {MOST} are kept, dead ones too: revoke some, and wait a month")

    def _check_the_first(self, asked: Asked) -> None:
        """Whoever makes the first key must be able to make a second one."""
        if asked.scope != "admin" and not self.all() and not list(self._fixed()):
            raise KeyFault(
                Fault.INVALID,
                f"scope: {asked.scope}: the first key shuts the door to all who have none, "
                "also to whoever would make the next: make one of scope admin first",
            )


def said(key: KeyConfig) -> dict[str, Any]:
    """Return what a key may, for the audit log."""
    found: dict[str, Any] = {"id": short(key.sha256), "scope": key.scope}
    if key.app:
        found |= {"app": key.app, "only_app": key.only_app}
    if key.events_per_second:
        found["events_per_second"] = key.events_per_second
    if key.requests_per_second:
        found["requests_per_second"] = key.requests_per_second
    return found


def _check(asked: Asked) -> None:
    problem = name_problem(asked.name)
    if not problem and asked.scope not in SCOPES:
        problem = f"scope: {asked.scope[:40]!r}: one of {', '.join(SCOPES)}"
    if not problem and len(asked.app) > 64:
        problem = f"app: {asked.app[:40]}…: at most 64 characters"
    if not problem and asked.only_app and not asked.app:
        problem = "only_app: true: for which app: name it by app"
    for name in ("events_per_second", "requests_per_second"):
        if not problem and not 0 <= (rate := getattr(asked, name)) <= MOST_PER_SECOND:
            problem = f"{name}: {rate:g}: 0 for no limit, and at most {MOST_PER_SECOND:g}"
    if not problem and not 0 < asked.burst_s <= 86_400:
        problem = f"burst: {exact_duration(asked.burst_s)}: over 0s and at most 1d"
    if not problem and asked.expires_in_s is not None and not 0 < asked.expires_in_s <= LONGEST_S:
        problem = f"expires_in: {exact_duration(asked.expires_in_s)}: over 0s and at most 10y"
    if problem:
        raise KeyFault(Fault.INVALID, problem)
