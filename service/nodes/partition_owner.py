"""Owns the partitions that the log gives this node: claims each in the database, and has a shard evaluate it.

One thread does all of it, so nothing is taken away in the middle of a transaction. From where a partition is read says
the database, where that is committed together with what was decided: whatever ends here, or is cut off, is neither
lost nor counted twice.

≠ what evaluation is, how messages travel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import structlog

from .. import clock as clocks
from ..storage.connecting import Connection
from ..storage.errors import DatabaseError, LostError, StorageError
from ..storage.topics import Delivered, Given, Group, Polled, Taken
from .holding import Holding, Means, PartitionTally
from .reaching import Reached, Reaching
from .shard import MakeShard

GROUP = 256
"""Messages that are asked for at once; those of a partition share a commit."""

TICK_S = 0.25
"""How often time is evaluated; pages wait until each partition has come past their instant."""

LEAVE_S = 3.0
"""A node that has heard nothing of its database for so long lets others have its partitions."""

_POLL_S = 0.05
_TELL_S = 5.0
_CONNECT_AGAIN_S = 0.5
_STOP_S = 20.0

_log = structlog.get_logger(__name__)


class OpenGroup(Protocol):
    """Joins those who read the log."""

    def __call__(self, *, given: Given, taken: Taken) -> Group:
        """Return the member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionView:
    """How a partition of this node is; for metrics and readiness.

    Attributes:
        partition: Which.
        generation: Of its tenure; 0 before it is claimed.
        next_offset: Of the first message that is not evaluated.
        waiting: Messages that are not, as far as is known.
        lag_s: How long ago the newest that is was logged, while others wait; else 0.
        stalled: Why it does not go on; "" while it does.
    """

    partition: int
    generation: int
    next_offset: int
    waiting: int
    lag_s: float
    stalled: str


