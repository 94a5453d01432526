"""Dispatch: what people and other systems ask of the notifier: silences, acknowledgements, posted alerts.

Every method runs in the core's thread, and what it did is on disk when it returns.

≠ HTTP.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from alerts import silences
from alerts.decisions import Decision
from alerts.decisions import What as Decided
from alerts.errors import SilenceError
from alerts.lifecycle import Alert
from alerts.received import Posted
from alerts.silences import Silence

from .audit import Actor, Entry, What, entry
from .core import Core
from .storage import state
from .storage.database import Transaction
from .storage.errors import DatabaseError

_OPERATORS = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
"""By (is_regex, is_equal)."""


class Dispatch:
    """Asked by the API, the page and Claxon's own watch."""

    def __init__(self, core: Core, *, clock: Callable[[], float], make_id: Callable[[], str]) -> None:
        self._core = core
        self._clock = clock
        self._make_id = make_id

    @property
    def now(self) -> float:
        """The present, and never before what was decided already."""
        return max(self._clock(), self._core.engine.now)

    # ── posted alerts ─────────────────────────────────────────────────────────

    def post(self, posted: Iterable[Posted]) -> list[str]:
        """Take posted alerts; return what was wrong with those that were not taken.

        Raises:
            DatabaseError: They cannot be written; they are in force all the same, until a restart.
        """
        core = self._core
        told, wrong = core.notifier.post(posted, self.now, core.known_rules, core.engine.find)
        core.decide(told, at_once=True)
        return wrong

    # ── silences ──────────────────────────────────────────────────────────────

    def silence(self, wanted: Silence, *, actor: Actor) -> Silence:
        """Make a silence, or change the one with its id; what cannot be changed is ended and another is made.

        Raises:
            SilenceError: It cannot be put in force: *where: value: remedy*.
            KeyError: There is none with its id.
            DatabaseError: It cannot be written, and is not in force.
        """
        now, notifier = self.now, self._core.notifier
        old = notifier.state.silences[wanted.id] if wanted.id else None
        silences.check(wanted, now=now, longest_s=notifier.policy.silence_max_s)
        if old is not None:
            changed = silences.changed(old, wanted, now=now)
            if changed is not None:
                self._put(changed, now, actor)
                return changed
            if old.state(now) is not silences.SilenceState.EXPIRED:
                self._put(silences.expired(old, now=now), now, actor)
        made = msgspec.structs.replace(
            wanted, id=self._make_id(), starts_at=max(wanted.starts_at, now), updated_at=now, noticed=False
        )
        self._put(made, now, actor)
        return made

    def expire(self, name: str, *, actor: Actor, by: str = "") -> Silence:
        """End a silence.

        Raises:
            KeyError: There is none with this id.
            SilenceError: It has ended already.
            DatabaseError: It cannot be written, and is still in force.
        """
        now = self.now
        old = self._core.notifier.state.silences[name]
        if old.state(now) is silences.SilenceState.EXPIRED:
            raise SilenceError(f"silence: {name}: has ended already: there is nothing to expire")
        ended = silences.expired(old, now=now)
        if by:
            self._core.note(Decision(at=now, what=Decided.SILENCE, subject=name, note=f"ended early by {by}"))
        self._put(ended, now, actor)
        return ended

    def extend(self, name: str, *, by_s: float, by: str, actor: Actor) -> Silence:
        """Let a silence last longer; whoever extends it answers for it from now on.

        Raises:
            KeyError: There is none with this id.
            SilenceError: It has ended already, or would last too long.
            DatabaseError: It cannot be written, and is as it was.
        """
        old = self._core.notifier.state.silences[name]
        if old.state(self.now) is silences.SilenceState.EXPIRED:
            raise SilenceError(f"silence: {name}: has ended already: make it again")
        longer = msgspec.structs.replace(old, ends_at=old.ends_at + by_s, created_by=by or old.created_by)
        return self.silence(longer, actor=actor)

    def _put(self, silence: Silence, now: float, actor: Actor) -> None:
        core = self._core
        before = core.notifier.state.silences.get(silence.id)
        entered = _silence_entry(before, silence, actor=actor, now=now)
        told = core.notifier.silence(silence, now, core.known_rules, core.engine.find)
        core.audit.append(entered)
        try:
            core.decide(told, at_once=True)
        except Exception:
            core.audit.remove(entered)
            # What is not on disk must not silence anybody, nor look as if it had.
            core.notifier.put_back(silence.id, before)
            note = "taken back: it could not be written"
            core.note(Decision(at=now, what=Decided.SILENCE, subject=silence.id, note=note))
            with contextlib.suppress(DatabaseError):
                core.decide(core.notifier.weigh(core.known_rules, core.engine.find, now))
            raise

    # ── acknowledgements ──────────────────────────────────────────────────────

    def acknowledge(self, fingerprint: str, *, by: str, actor: Actor, episode: int | None = None) -> Alert | None:
        """Note who looks after an alert; None if it does not fire, or not in the episode that is meant.

        Raises:
            DatabaseError: It cannot be written; it counts until a restart.
        """
        core, now = self._core, self.now
        page = core.notifier.page(fingerprint)
        if page is None or (episode is not None and page.episode != episode):
            return None
        alert = core.notifier.acknowledge(fingerprint, by=by, now=now)
        if alert is None:
            return None
        live = core.engine.find(fingerprint)
        core.note(Decision(at=now, what=Decided.ACKNOWLEDGED, subject=fingerprint, labels=alert.labels, note=by))
        after = {"by": by, "episode": alert.episode, "labels": alert.labels}
        core.audit.append(entry(actor, What.ACKNOWLEDGED, fingerprint, at=now, after=after))
        if live is not None and live.fingerprint == alert.fingerprint and live.episode == alert.episode:
            live.acked_by, live.acked_at = by, now
            with Transaction(core.connection):
                state.save_episode(core.connection, live)
        core.decide(([], []), at_once=True)
        return live if live is not None else alert

    def unacknowledge(self, fingerprint: str, *, actor: Actor, by: str = "") -> bool:
        """Note that nobody looks after an alert any more; those who were told are told again.

        Returns:
            Whether somebody did.

        Raises:
            DatabaseError: It cannot be written; it counts until a restart.
        """
        core, now = self._core, self.now
        ack = core.notifier.state.acks.get(fingerprint)
        if ack is None:
            return False
        live = core.engine.find(fingerprint)
        if live is not None:
            live.acked_by, live.acked_at = "", None
            with Transaction(core.connection):
                state.save_episode(core.connection, live)
        before = {"by": ack.by, "episode": ack.episode}
        core.audit.append(entry(actor, What.UNACKNOWLEDGED, fingerprint, at=now, before=before, after={"by": by}))
        told = core.notifier.unacknowledge(fingerprint, now, core.known_rules, core.engine.find, by=by)
        core.decide(told, at_once=True)
        return True


def _silence_entry(before: Silence | None, after: Silence, *, actor: Actor, now: float) -> Entry:
    what = What.SILENCE_CHANGED
    if before is None:
        what = What.SILENCE_MADE
    elif after.state(now) is silences.SilenceState.EXPIRED:
        what = What.SILENCE_EXPIRED
    return entry(
        actor,
        what,
        after.id,
        at=now,
        before=_silence_said(before) if before is not None else None,
        after=_silence_said(after),
    )


def _silence_said(silence: Silence) -> dict[str, Any]:
    return {
        "matchers": [f"{m.name}{_OPERATORS[m.is_regex, m.is_equal]}{m.value}" for m in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "by": silence.created_by,
        "comment": silence.comment,
    }
