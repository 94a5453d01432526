"""Senses: what the watch asks of the parts of a service, and what is wrong by their answers; in the watch's thread.

≠ for how long it has been wrong, what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from ..core import Core
from ..core_job import CoreJob
from ..delivery import Deliverer, Failing
from ..storage import pulse
from ..storage.errors import DatabaseError
from .troubles import PATIENCE, Limits, Part

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What the core's thread says of itself.

    Attributes:
        lag_s: How far the evaluated instant is behind the clock.
        fault: Why nothing could be written last; "" where it could.
        refused: How many batches could not be committed, since the start.
        refusing: Whether the last one could not.
        faults: How many evaluations raised, since the start.
        failing: The integrations that fail.
        undelivered: Why nobody sends what is decided; "" where somebody does.
    """

    lag_s: float
    fault: str
    refused: int
    refusing: bool
    faults: int
    failing: tuple[Failing, ...]
    undelivered: str = ""


class Question(Generic[T]):
    """Asks one thing of a part, again when it was answered; never twice at once, so that nothing piles up."""

    def __init__(self, ask: Callable[[], Future[T]]) -> None:
        self._ask = ask
        self._asked: Future[T] | None = None
        self._asked_at = inf
        self.answer: T | None = None

    def look(self, now: float) -> float:
        """Take the answer, if there is one, and ask again; return for how many seconds there has been none.

        Raises:
            Exception: What was raised where it was asked; it is asked again the next time.
        """
        asked = self._asked
        if asked is not None and not asked.done():
            return now - self._asked_at
        self._asked, self._asked_at = self._ask(), now
        if asked is not None:
            self.answer = asked.result()
        return 0.0


class Senses:
    """Looks at a core, an event loop and the deliverer."""

    def __init__(
        self,
        core: Core,
        deliverer: Deliverer,
        evaluate: CoreJob,
        loop: asyncio.AbstractEventLoop,
        *,
        ways: Callable[[], Collection[str]],
        undelivered: Callable[[], str] = lambda: "",
        clock: Callable[[], float],
        steady: Callable[[], float],
        limits: Limits = PATIENCE,
    ) -> None:
        """Take over what is looked at.

        Args:
            core: Logs, evaluates, commits.
            deliverer: Sends.
            evaluate: The job that has the core evaluate.
            loop: Where the service runs.
            ways: The integrations by which somebody can be paged.
            undelivered: Why nobody sends what is decided; "" where somebody does. In the core's thread.
            clock: Unix seconds.
            steady: Seconds that never jump.
            limits: How patient to be.
        """
        self._core = core
        self._limits = limits
        self._deliverer = deliverer
        self._evaluate = evaluate
        self._loop = loop
        self._ways = ways
        self._ask_for_senders = undelivered
        self._undelivered = ""
        self._clock = clock
        self._steady = steady
        self._pulse: Question[Pulse] = Question(lambda: core.submit(self._feel))
        self._beat: Question[None] = Question(self._ask_the_loop)
        self._write_at = -inf
        self._fault = ""
        self._failing: tuple[Failing, ...] = ()
        self._before: Pulse | None = None
        self._wrong: dict[Part, str] = {}
        self._refused_at = -inf

    @property
    def felt(self) -> bool:
        """Whether the core has answered at all."""
        return self._pulse.answer is not None

    @property
    def fault(self) -> str:
        """Why the last write that only tries the disk failed; "" if it did not."""
        return self._fault

    def look(self, now: float) -> dict[Part, str]:
        """Return what is wrong, a sentence for each part; `now` is of the clock that never jumps."""
        wrong = self._look_at_the_core(now)
        if said := self._look_at_the_loop(now):
            wrong[Part.LOOP] = said
        elif not self._deliverer.alive:
            wrong[Part.WORKERS] = "a worker has ended: what is sent to its integration waits"
        late_s = now - self._evaluate.succeeded_at
        if late_s > self._limits.late:
            wrong[Part.TIMER] = f"no evaluation ended well for {late_s:.0f} s ({self._evaluate.faults} faults so far)"
        return wrong

    # ── the core ──────────────────────────────────────────────────────────────

    def _feel(self) -> Pulse:
        """Write something, ask who fails; in the core's thread."""
        core = self._core
        if self._fault or self._steady() - self._write_at >= self._limits.write_every:
            self._write_at = self._steady()
            self._fault = self._fault_of_a_write()
            self._failing = tuple(self._deliverer.failing())
            self._undelivered = self._ask_for_senders()
        return Pulse(
            lag_s=core.lag_s,
            fault=self._fault,
            refused=core.tally.failures,
            refusing=core.tally.refusing,
            faults=core.tally.faults,
            failing=self._failing,
            undelivered=self._undelivered,
        )

    def _fault_of_a_write(self) -> str:
        try:
            pulse.write(self._core.connection, self._clock())
        except DatabaseError as fault:
            self._core.doubt(fault)
            return str(fault)
        return ""

    def _look_at_the_core(self, now: float) -> dict[Part, str]:
        if not self._core.alive:
            return {Part.THREAD: "has ended: no event is taken, nothing is decided"}
        try:
            silent_s = self._pulse.look(now)
        except Exception as fault:  # noqa: BLE001 — whatever it is, the core cannot do this any more
            return {Part.CORE: f"it cannot say how it does: {fault}"}
        if silent_s > self._limits.answer:
            return {Part.CORE: f"no answer for {silent_s:.0f} s, {self._core.waiting} wait for it"}
        felt, before = self._pulse.answer, self._before
        if felt is not None and felt is not before:
            self._before = felt
            self._wrong = self._wrong_by(felt, before or felt, now)
        return dict(self._wrong)

    def _wrong_by(self, felt: Pulse, before: Pulse, now: float) -> dict[Part, str]:
        wrong: dict[Part, str] = {}
        if felt.refused > before.refused:
            self._refused_at = now
        if felt.fault:
            wrong[Part.WRITES] = f"{felt.fault}: is the disk full?"
        elif felt.refusing and now - self._refused_at < self._limits.refused_for:
            wrong[Part.WRITES] = "events are refused, for they cannot be written: is the disk full?"
        if felt.lag_s > self._limits.late:
            wrong[Part.EVALUATION] = f"{felt.lag_s:.0f} s behind the clock"
        elif felt.faults > before.faults:
            wrong[Part.EVALUATION] = "it raises, which is a bug of Claxon: its log says more"
        if felt.undelivered:
            wrong[Part.WORKERS] = felt.undelivered
        if said := self._who_fails(felt.failing):
            wrong[Part.WAYS] = said
        return wrong

    def _who_fails(self, failing: Collection[Failing]) -> str:
        """Say that nobody can be told; "" where somebody can."""
        at = self._clock()
        long = {one.target for one in failing if at - one.since > self._limits.failing}
        ways = self._ways()
        return f"nobody can be paged: {', '.join(sorted(ways))} fail" if ways and long.issuperset(ways) else ""

    # ── the loop ──────────────────────────────────────────────────────────────

    def _ask_the_loop(self) -> Future[None]:
        beat: Future[None] = Future()
        self._loop.call_soon_threadsafe(beat.set_result, None)
        return beat

    def _look_at_the_loop(self, now: float) -> str:
        try:
            silent_s = self._beat.look(now)
        except RuntimeError:
            return "has ended"
        return (
            f"no answer for {silent_s:.0f} s: nothing is taken, sent or timed" if silent_s > self._limits.answer else ""
        )
