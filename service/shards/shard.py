"""Shard: one partition: its engine, and one transaction for all that follows from a group of messages.

≠ how messages come, who is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from claxon.event import Event

from alerts.decisions import Step
from alerts.glimpse import glimpse

from ..cadence import Cadence
from ..clock import PAUSE_S, ClockWatch, Jump
from ..nodes.shard import Logged
from ..rule_texts import to_text
from ..storage import reports, shards
from ..storage.database import LazyTransaction
from ..storage.event_log import Entry, Resumed, Rewound, RulesChanged
from ..storage.partitions import Standing, Tenure
from ..storage.reports import Failed, Report
from ..storage.shards import Told
from .again import guarded, rebuild, tell
from .in_force import InForce
from .past import Past
from .sifting import Sifted, digest, sift

GLIMPSE_S = 5.0
"""How old what the pages show of a partition is, at most, if that costs little."""

SHARE = 0.05
"""At most this share of the time is spent on what the pages show."""

SPANS = digest("\0spans")
"""Noted anew while spans come."""

_SPANS_S = 3600.0
_PACK = msgspec.msgpack.Encoder()
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ShardTally:
    """What the shards of a node did; for metrics.

    Attributes:
        events: Evaluated.
        duplicates: Events that were known already, and left out.
        commits: Transactions with decisions or events.
        jumps: How often a clock was set, or nobody was heard for a while.
        rebuilt: Events that were evaluated again when partitions were taken over.
        diverged: Partitions that were decided otherwise then.
    """

    events: int = 0
    duplicates: int = 0
    commits: int = 0
    jumps: int = 0
    rebuilt: int = 0
    diverged: int = 0


class EngineShard:
    """Evaluates a partition by an engine of its own. Whatever it raises, another one is made from what is committed."""

    def __init__(
        self,
        tenure: Tenure,
        past: Past,
        in_force: InForce,
        tally: ShardTally,
        *,
        steady: Callable[[], float],
        measure: Callable[[list[Event], float], None] = lambda _, __: None,
    ) -> None:
        """Rebuild the engine as it was when something was committed last.

        Args:
            tenure: Of the partition.
            past: Where what was told since the newest snapshot is read again.
            in_force: The rules.
            tally: What is counted.
            steady: Seconds that never jump.
            measure: Called with new events, once what they decided is committed, and when they were observed.

        Raises:
            StorageError: There is nothing to begin with.
            DatabaseError: It cannot be read; or no rules are in force yet.
        """
        self.rebuilt = rebuilt = rebuild(tenure.connection, tenure.partition, past)
        self.engine = rebuilt.engine
        self.tally = tally
        self._tenure = tenure
        self._in_force = in_force
        self._steady = steady
        self._measure = measure
        self._seq = rebuilt.seq
        self._rules = to_text(self.engine.rules.values())
        self._snapshot_seq = -1
        self._now = self.engine.now
        self._watch: ClockWatch | None = None
        self._cadence = Cadence(steady)
        self._shown_at = self._again_at = float("-inf")
        self._spans_at: float | None = None
        tally.rebuilt += rebuilt.events
        if rebuilt.lost or rebuilt.agrees is False:
            tally.diverged += 1
            remedy = "another version decided otherwise, or the log was changed or is pruned: see claxon verify"
            _log.error("ledger.diverged", partition=tenure.partition, lost=rebuilt.lost, error=remedy)

    # ── the ways in ───────────────────────────────────────────────────────────

    def take(self, messages: Sequence[Logged], now: float) -> None:
        """Evaluate messages that come next, and commit what they decide.

        Raises:
            PoisonError: One of them can never be evaluated.
            DatabaseError: Nothing is committed, or nobody knows.
        """
        now = self._be_at(now)
        with self._tenure.transaction():
            found = self._sift(messages, now)
            told = self._next(
                now, first=messages[0].offset, last=messages[-1].offset, n=len(found.events), skips=found.skips
            )
            step = tell(self.engine, told, found.events)
            self._write(step, told=told, failed=found.failed, newest=messages[-1])
        self._count(found)
        self._measure(found.events, now)
        self._keep_up()

    def tick(self, now: float) -> None:
        """Evaluate what time alone changes, and commit what that decides.

        Raises:
            DatabaseError: Nothing is committed, or nobody knows.
        """
        step = guarded(self.engine.tick, self._be_at(now))
        if step.transitions or step.decisions:
            with self._tenure.transaction():
                self._write(step)
            self.tally.commits += 1
        else:
            shards.pass_time(self._tenure, self.engine.now)
        self._keep_up()

    def end(self) -> None:
        """Have the next owner begin quickly.

        Raises:
            DatabaseError: It begins from an earlier snapshot.
        """
        self.snapshot()

    # ── upkeep ────────────────────────────────────────────────────────────────

    def _keep_up(self) -> None:
        if self._cadence.due:
            self.snapshot()
        if self._steady() >= self._again_at:
            self.show()

    def snapshot(self) -> None:
        """Store the engine's state, if it was told anything since the last time.

        Raises:
            DatabaseError: It is not stored.
        """
        if self._seq == self._snapshot_seq:
            return
        began_at = self._steady()
        tenure, engine = self._tenure, self.engine
        state, rules = _PACK.encode(engine.state), self._rules
        with tenure.transaction():
            shards.keep(tenure.connection, tenure.partition, self._seq, at=engine.now, rules=rules, state=state)
            shards.forget(tenure.connection, tenure.partition, before=self._now - shards.KNOWN_S)
        self._snapshot_seq = self._seq
        self._cadence.made(began_at=began_at)

    def show(self) -> None:
        """Have the pages show what is counted now.

        Raises:
            DatabaseError: They show what they did.
        """
        began_at, tenure = self._steady(), self._tenure
        if self.engine.now > self._shown_at:
            found = glimpse(self.engine)
            with LazyTransaction(tenure.connection):
                reports.show(tenure.connection, tenure.partition, found)
            self._shown_at = found.at
        ended_at = self._steady()
        self._again_at = ended_at + max(GLIMPSE_S, (ended_at - began_at) / SHARE)

    # ── one transaction ───────────────────────────────────────────────────────

    def _sift(self, messages: Sequence[Logged], now: float) -> Sifted:
        connection, partition = self._tenure.connection, self._tenure.partition
        if self._spans_at is None:
            # They may have come any time in the last day; it matters that they did.
            self._spans_at = now if shards.known(connection, partition, [SPANS]) else float("-inf")
        if now - self._spans_at > _SPANS_S and any(message.envelope.spans for message in messages):
            shards.note_anew(connection, partition, SPANS, now)
            self._spans_at = now
        return sift(
            messages,
            now=now,
            overlap=now - self._spans_at <= shards.KNOWN_S,
            new=lambda names: shards.claim(connection, partition, names, now),
            known_of=lambda names: shards.known(connection, partition, names),
        )

    def _next(
        self,
        at: float,
        *,
        first: int | None = None,
        last: int | None = None,
        n: int = 0,
        skips: dict[int, list[int] | None] | None = None,
        entry: str = "",
    ) -> Told:
        return Told(seq=self._seq + 1, at=at, first=first, last=last, n=n, skips=skips or {}, entry=entry)

    def _write(
        self, step: Step, *, told: Told | None = None, failed: Sequence[Failed] = (), newest: Logged | None = None
    ) -> None:
        """Write what was decided, inside a transaction; the engine is ahead of the database until its end."""
        tenure, engine, before = self._tenure, self.engine, self._tenure.standing
        if told is not None:
            shards.tell(tenure.connection, tenure.partition, told)
            self._seq = told.seq
        report = Report(decisions=step.decisions, failed=list(failed))
        reports.add(tenure.connection, tenure.partition, transitions=step.transitions, report=report)
        tenure.move_to(
            Standing(
                next_offset=newest.offset + 1 if newest is not None else before.next_offset,
                logged_at=max(before.logged_at, newest.logged_at if newest is not None else 0.0),
                at=engine.now,
                hash=engine.ledger_hash,
                decided=engine.decided,
            )
        )

    def _count(self, found: Sifted) -> None:
        self._cadence.count(len(found.events))
        self.tally.events += len(found.events)
        self.tally.duplicates += found.duplicates
        self.tally.commits += 1

    # ── what is no event ──────────────────────────────────────────────────────

    def _be_at(self, now: float) -> float:
        """Return the present; what happened to the clock, or to the rules, the engine is told first."""
        self._now = now
        fresh = self._watch is None
        watch = self._watch = self._watch or ClockWatch(lambda: self._now, self._steady)
        look = watch.look(self.engine.now)
        # Nobody was heard between the owner before and this one.
        waited = fresh and look.now - self.engine.now > PAUSE_S
        if (look.jump is not Jump.NONE or waited) and self._seq:
            back = look.jump is Jump.BACK
            self._enter(Rewound(since=self.engine.now) if back else Resumed(), look.now)
            self.tally.jumps += 1
            said = "back" if back else "ahead"
            _log.warning("clock.jumped", partition=self._tenure.partition, direction=said)
        watch.settle(look)
        self._use_rules(max(look.now, self.engine.now))
        return max(look.now, self.engine.now)

    def _use_rules(self, now: float) -> None:
        text = self._in_force.text(self._tenure.connection)
        if not self._seq or text != self._rules:
            self._enter(RulesChanged(rules=text, first=not self._seq), now)
            self._rules = text

    def _enter(self, entry: Entry, now: float) -> None:
        with self._tenure.transaction():
            told = self._next(now, entry=msgspec.json.encode(entry).decode())
            self._write(tell(self.engine, told, []), told=told)
        self.tally.commits += 1
