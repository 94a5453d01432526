"""The audit log: who changed what, when, and from where.

It is about what people and scripts do. What Claxon decides by itself is in the ledger.

≠ SQL, HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from .instants import rfc3339

_LONGEST = 500  # characters of one text
_SECRET = re.compile(r"(claxon_(?:ingest|read|admin)_|sk-ant-)[\w-]{8,}")


class What(StrEnum):
    """What was changed."""

    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    SILENCE_MADE = "silence.made"
    SILENCE_CHANGED = "silence.changed"
    SILENCE_EXPIRED = "silence.expired"
    ACKNOWLEDGED = "alert.acknowledged"
    UNACKNOWLEDGED = "alert.unacknowledged"
    RELOADED = "config.reloaded"
    DRILLED = "drill.begun"
    LOGGED_IN = "session.begun"


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who does something.

    Attributes:
        who: The name of the key, never the key; "" where none was needed.
        via: The way they came: api, page, link, webhook, signal, command line.
        address: From where, as far as it is known.
    """

    who: str
    via: str
    address: str = ""


HANGUP = Actor(who="", via="signal")
"""Whoever sent SIGHUP: they are on this machine, and may."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change.

    Attributes:
        at: Unix seconds.
        who: The name of the key, `user NAME` at the command line, `PagerDuty: NAME`; "" where no key was needed.
        via: api, page, link, webhook, signal or command line.
        address: Of the other end; "" where there is none.
        what: Such as key.revoked.
        subject: Which key, silence, alert, receiver.
        before, after: What it was and is, where that says more.
    """

    at: float
    who: str
    via: str
    address: str
    what: str
    subject: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for; None: any. `what` is one of `What`, or what it begins with: key, silence, alert."""

    who: str | None = None
    what: str | None = None
    subject: str | None = None
    since: float | None = None
    until: float | None = None


def entry(
    actor: Actor,
    what: What,
    subject: str,
    *,
    at: float,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> Entry:
    """Return a change as it is kept: long texts are cut, and what looks like a key is blotted out."""
    return Entry(
        at=at,
        who=_kept(actor.who),
        via=actor.via,
        address=actor.address,
        what=what.value,
        subject=_kept(subject),
        before=_kept(before),
        after=_kept(after),
    )


def as_text(entries: Iterable[Entry]) -> str:
    """Return a line an entry: when, who, from where, what, and below it what it was and is."""
    lines: list[str] = []
    for one in entries:
        who = one.who or "nobody in particular"
        place = f"{one.via} {one.address}".strip()
        lines.append(f"{rfc3339(one.at)}  {one.what:<18}  {one.subject}  by {who} ({place})")
        lines += [
            f"    {name:<6} {json.dumps(found, ensure_ascii=False)}"
            for name, found in (("before", one.before), ("after", one.after))
            if found
        ]
    return "\n".join(lines) or "Nothing was changed."


def _kept(found: Any) -> Any:
    if isinstance(found, str):
        text = _SECRET.sub(r"\1***", found)
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    if isinstance(found, dict):
        return {name: _kept(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [_kept(value) for value in found]
    return found
