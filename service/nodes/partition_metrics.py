"""What a node counts that evaluates partitions.

≠ what the elected one counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from ..metrics.exposition import Family, of_sample
from ..metrics.partitions import PARTITIONS, PartitionSample
from ..metrics.sample import Sample
from ..shards.shard import ShardTally
from .partition_owner import PartitionOwner


@dataclass(frozen=True, slots=True, kw_only=True)
class _NodeSample:
    partitions: PartitionSample


def take(owner: PartitionOwner | None, shards: ShardTally) -> PartitionSample:
    """Return the numbers as they are now; any thread may. Before the log is joined nothing is owned."""
    if owner is None:
        return PartitionSample()
    views, tally = owner.views, owner.tally
    return PartitionSample(
        owned=sum(view.generation > 0 for view in views),
        stalled=sum(bool(view.stalled) for view in views),
        waiting=sum(view.waiting for view in views),
        lag_s=max((view.lag_s for view in views), default=0.0),
        claimed=tally.claimed,
        fenced=tally.fenced,
        messages=tally.messages,
        events=shards.events,
        duplicates=shards.duplicates,
        poisoned=tally.poisoned,
        lost=tally.lost,
        faults=tally.faults,
        diverged=shards.diverged,
    )


def families(sample: PartitionSample) -> Iterator[Family]:
    """Return the metrics of partitions, with their rows."""
    # They read nothing else of a sample.
    return of_sample(cast("Sample", _NodeSample(partitions=sample)), PARTITIONS.metrics)
