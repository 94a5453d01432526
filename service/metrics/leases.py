"""What the catalog says of nodes that deliver: what each has to send of the outbox that they share.

≠ how deliveries ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .metric import Chapter, Metric, Row
from .sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSample:
    """What one node knows of it; None is what it has nothing to do with.

    Attributes:
        nodes: That deliver, as this one sees it.
        held: Messages that are this node's to send, and on their way or about to be.
        lost: Those that another node took before this one said what came of them.
        away: Whether this node cannot reach the database, and so sends nothing.
    """

    nodes: int
    held: int | None = None
    lost: int | None = None
    away: bool | None = None


def _read(number: Callable[[LeaseSample], float | None]) -> Callable[[Sample], Iterable[Row]]:
    def rows(sample: Sample) -> list[Row]:
        found = number(sample.leases) if sample.leases is not None else None
        return [] if found is None else [((), found)]

    return rows


LEASES = Chapter(
    title="Nodes that deliver",
    about=(
        "Only where several nodes share a PostgreSQL. A node that delivers and is not elected answers with these, and "
        "with what it sent itself, as [Notifications](#notifications) says: sum over the nodes."
    ),
    metrics=(
        Metric(
            name="claxon_delivering_nodes",
            unit="nodes",
            help="Nodes that deliver, as this one sees it; with none nothing is sent.",
            read=_read(lambda leases: leases.nodes),
        ),
        Metric(
            name="claxon_leases_held",
            unit="messages",
            help="Messages that this node has to send now; no other one sends them meanwhile.",
            read=_read(lambda leases: leases.held),
        ),
        Metric(
            name="claxon_leases_lost_total",
            unit="messages",
            help="Messages that another node sent, too, for this one stood still or was cut off.",
            read=_read(lambda leases: leases.lost),
        ),
        Metric(
            name="claxon_delivery_away",
            unit="1",
            help="1 while this node cannot reach the database, and so sends nothing.",
            read=_read(lambda leases: None if leases.away is None else int(leases.away)),
        ),
    ),
)
