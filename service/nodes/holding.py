"""Holding: one partition that this node was given, from its claim until it is let go.

≠ how partitions are given, what evaluation is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from ..storage import partitions
from ..storage.connecting import Connection
from ..storage.errors import DatabaseError, FencedError, LostError, UnfitError, WaitedError
from ..storage.partitions import Standing, Tenure
from ..storage.topics import Delivered, Group
from .messages import Unfit, fit
from .shard import Logged, MakeShard, PoisonError, Shard

AGAIN_S = 0.2
"""After so long what failed is tried again, twice as long each time."""

AGAIN_MOST_S = 10.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class PartitionTally:
    """What an owner of partitions has done since its start; for metrics.

    Attributes:
        claimed: Partitions, each time.
        fenced: Partitions that another node had claimed meanwhile.
        messages: Evaluated.
        events: In them.
        poisoned: Messages that were passed over.
        lost: Messages that were gone before they were evaluated, at most.
        losses: How often some were.
        faults: Times that a shard failed, and was made anew.
    """

    claimed: int = 0
    fenced: int = 0
    messages: int = 0
    events: int = 0
    poisoned: int = 0
    lost: int = 0
    losses: int = 0
    faults: int = 0


@dataclass(slots=True, kw_only=True)
class Means:
    """What all holdings of a node share.

    Attributes:
        node: Its name.
        group: Whom messages come from.
        make_shard: What evaluates.
        tally: What is counted.
        clock: Unix seconds.
        steady: Seconds that never jump.
    """

    node: str
    group: Group
    make_shard: MakeShard
    clock: Callable[[], float]
    steady: Callable[[], float]
    tally: PartitionTally = field(default_factory=PartitionTally)


class Holding:
    """One thread uses it. Whatever is raised from here is of the connection, and ends all holdings' tenures."""

    def __init__(self, partition: int, means: Means) -> None:
        """Be given a partition; `proceed` claims it."""
        self.partition = partition
        self.tenure: Tenure | None = None
        self.at_end = False
        # Why it does not go on; "" while it does.
        self.stalled = ""
        self._means = means
        self._shard: Shard | None = None
        self._reads = False
        self._try_at = 0.0
        self._again_s = AGAIN_S
        # Up to there messages are taken one by one: one of them made the shard fail.
        self._alone_to = -1
        self._known_bad: dict[int, str] = {}
        self._gap = (-1, -1)

    @property
    def standing(self) -> Standing | None:
        """Up to where it is evaluated; None before it is claimed."""
        return self.tenure.standing if self.tenure is not None else None

    def proceed(self, connection: Connection) -> bool:
        """Claim it, make its shard and have it read; return False if that is done, or not due.

        Raises:
            LostError: The connection is gone.
        """
        if self._reads or self._means.steady() < self._try_at:
            return False
        try:
            if self._shard is None:
                self._begin(connection)
            assert self.tenure is not None
            self._read_from(self.tenure.standing.next_offset)
        except Exception as fault:  # noqa: BLE001 — its shard's, or the log's; told apart there
            self._fail(fault)
        return True

    def _read_from(self, offset: int) -> None:
        self._means.group.read_from(self.partition, offset)
        self._reads = True

    def _begin(self, connection: Connection) -> None:
        means = self._means
        self.tenure = tenure = partitions.claim(connection, self.partition, node=means.node, now=means.clock())
        self._shard = means.make_shard(tenure)
        means.tally.claimed += 1
        _log.info(
            "partition.claimed",
            partition=self.partition,
            generation=tenure.generation,
            next_offset=tenure.standing.next_offset,
        )

    def take(self, messages: Sequence[Delivered]) -> None:
        """Evaluate messages; those that came before the shard was made are left out, they will come again.

        Raises:
            LostError: The connection is gone.
        """
        if not self._reads or self.tenure is None:
            return
        self.at_end = False
        expected = self.tenure.standing.next_offset
        rest = [message for message in messages if message.offset >= expected]
        try:
            if rest and rest[0].offset > expected and self._gap != (expected, rest[0].offset):
                # There may be gaps in a log, and they are there again when it is read again.
                self._gap = (expected, rest[0].offset)
                self._read_from(expected)
                return
            while rest:
                good, unfit = fit(rest, self._known_bad)
                self._take_all(good)
                if unfit is not None:
                    self._pass_over(unfit)
                rest = rest[len(good) + 1 :]
        except Exception as fault:  # noqa: BLE001
            self._fail(fault)
        else:
            self._again_s, self.stalled = AGAIN_S, ""

    def _take_all(self, messages: Sequence[Logged]) -> None:
        while messages:
            many = 1 if messages[0].offset <= self._alone_to else len(messages)
            self._take_some(messages[:many])
            messages = messages[many:]

    def _take_some(self, messages: Sequence[Logged]) -> None:
        assert self._shard is not None
        assert self.tenure is not None
        last = messages[-1].offset
        try:
            self._shard.take(messages, self._means.clock())
        except PoisonError as fault:
            self._known_bad[fault.offset] = str(fault)
            raise
        except (DatabaseError, MemoryError) as fault:
            if isinstance(fault, UnfitError):
                self._suspect(messages, fault)
            raise
        except Exception as fault:
            self._suspect(messages, fault)
            raise
        if self.tenure.standing.next_offset <= last:
            raise RuntimeError(f"the shard stands at {self.tenure.standing.next_offset} after message {last}")
        self._means.tally.messages += len(messages)
        self._means.tally.events += sum(message.envelope.n for message in messages)

    def _suspect(self, messages: Sequence[Logged], fault: Exception) -> None:
        """Have messages tried one by one; one that failed alone for the second time is bad."""
        first, last = messages[0].offset, messages[-1].offset
        if first == last and last <= self._alone_to:
            self._known_bad[first] = f"{type(fault).__name__}: {fault}"
        else:
            self._alone_to = last

    def _pass_over(self, unfit: Unfit) -> None:
        assert self.tenure is not None
        offset = unfit.message.offset
        if unfit.newer:
            raise _NewerMessage(unfit.why)
        standing = _after(self.tenure.standing, next_offset=offset + 1, logged_at=unfit.message.logged_at)
        with self.tenure.transaction(standing):
            partitions.note_poison(self.tenure, offset, why=unfit.why, at=self._means.clock())
        self._known_bad.pop(offset, None)
        self._means.tally.poisoned += 1
        _log.error("message.poisoned", partition=self.partition, offset=offset, error=unfit.why)

    def went_out_of_range(self) -> None:
        """Go on where the log has something, and note what it has not.

        Raises:
            LostError: The connection is gone.
        """
        if self.tenure is None or not self._reads:
            return
        try:
            self._go_on(self.tenure)
        except Exception as fault:  # noqa: BLE001
            self._fail(fault)

    def _go_on(self, tenure: Tenure) -> None:
        group, expected = self._means.group, tenure.standing.next_offset
        low, high = group.ends(self.partition)
        if low <= expected <= high:
            self._read_from(expected)
            return
        if expected < low:
            found, lost = low, low - expected
            why = f"the log begins at {low}: it is kept too short for who evaluates: raise the topic's retention.ms"
        else:
            found, lost = group.first_after(self.partition, tenure.standing.logged_at), 0
            why = f"the log ends at {high}: it was made anew, or brokers lost what they had acknowledged"
        with tenure.transaction(_after(tenure.standing, next_offset=found, logged_at=0.0)):
            partitions.note_loss(tenure, found=found, lost=lost, why=why, at=self._means.clock())
        self._means.tally.losses += 1
        self._means.tally.lost += lost
        _log.critical("partition.lost_messages", partition=self.partition, expected=expected, found=found, error=why)
        # What it remembers is of before the gap: it begins from what is committed, as another owner would.
        self._forget()

    def tick(self) -> None:
        """Evaluate what time alone changes; not while messages wait that are of before that.

        Raises:
            LostError: The connection is gone.
        """
        if self._shard is None or not self._reads or not self.at_end:
            return
        try:
            self._shard.tick(self._means.clock())
        except Exception as fault:  # noqa: BLE001
            self._fail(fault)

    def let_go(self) -> None:
        """End its shard in good order, if that can be; the partition is another node's soon."""
        shard, self._shard = self._shard, None
        if shard is None:
            return
        try:
            shard.end()
        except Exception as fault:  # noqa: BLE001 — what is committed is committed
            _log.warning("partition.ended_badly", partition=self.partition, error=str(fault))
        _log.info("partition.let_go", partition=self.partition)

    def drop(self) -> None:
        """Forget all but what was found bad: the tenure is another node's, or nobody knows."""
        self._shard = self.tenure = None
        self._reads = self.at_end = False

    # ── faults ────────────────────────────────────────────────────────────────

    def _fail(self, fault: Exception) -> None:
        """Begin anew from what is committed, after a while.

        Raises:
            LostError: The connection is gone.
        """
        if isinstance(fault, FencedError):
            self._means.tally.fenced += 1
            _log.warning("partition.fenced", partition=self.partition, error=str(fault))
        elif isinstance(fault, LostError):
            raise fault
        elif isinstance(fault, WaitedError):
            self._again_s = AGAIN_S  # for the end of what the owner before has open: its server ends it soon
        elif isinstance(fault, _NewerMessage):
            self._say_stalled(str(fault))
        elif not isinstance(fault, PoisonError):
            self._means.tally.faults += 1
            self._say_stalled(str(fault), trace=not isinstance(fault, DatabaseError))
        self._forget()

    def _forget(self) -> None:
        self.drop()
        self._means.group.rest(self.partition)
        self._try_at = self._means.steady() + self._again_s
        self._again_s = min(AGAIN_MOST_S, 2 * self._again_s)

    def _say_stalled(self, why: str, *, trace: bool = False) -> None:
        self.stalled = why
        _log.error("partition.failed", partition=self.partition, error=why, exc_info=trace)


class _NewerMessage(Exception):
    """A message of a newer Claxon."""


def _after(standing: Standing, *, next_offset: int, logged_at: float) -> Standing:
    newest = max(standing.logged_at, logged_at)
    return msgspec.structs.replace(standing, next_offset=next_offset, logged_at=newest)
