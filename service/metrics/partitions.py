"""What the catalog says of a log in partitions: what each node owns of it, and how far behind it is.

≠ how a partition is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .metric import Chapter, Metric, Row
from .sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionSample:
    """What one node knows of its partitions.

    Attributes:
        owned: How many it evaluates.
        stalled: How many of them do not go on.
        waiting: Messages of them that are not evaluated, as far as is known.
        lag_s: How long ago the oldest of the newest evaluated ones was logged, where others wait.
        claimed, fenced: How often it claimed a partition, and was succeeded by another node without having let go.
        messages, events, duplicates: Evaluated; events left out, as they were known.
        poisoned: Messages that were passed over.
        lost: Messages that were gone before they were evaluated, at most.
        faults: How often a shard failed, and was made anew.
        diverged: Partitions that decided otherwise when they were taken over.
    """

    owned: int = 0
    stalled: int = 0
    waiting: int = 0
    lag_s: float = 0.0
    claimed: int = 0
    fenced: int = 0
    messages: int = 0
    events: int = 0
    duplicates: int = 0
    poisoned: int = 0
    lost: int = 0
    faults: int = 0
    diverged: int = 0


def _read(number: Callable[[PartitionSample], float]) -> Callable[[Sample], Iterable[Row]]:
    def rows(sample: Sample) -> list[Row]:
        return [((), number(sample.partitions))] if sample.partitions is not None else []

    return rows


PARTITIONS = Chapter(
    title="A log in partitions",
    about=(
        "Only with `--log`, on nodes that evaluate, elected or not. Each node counts since its process started, and "
        "what it owns: sum over them."
    ),
    metrics=(
        Metric(
            name="claxon_partitions_owned",
            unit="partitions",
            help="Partitions that this node evaluates; over all nodes they are those of the topic.",
            read=_read(lambda found: found.owned),
        ),
        Metric(
            name="claxon_partitions_stalled",
            unit="partitions",
            help="Those that do not go on, such as for a message of a newer Claxon; the node's log says why.",
            read=_read(lambda found: found.stalled),
        ),
        Metric(
            name="claxon_partition_waiting_messages",
            unit="messages",
            help="Messages of this node's partitions that are not evaluated yet.",
            read=_read(lambda found: found.waiting),
        ),
        Metric(
            name="claxon_partition_lag_seconds",
            unit="seconds",
            help="How far the partition that is furthest behind is; pages are as late.",
            read=_read(lambda found: found.lag_s),
        ),
        Metric(
            name="claxon_partition_claims_total",
            unit="partitions",
            help="Partitions that this node began to own, each time.",
            read=_read(lambda found: found.claimed),
        ),
        Metric(
            name="claxon_partition_fences_total",
            unit="partitions",
            help="Partitions that another node claimed while this one thought that it owned them.",
            read=_read(lambda found: found.fenced),
        ),
        Metric(
            name="claxon_partition_messages_total",
            unit="messages",
            help="Messages that were evaluated.",
            read=_read(lambda found: found.messages),
        ),
        Metric(
            name="claxon_partition_events_total",
            unit="events",
            help="Events in them that were new.",
            read=_read(lambda found: found.events),
        ),
        Metric(
            name="claxon_partition_duplicates_total",
            unit="events",
            help="Events that were known already, and left out.",
            read=_read(lambda found: found.duplicates),
        ),
        Metric(
            name="claxon_partition_poison_messages_total",
            unit="messages",
            help="Messages that nobody can read or evaluate, and that were passed over; `partition_poison` has them.",
            read=_read(lambda found: found.poisoned),
        ),
        Metric(
            name="claxon_partition_lost_messages_total",
            unit="messages",
            help="Messages that were gone before they were evaluated, at most: the topic is kept too short.",
            read=_read(lambda found: found.lost),
        ),
        Metric(
            name="claxon_partition_faults_total",
            unit="faults",
            help="Times that an evaluation failed, and was made anew from what is committed.",
            read=_read(lambda found: found.faults),
        ),
        Metric(
            name="claxon_partition_divergences_total",
            unit="partitions",
            help="Partitions that decided otherwise than before when they were taken over: see `claxon verify --log`.",
            read=_read(lambda found: found.diverged),
        ),
    ),
)
