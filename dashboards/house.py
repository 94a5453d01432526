"""Claxon / Claxon itself: what comes in, how far behind it is, what goes out, what it keeps and where.

≠ the apps.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from .frame import framed
from .style import BYTES, NUMBER, ORANGE, PER_SECOND, RED, SECONDS, Panel, fixed, graph, number
from .thresholds import EVALUATION_LAG_S
from .ways import DELIVERY, LEDGER, NOW, RULES
from .words import RATE, ZERO

RANGE = "$__range"


def claxon_itself() -> Dashboard:
    """Return the dashboard."""
    return framed(
        "Claxon itself",
        "claxon-itself",
        "Whether Claxon takes events, evaluates its rules and reaches people, and what it keeps.",
        {
            "": _now(),
            "Events come in": _ingest(),
            "Rules are evaluated": _core(),
            "People are told": _delivery(),
            "Ledger, log and disk": _disk(),
        },
        of_apps=False,
    )


def _per_second(metric: str) -> str:
    return f"sum(rate({metric}[{RATE}]))"


def _grown(metric: str, *, by: str = "") -> str:
    labels = f" by ({by}) " if by else ""
    return f"sum{labels}(increase({metric}[{RATE}]))"


def _now() -> list[Panel]:
    return [
        number(
            "Blind",
            "1 while ClaxonBlind fires: events are not taken, evaluated or delivered. No data: Claxon is down, or "
            "Prometheus cannot reach it.",
            ("max(claxon_blind)", ""),
            steps=[(1, RED)],
            way=NOW,
        ),
        number(
            "Evaluation lag now",
            "How far the rules are behind the clock; half a second is usual.",
            ("max(claxon_evaluation_lag_seconds)", ""),
            unit=SECONDS,
            steps=[(2, ORANGE), (EVALUATION_LAG_S, RED)],
            way=RULES,
        ),
        number(
            "Receivers that fail",
            "Integrations that do not take what they are sent.",
            ("sum(claxon_integration_failing)", ""),
            steps=[(1, RED)],
            way=DELIVERY,
        ),
        number(
            "Pages untold or lost",
            "untold: they fire and nobody was told. lost: nobody took them, in the time that is shown.",
            ("max(claxon_untold_pages)", "untold"),
            (f"sum(increase(claxon_pages_lost_total[{RANGE}])) or {ZERO}", "lost"),
            steps=[(1, RED)],
            way=DELIVERY,
        ),
        number(
            "Batches not committed",
            "In the time that is shown; their senders were told to send them again. A full disk looks so.",
            (f"sum(increase(claxon_commit_failures_total[{RANGE}]))", ""),
            steps=[(1, RED)],
        ),
        number(
            "Last heartbeat",
            "How long ago somebody outside took one.",
            ("time() - max(claxon_heartbeat_last_timestamp_seconds > 0)", ""),
            unit=SECONDS,
            steps=[(300, RED)],
            no_value="none is sent",
        ),
    ]


def _ingest() -> list[Panel]:
    return [
        graph(
            "Events by what became of them",
            "taken: in the log. refused: the sender was told why. duplicate: re-posted. dropped by clients: they could "
            "not send them; the rules never saw these.",
            (_per_second("claxon_ingest_events_total"), "taken"),
            (_per_second("claxon_ingest_rejected_events_total"), "refused"),
            (_per_second("claxon_ingest_duplicates_total"), "duplicate"),
            (_per_second("claxon_client_dropped_events_total"), "dropped by clients"),
            unit=PER_SECOND,
            width=8,
        ),
        graph(
            "Refused, by reason",
            "Events and whole bodies. The events themselves: GET /v1/rejects.",
            (f"sum by (reason) (rate(claxon_ingest_rejects_total[{RATE}]))", "{{reason}}"),
            unit=PER_SECOND,
            stacked=True,
            width=8,
        ),
        graph(
            "Requests turned away",
            "denied: no key, or a wrong one. limited: a key over its events or requests a second. busy: too many bytes "
            "of bodies at a time. unreadable: 400, 413 or 415.",
            (_grown("claxon_requests_denied_total", by="reason"), "denied: {{reason}}"),
            (f"{_grown('claxon_requests_limited_total')} or {ZERO}", "limited"),
            (_grown("claxon_ingest_over_budget_total"), "busy"),
            (_grown("claxon_ingest_refused_bodies_total"), "unreadable"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Connections",
            "Open ones, and those that were ended before their time.",
            ("sum(claxon_connections)", "open"),
            (_grown("claxon_connections_ended_total", by="reason"), "ended: {{reason}}"),
            unit=NUMBER,
        ),
        graph(
            "From OTLP and Loki's clients",
            "not ours: spans and lines that are no calls to Claude. twins: two spans of one request. fields: of no "
            "event, left out.",
            (_per_second("claxon_ingest_not_ours_total"), "not ours"),
            (_per_second("claxon_ingest_twins_total"), "twins"),
            (_per_second("claxon_ingest_dropped_fields_total"), "fields"),
            unit=PER_SECOND,
        ),
    ]


def _core() -> list[Panel]:
    return [
        graph(
            "Evaluation lag",
            "How far the rules are behind the clock.",
            ("max(claxon_evaluation_lag_seconds)", "lag"),
            unit=SECONDS,
            line_at=EVALUATION_LAG_S,
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
            "Keys",
            "What the engine remembers.",
            ("sum by (kind) (claxon_keys)", "{{kind}}"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Alerts by state",
            "All rules together; posted alerts are not in here.",
            ("sum by (state) (claxon_alerts)", "{{state}}"),
            unit=NUMBER,
            way=RULES,
        ),
        graph(
            "Troubles",
            "All of these are zero in a Claxon that is well; its log has the reasons.",
            (_grown("claxon_commit_failures_total"), "batches not committed"),
            (_grown("claxon_evaluation_faults_total"), "evaluations that raised"),
            (_grown("claxon_scheduler_troubles_total", by="timer, trouble"), "{{timer}} {{trouble}}"),
            (_grown("claxon_keys_overflowed_total"), "keys over the limit"),
            ("sum(1 - claxon_config_last_reload_successful)", "configuration not taken"),
            (_grown("claxon_clock_jumps_total", by="direction"), "clock jumped {{direction}}"),
            unit=NUMBER,
        ),
    ]


def _delivery() -> list[Panel]:
    return [
        graph(
            "Notifications by outcome",
            "Attempts to deliver. What failed and may succeed later is tried again until its deadline.",
            (_grown("claxon_notifications_total", by="receiver, outcome"), "{{receiver}} {{outcome}}"),
            unit=NUMBER,
            width=8,
            way=DELIVERY,
        ),
        graph(
            "Outbox",
            "Notifications that are decided and not delivered. If it stays up, a receiver is down or its key is wrong.",
            ("sum(claxon_outbox_pending)", "pending"),
            unit=NUMBER,
            width=8,
            way=DELIVERY,
        ),
        graph(
            "Pages that went wrong",
            "handed over: refused for good, the fallback receiver got them. lost: nobody took them. no way out: nobody "
            "could be told of it either.",
            (_grown("claxon_pages_handed_over_total", by="receiver"), "handed over by {{receiver}}"),
            (_grown("claxon_pages_lost_total", by="receiver"), "lost: {{receiver}}"),
            (_grown("claxon_no_way_out_total"), "no way out"),
            ("max(claxon_untold_pages)", "untold"),
            unit=NUMBER,
            width=8,
            way=DELIVERY,
        ),
        graph(
            "Heartbeats and ClaxonBlind",
            "withheld: something does not work. failed: nobody took it.",
            (_grown("claxon_heartbeat_pings_total", by="outcome"), "heartbeat {{outcome}}"),
            (_grown("claxon_blind_pages_total", by="outcome"), "ClaxonBlind {{outcome}}"),
            unit=NUMBER,
        ),
        graph(
            "What people have done",
            "Silences, acknowledgements, and what escalates if nobody acknowledges.",
            ("sum by (state) (claxon_silences)", "silences {{state}}"),
            ("sum(claxon_acknowledged_alerts)", "acknowledged"),
            ("sum(claxon_escalations_pending)", "escalations pending"),
            ("sum(claxon_notification_groups)", "groups"),
            unit=NUMBER,
        ),
    ]


def _disk() -> list[Panel]:
    # process_* are every process's names; the join leaves only Claxon's.
    memory = "process_resident_memory_bytes * on (job, instance) group_left () claxon_build_info"
    cpu = f"rate(process_cpu_seconds_total[{RATE}]) * on (job, instance) group_left () claxon_build_info"
    return [
        graph(
            "Decisions in the ledger",
            "Per second, told or not. mismatches: a restart that decided otherwise, which is a bug or a log that was "
            "changed.",
            (_per_second("claxon_decisions_total"), "decisions"),
            ("sum(claxon_ledger_mismatches_total)", "mismatches"),
            unit=PER_SECOND,
            width=8,
            way=LEDGER,
        ).override_by_name("mismatches", [fixed(RED)]),
        graph(
            "Disk",
            "The database, what of its file is free, the newest snapshot in it, and the write-ahead log.",
            ("max(claxon_database_bytes)", "database"),
            ("max(claxon_database_free_bytes)", "free"),
            ("max(claxon_snapshot_bytes)", "snapshot"),
            ("max(claxon_wal_bytes)", "write-ahead log"),
            unit=BYTES,
            width=8,
        ),
        graph(
            "How far back the log goes",
            "Retention deletes what is older.",
            ("time() - min(claxon_log_oldest_timestamp_seconds)", "oldest event"),
            unit=SECONDS,
            width=8,
        ),
        graph(
            "Damage",
            "All zero in a database that is well: rows and tables that the daily look found damaged, rows that the "
            "start left out, corrupt databases that lie in the data folder.",
            ("max(claxon_scrub_damaged)", "damaged"),
            ("max(claxon_unreadable_log_rows)", "unreadable rows"),
            ("max(claxon_databases_set_aside)", "set aside"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Memory and processor",
            "Of the process. Processor: seconds a second.",
            (f"max({memory})", "resident"),
            (f"max({cpu})", "processor"),
            unit=BYTES,
            width=8,
        ).override_by_name("processor", [DynamicConfigValue(id_val="unit", value=SECONDS)]),
        graph(
            "How long it takes",
            "A snapshot, during which events wait; the restart of this process; a scrape of /metrics.",
            ("max(claxon_snapshot_seconds)", "snapshot"),
            ("max(claxon_restart_seconds)", "restart"),
            ("max(claxon_scrape_duration_seconds)", "scrape"),
            unit=SECONDS,
            width=8,
        ),
    ]
