"""The panels about Claxon itself: what comes in, how far behind it is, what goes out.

≠ the apps.
"""

from __future__ import annotations

from .style import BYTES, NUMBER, PER_SECOND, SECONDS, Panel, graph
from .words import RATE


def claxon() -> list[Panel]:
    """Return them."""
    return [*_ingest(), *_delivery(), *_house()]


def _ingest() -> list[Panel]:
    return [
        graph(
            "Events by what became of them",
            "taken: in the log. refused: the sender was told why. duplicate: re-posted. dropped by clients: they could "
            "not send them; the rules never saw these.",
            (f"sum(rate(claxon_ingest_events_total[{RATE}]))", "taken"),
            (f"sum(rate(claxon_ingest_rejected_events_total[{RATE}]))", "refused"),
            (f"sum(rate(claxon_ingest_duplicates_total[{RATE}]))", "duplicate"),
            (f"sum(rate(claxon_client_dropped_events_total[{RATE}]))", "dropped by clients"),
            unit=PER_SECOND,
            width=8,
        ),
        graph(
            "Queue",
            "Batches that wait for the core. Over 512, senders are told to come back.",
            ("max(claxon_queue_length)", "waiting"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Evaluation lag",
            "How far the rules are behind the clock.",
            ("max(claxon_evaluation_lag_seconds)", "lag"),
            unit=SECONDS,
            line_at=5,
            width=8,
        ),
    ]


def _delivery() -> list[Panel]:
    return [
        graph(
            "Notifications by outcome",
            "Attempts to deliver. What failed and may succeed later is tried again until its deadline.",
            (
                f"sum by (receiver, outcome) (increase(claxon_notifications_total[{RATE}]))",
                "{{receiver}} {{outcome}}",
            ),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Outbox",
            "Notifications that are decided and not delivered. If it stays up, a receiver is down or its key is wrong.",
            ("sum(claxon_outbox_pending)", "pending"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Troubles",
            "All of these are zero in a Claxon that is well; its log has the reasons.",
            (f"sum(increase(claxon_commit_failures_total[{RATE}]))", "batches not committed"),
            (f"sum(increase(claxon_evaluation_faults_total[{RATE}]))", "evaluations that raised"),
            (f"sum by (timer, trouble) (increase(claxon_scheduler_troubles_total[{RATE}]))", "{{timer}} {{trouble}}"),
            (f"sum(increase(claxon_keys_overflowed_total[{RATE}]))", "keys over the limit"),
            unit=NUMBER,
            width=8,
        ),
    ]


def _house() -> list[Panel]:
    # process_* are every process's names; the join leaves only Claxon's.
    memory = "process_resident_memory_bytes * on (job, instance) group_left () claxon_build_info"
    return [
        graph("Keys", "What the engine remembers.", ("sum by (kind) (claxon_keys)", "{{kind}}"), unit=NUMBER),
        graph(
            "Memory and disk",
            "Memory of the process; the database, what of its file is free, and the newest snapshot in it.",
            (f"max({memory})", "resident"),
            ("max(claxon_database_bytes)", "database"),
            ("max(claxon_database_free_bytes)", "free"),
            ("max(claxon_snapshot_bytes)", "snapshot"),
            unit=BYTES,
        ),
    ]
