"""The catalog: every claxon_* metric, named, described and read once.

docs/reference/metrics.md is written from here.

≠ formats, where a sample comes from.
"""

from __future__ import annotations

from .calls import CALLS
from .door import INGEST, KEYS
from .election import ELECTION
from .engine_room import CORE
from .inbox import INBOX
from .leases import LEASES
from .measured import MEASURED
from .partitions import PARTITIONS
from .standing import ALERTS, BUDGETS
from .telling import DELIVERY, PEOPLE, WATCH

CHAPTERS = (CALLS, MEASURED, ALERTS, BUDGETS, INGEST, CORE, DELIVERY, PEOPLE, KEYS, WATCH)
METRICS = tuple(metric for chapter in CHAPTERS for metric in chapter.metrics)

AT_A_DOOR = tuple(
    metric
    for metric in (*INGEST.metrics, *KEYS.metrics)
    if metric.name
    not in {
        "claxon_ingest_batches_total",
        "claxon_ingest_events_total",
        "claxon_ingest_duplicates_total",
        "claxon_client_dropped_events_total",
    }
)
"""Those that a door counts, whoever evaluates what comes in."""

BY_WHO_SENDS = tuple(metric for metric in DELIVERY.metrics if metric.name != "claxon_outbox_pending")
"""Those that a node counts that delivers, whoever decides what is sent."""

BY_WHO_EVALUATES = tuple(
    metric
    for metric in MEASURED.metrics
    if metric.name not in {"claxon_cost_dollars_total", "claxon_unpriced_attempts_total", "claxon_parked_calls"}
)
"""Those that a node measures of the events of its partitions; the others follow from what the rules count."""

OF_EVERY_NODE = (
    *ELECTION.metrics,
    *(metric for metric in CORE.metrics if metric.name == "claxon_build_info"),
)
"""Those that a node has whatever its roles are."""

OF_NODES = (*ELECTION.metrics, *INBOX.metrics, *LEASES.metrics, *PARTITIONS.metrics)
"""Those that there are beside the others where several nodes share a database."""