class PartitionOwner:
    """Call `start`, and `stop` at the end; all else is its thread's.

    Attributes:
        tally: What it has done.
        views: How its partitions are, of a moment ago, in order.
        why: What keeps it from evaluating; "" while nothing does.
    """

    def __init__(
        self,
        open_group: OpenGroup,
        connect: Callable[[], Connection],
        make_shard: MakeShard,
        *,
        node: str,
        clock: Callable[[], float] = clocks.now,
        steady: Callable[[], float] = clocks.monotonic,
    ) -> None:
        """Take the parts over.

        Args:
            open_group: Joins those who read.
            connect: Opens the database, or raises StorageError; called in a thread of its own.
            make_shard: What evaluates a partition.
            node: Where this one is found.
            clock: Unix seconds.
            steady: Seconds that never jump.
        """
        self.views: tuple[PartitionView, ...] = ()
        self.why = "the database was not asked yet"
        self._connect = connect
        self._steady = steady
        self._clock = clock
        self._group = open_group(given=self._given, taken=self._taken)
        self._means = Means(node=node, group=self._group, make_shard=make_shard, clock=clock, steady=steady)
        self.tally: PartitionTally = self._means.tally
        self._holdings: dict[int, Holding] = {}
        self._reached: Reached | None = None
        self._reaching: Reaching | None = None
        self._connect_at = self._tick_at = self._tell_at = 0.0
        self._heard_at = steady()
        self._away = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claxon-partitions", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let all partitions go, and end the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_STOP_S)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    # ── the thread ────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._turn()
                except LostError as fault:
                    self._lose(fault)
                except Exception:  # noqa: BLE001 — the thread must go on
                    _log.exception("partitions.faulted")
                    self._lose(None)
                    self._stopping.wait(_CONNECT_AGAIN_S)
            self._group.close()
        finally:
            self._close()

    def _turn(self) -> None:
        """Do what is due, and wait a little for messages."""
        connection = self._connected()
        # One at a time: a shard may take long to make, and who does not ask for messages is taken for stuck.
        proceeds = connection is not None and any(holding.proceed(connection) for holding in self._holdings.values())
        self._sort(self._group.poll(GROUP, 0.0 if proceeds else _POLL_S))
        now = self._steady()
        if now >= self._tick_at:
            self._tick_at = now + TICK_S
            if self._reached is not None:
                # That it is gone shall not be found out by the first message that needs it.
                self._reached.connection.execute("SELECT 1").fetchone()
            for holding in list(self._holdings.values()):
                holding.tick()
            self.views = tuple(self._view(holding) for _, holding in sorted(self._holdings.items()))
        if now >= self._tell_at:
            self._tell_at = now + _TELL_S
            self._group.tell((view.partition, view.next_offset) for view in self.views if view.generation)
        if self._reached is not None:
            self._heard_at = self._steady()

    def _sort(self, polled: Polled) -> None:
        by_partition: dict[int, list[Delivered]] = {}
        for message in polled.messages:
            by_partition.setdefault(message.partition, []).append(message)
        for partition, messages in by_partition.items():
            if (holding := self._holdings.get(partition)) is not None:
                holding.take(messages)
        for partition in polled.at_end:
            if (holding := self._holdings.get(partition)) is not None:
                holding.at_end = True
        for partition in polled.out_of_range:
            if (holding := self._holdings.get(partition)) is not None:
                holding.went_out_of_range()

    # ── the database ──────────────────────────────────────────────────────────

    def _connected(self) -> Connection | None:
        """Return the database; None while there is none, and after a while leave."""
        if self._reached is not None:
            return self._reached.connection
        now = self._steady()
        if not self._away and now - self._heard_at > LEAVE_S:
            _log.warning("partitions.left", error=self.why)
            self._away = True
            self._group.leave()
        if self._reaching is None:
            if now < self._connect_at:
                return None
            self._reaching = Reaching(self._connect)
        try:
            self._reached = self._reaching.take()
        except (StorageError, DatabaseError) as fault:
            self._reaching = None
            self._connect_at = self._steady() + _CONNECT_AGAIN_S
            if str(fault) != self.why:
                _log.warning("partitions.no_database", error=str(fault))
            self.why = str(fault)
        except Exception:
            self._reaching = None
            raise
        if self._reached is None:
            return None
        self._reaching, self.why = None, ""
        if self._away:
            self._away = False
            self._group.join()
        return self._reached.connection

    def _lose(self, fault: LostError | None) -> None:
        """Forget all that was on the connection: what was being committed is, or is not."""
        if fault is not None:
            self.why = str(fault)
            _log.warning("partitions.database_lost", error=self.why)
        for holding in self._holdings.values():
            holding.drop()
        self._close()

    def _close(self) -> None:
        reached, self._reached = self._reached, None
        if reached is not None:
            reached.close()
        reaching, self._reaching = self._reaching, None
        if reaching is not None:
            reaching.give_up()

    # ── called back by the group, in this thread ──────────────────────────────

    def _given(self, given: Collection[int]) -> None:
        for partition in given:
            self._holdings[partition] = Holding(partition, self._means)

    def _taken(self, taken: Collection[int], others_may_have_them: bool) -> None:
        for partition in taken:
            holding = self._holdings.pop(partition, None)
            if others_may_have_them:
                _log.warning("partition.lost", partition=partition)
            if holding is not None and not others_may_have_them and self._reached is not None:
                holding.let_go()

    def _view(self, holding: Holding) -> PartitionView:
        standing, tenure = holding.standing, holding.tenure
        next_offset = standing.next_offset if standing is not None else 0
        end = self._group.next_known(holding.partition)
        waiting = max(0, end - next_offset) if end is not None and standing is not None and not holding.at_end else 0
        behind = waiting > 0 and standing is not None and standing.logged_at > 0
        return PartitionView(
            partition=holding.partition,
            generation=tenure.generation if tenure is not None else 0,
            next_offset=next_offset,
            waiting=waiting,
            lag_s=max(0.0, self._clock() - standing.logged_at) if behind and standing is not None else 0.0,
            stalled=holding.stalled,
        )
