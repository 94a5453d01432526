"""What a node counts that delivers and is not elected.

≠ what the elected one counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from ..delivery import Deliverer
from ..metrics.catalog import BY_WHO_SENDS
from ..metrics.exposition import Family, of_sample
from ..metrics.leases import LEASES, LeaseSample
from ..metrics.sample import Labels, Sample, by_receiver, notifications


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSample:
    """Of a `Sample`, what a node has that only delivers."""

    notifications: dict[Labels, int]
    handed_over: dict[Labels, int]
    lost: dict[Labels, int]
    leases: LeaseSample


def families(deliverer: Deliverer, leases: LeaseSample) -> Iterator[Family]:
    """Return the metrics of who sends, with their rows."""
    sample = DeliverSample(
        notifications=notifications(deliverer),
        handed_over=by_receiver(deliverer, deliverer.deliveries.handed_over),
        lost=by_receiver(deliverer, deliverer.deliveries.lost),
        leases=leases,
    )
    # They read nothing else of a sample.
    return of_sample(cast("Sample", sample), (*BY_WHO_SENDS, *LEASES.metrics))
