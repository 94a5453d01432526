"""Silences: what people do not want to be told of for a while, with who said so, and why.

Alertmanager's semantics: a silence is pending, active or expired by its times; one that has
changed in what it matches is another one, and the old one expires.

≠ inhibition, time intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from .errors import MatcherError, SilenceError
from .labels import Labels
from .matchers import Matcher, all_match, make_matcher

NOTICE_S = 3600.0
"""How long before the end of a silence its author is reminded of it."""


class SilenceState(StrEnum):
    """Where a silence is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class SilenceMatcher(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on a label."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class Silence(msgspec.Struct, kw_only=True):
    """One silence; the instants are Unix seconds.

    Attributes:
        id: A UUID.
        noticed: Whether its author was told that it is about to end.
        over: Whether the ledger says that it has ended.
    """

    id: str
    matchers: list[SilenceMatcher]
    starts_at: float
    ends_at: float
    updated_at: float
    created_by: str
    comment: str
    annotations: Labels = msgspec.field(default_factory=dict)
    noticed: bool = False
    over: bool = False

    def state(self, now: float) -> SilenceState:
        """Return where it is in its life."""
        if now < self.starts_at:
            return SilenceState.PENDING
        return SilenceState.ACTIVE if now < self.ends_at else SilenceState.EXPIRED


def compile_matchers(matchers: Iterable[SilenceMatcher]) -> tuple[Matcher, ...]:
    """Return the matchers of a silence, ready to match.

    Raises:
        MatcherError: A regular expression is none.
    """
    return tuple(make_matcher(m.name, _operator(m), m.value) for m in matchers)


def _operator(matcher: SilenceMatcher) -> str:
    if matcher.is_regex:
        return "=~" if matcher.is_equal else "!~"
    return "=" if matcher.is_equal else "!="


def check(silence: Silence, *, now: float, longest_s: float) -> None:
    """Refuse a silence that nobody can answer for.

    Args:
        silence: As it was asked for.
        now: Unix seconds.
        longest_s: How long a silence may last; 0 is for ever.

    Raises:
        SilenceError: *where: value: remedy*.
    """
    if not silence.matchers:
        raise SilenceError("matchers: none: name at least one label, or everything would be silent")
    for matcher in silence.matchers:
        if not matcher.name:
            raise SilenceError("matchers: a name is empty: write the label's name")
    try:
        compiled = compile_matchers(silence.matchers)
    except MatcherError as fault:
        raise SilenceError(f"matchers: {fault}") from fault
    if all(matcher.matches("") for matcher in compiled):
        raise SilenceError("matchers: all of them match an empty label, so they match everything: name a value")
    if silence.ends_at <= silence.starts_at:
        raise SilenceError("endsAt: not after startsAt: give a later end")
    if silence.ends_at <= now:
        raise SilenceError("endsAt: has passed: give a later end")
    if longest_s and silence.ends_at - max(silence.starts_at, now) > longest_s:
        most = f"{longest_s / 3600:g} h"
        raise SilenceError(
            f"endsAt: a silence lasts at most {most}: end it earlier and renew it, or set silences.max_duration"
        )
    if not silence.created_by.strip():
        raise SilenceError("createdBy: empty: say who wants it")
    if not silence.comment.strip():
        raise SilenceError("comment: empty: say why, for whoever wonders at night")


def changed(old: Silence, new: Silence, *, now: float) -> Silence | None:
    """Return what an update makes of a silence; None if it must be another one."""
    if old.state(now) is SilenceState.EXPIRED or set(old.matchers) != set(new.matchers):
        return None
    # Who reads a silence and posts it back has its beginning rounded; Alertmanager looks at whole seconds, too.
    if old.state(now) is SilenceState.ACTIVE and int(new.starts_at) != int(old.starts_at):
        return None
    starts_at = old.starts_at if old.state(now) is SilenceState.ACTIVE else max(new.starts_at, now)
    return msgspec.structs.replace(new, id=old.id, starts_at=starts_at, updated_at=now, noticed=False)


def expired(silence: Silence, *, now: float) -> Silence:
    """Return a silence as ended now; one that had not begun never was in force."""
    starts_at = min(silence.starts_at, now)
    return msgspec.structs.replace(silence, starts_at=starts_at, ends_at=min(silence.ends_at, now), updated_at=now)


class Silencing:
    """Which silences are in force, ready to match."""

    def __init__(self, silences: Mapping[str, Silence]) -> None:
        self._silences = silences
        self._compiled: dict[str, tuple[Matcher, ...]] = {}

    def forget(self, name: str) -> None:
        """Note that a silence is another one now."""
        self._compiled.pop(name, None)

    def by(self, labels: Labels, now: float) -> list[str]:
        """Return the ids of the silences that silence an alert, in order."""
        if not self._silences:
            return []
        return sorted(
            name
            for name, silence in self._silences.items()
            if silence.starts_at <= now < silence.ends_at and all_match(self._matchers(silence), labels)
        )

    def _matchers(self, silence: Silence) -> tuple[Matcher, ...]:
        if silence.id not in self._compiled:
            self._compiled[silence.id] = compile_matchers(silence.matchers)
        return self._compiled[silence.id]
