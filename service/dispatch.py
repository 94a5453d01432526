"""Dispatch: what people and other systems ask of the notifier: silences, acknowledgements, posted alerts.

Every method runs in the core's thread, and what it did is on disk when it returns.

≠ HTTP.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from alerts import silences
from alerts.decisions import Decision, What
from alerts.errors import SilenceError
from alerts.lifecycle import Alert
from alerts.received import Posted
from alerts.silences import Silence

from .core import Core
from .storage import state
from .storage.database import Transaction


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
            sqlite3.Error: They cannot be written; they are in force all the same, until a restart.
        """
        core = self._core
        told, wrong = core.notifier.post(posted, self.now, core.known_rules, core.engine.find)
        core.decide(told, at_once=True)
        return wrong

    # ── silences ──────────────────────────────────────────────────────────────

    def silence(self, wanted: Silence) -> Silence:
        """Make a silence, or change the one with its id; what cannot be changed is ended and another is made.

        Raises:
            SilenceError: It cannot be put in force: *where: value: remedy*.
            KeyError: There is none with its id.
            sqlite3.Error: It cannot be written, and is not in force.
        """
        now, notifier = self.now, self._core.notifier
        old = notifier.state.silences[wanted.id] if wanted.id else None
        silences.check(wanted, now=now, longest_s=notifier.policy.silence_max_s)
        if old is not None:
            changed = silences.changed(old, wanted, now=now)
            if changed is not None:
                self._put(changed, now)
                return changed
            if old.state(now) is not silences.SilenceState.EXPIRED:
                self._put(silences.expired(old, now=now), now)
        made = msgspec.structs.replace(
            wanted, id=self._make_id(), starts_at=max(wanted.starts_at, now), updated_at=now, noticed=False
        )
        self._put(made, now)
        return made

    def expire(self, name: str, *, by: str = "") -> Silence:
        """End a silence.

        Raises:
            KeyError: There is none with this id.
            SilenceError: It has ended already.
            sqlite3.Error: It cannot be written, and is still in force.
        """
        now = self.now
        old = self._core.notifier.state.silences[name]
        if old.state(now) is silences.SilenceState.EXPIRED:
            raise SilenceError(f"silence: {name}: has ended already: there is nothing to expire")
        ended = silences.expired(old, now=now)
        if by:
            self._core.note(Decision(at=now, what=What.SILENCE, subject=name, note=f"ended early by {by}"))
        self._put(ended, now)
        return ended

    def extend(self, name: str, *, by_s: float, by: str) -> Silence:
        """Let a silence last longer; whoever extends it answers for it from now on.

        Raises:
            KeyError: There is none with this id.
            SilenceError: It has ended already, or would last too long.
            sqlite3.Error: It cannot be written, and is as it was.
        """
        old = self._core.notifier.state.silences[name]
        if old.state(self.now) is silences.SilenceState.EXPIRED:
            raise SilenceError(f"silence: {name}: has ended already: make it again")
        return self.silence(msgspec.structs.replace(old, ends_at=old.ends_at + by_s, created_by=by or old.created_by))

    def _put(self, silence: Silence, now: float) -> None:
        core = self._core
        before = core.notifier.state.silences.get(silence.id)
        told = core.notifier.silence(silence, now, core.known_rules, core.engine.find)
        try:
            core.decide(told, at_once=True)
        except Exception:
            # What is not on disk must not silence anybody, nor look as if it had.
            core.notifier.put_back(silence.id, before)
            note = "taken back: it could not be written"
            core.note(Decision(at=now, what=What.SILENCE, subject=silence.id, note=note))
            with contextlib.suppress(sqlite3.Error):
                core.decide(core.notifier.weigh(core.known_rules, core.engine.find, now))
            raise

    # ── acknowledgements ──────────────────────────────────────────────────────

    def acknowledge(self, fingerprint: str, *, by: str, episode: int | None = None) -> Alert | None:
        """Note who looks after an alert; None if it does not fire, or not in the episode that is meant.

        Raises:
            sqlite3.Error: It cannot be written; it counts until a restart.
        """
        core, now = self._core, self.now
        page = core.notifier.page(fingerprint)
        if page is None or (episode is not None and page.episode != episode):
            return None
        alert = core.notifier.acknowledge(fingerprint, by=by, now=now)
        if alert is None:
            return None
        live = core.engine.find(fingerprint)
        core.note(Decision(at=now, what=What.ACKNOWLEDGED, subject=fingerprint, labels=alert.labels, note=by))
        if live is not None and live.fingerprint == alert.fingerprint and live.episode == alert.episode:
            live.acked_by, live.acked_at = by, now
            with Transaction(core.connection):
                state.save_episode(core.connection, live)
        core.decide(([], []), at_once=True)
        return live if live is not None else alert

    def unacknowledge(self, fingerprint: str, *, by: str = "") -> bool:
        """Note that nobody looks after an alert any more; those who were told are told again.

        Returns:
            Whether somebody did.

        Raises:
            sqlite3.Error: It cannot be written; it counts until a restart.
        """
        core, now = self._core, self.now
        if fingerprint not in core.notifier.state.acks:
            return False
        live = core.engine.find(fingerprint)
        if live is not None:
            live.acked_by, live.acked_at = "", None
            with Transaction(core.connection):
                state.save_episode(core.connection, live)
        told = core.notifier.unacknowledge(fingerprint, now, core.known_rules, core.engine.find, by=by)
        core.decide(told, at_once=True)
        return True
