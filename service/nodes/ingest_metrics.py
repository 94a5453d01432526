"""What a node counts that takes events and is not elected.

≠ what the elected one counts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from ..intake import Intake
from ..keys.in_force import Keys
from ..metrics.catalog import AT_A_DOOR
from ..metrics.exposition import Family, of_sample
from ..metrics.inbox import INBOX, InboxSample
from ..metrics.sample import Labels, Sample
from .inbox_writer import WriterTally
from .rounds import RoundsTally


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSample:
    """Of a `Sample`, what a node without an engine has."""

    intake: Intake
    denied: dict[str, int]
    limited: dict[Labels, int]
    inbox: InboxSample


def take(
    intake: Intake, keys: Keys, written: WriterTally, rounds: RoundsTally, *, keys_age_s: float, now: float
) -> NodeSample:
    """Return the numbers as they are now; for the event loop."""
    return NodeSample(
        intake=copy.deepcopy(intake),
        denied={why.value: n for why, n in keys.denied.items()},
        limited={(name, limit.value): n for (name, limit), n in keys.limited.items()},
        inbox=InboxSample(
            batches=rounds.backlog.rows,
            bytes=rounds.backlog.bytes,
            age_s=rounds.backlog.age_s(now),
            faults=written.faults + rounds.faults,
            written=written.batches,
            written_events=written.events,
            unwritten=written.failures,
            keys_age_s=keys_age_s,
        ),
    )


def families(sample: NodeSample) -> Iterator[Family]:
    """Return the metrics at a door, and those of the inbox, with their rows."""
    # They read nothing else of a sample.
    return of_sample(cast("Sample", sample), (*AT_A_DOOR, *INBOX.metrics))
