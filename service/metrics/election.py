"""What the catalog says of the election: who writes, and how often that changed.

≠ what the elected node does, what the others have to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .metric import Chapter, Metric, Row
from .sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectionSample:
    """What one node knows of it.

    Attributes:
        elected: Whether it is this node.
        elections: Of this database since it was made, up to this node's; None where it is another one.
    """

    elected: bool
    elections: int | None = None


def _elected(sample: Sample) -> Iterable[Row]:
    return [] if sample.election is None else [((), int(sample.election.elected))]


def _elections(sample: Sample) -> Iterable[Row]:
    found = sample.election.elections if sample.election is not None else None
    return [] if found is None else [((), found)]


ELECTION = Chapter(
    title="Who is elected",
    about=(
        "Only where several nodes share a PostgreSQL. Every node answers with the first of these, with "
        "`claxon_build_info` and with what every process has, whatever its roles are; so each can be scraped, and is "
        "`up`."
    ),
    metrics=(
        Metric(
            name="claxon_elected",
            unit="1",
            help="1 on the node that was elected, which decides and answers people; 0 on the others.",
            read=_elected,
        ),
        Metric(
            name="claxon_elections_total",
            unit="elections",
            help="Elections of this database since it was made, as the elected node has it; the others have none. A "
            "command that writes while no node runs is one, too.",
            read=_elections,
        ),
    ),
)
