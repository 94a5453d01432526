"""Prometheus rules about Claxon itself: that it is there, takes events, evaluates them and reaches people.

Alertmanager must reach people by itself with these, and not through Claxon. ≠ the default rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from .default_rules import Entry
from .thresholds import EVALUATION_LAG_S, NODES_LAG_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One rule.

    Attributes:
        alert: Its name; where Claxon raises such an alert itself, the same one.
        expr: PromQL.
        hold: `for`.
        severity: page or ticket.
        summary: What is wrong.
        advice: What to do.
    """

    alert: str
    expr: str
    hold: str = ""
    severity: str = "page"
    summary: str
    advice: str


OWN = (
    Own(
        alert="ClaxonDown",
        # Its own series, for nobody knows what its job is called.
        expr="absent(claxon_build_info)",
        hold="2m",
        summary="Claxon cannot be scraped: it is down, or Prometheus cannot reach it",
        advice="Nobody hears of failing calls. Look at its process and its log.",
    ),
    Own(
        alert="ClaxonBlind",
        expr="claxon_blind == 1",
        summary="Claxon does not take, evaluate or deliver",
        advice="Its log says which: heartbeat.withheld. It has told its receivers itself, if they could be reached.",
    ),
    Own(
        alert="ClaxonEvaluationLags",
        expr=f"claxon_evaluation_lag_seconds > {EVALUATION_LAG_S}",
        hold="1m",
        summary="Claxon's rules are {{ $value | humanizeDuration }} behind the clock",
        advice="Pages are late by as much. Look at the queue, the processor and the disk; of several nodes with a log "
        "on Kafka, at a partition that nobody owns, that is behind, or that stands still.",
    ),
    Own(
        alert="ClaxonEvaluationFails",
        expr="increase(claxon_evaluation_faults_total[10m]) > 0",
        summary="Claxon's evaluation raised",
        advice="A bug of Claxon: its log has the reason, and ClaxonRuleFailed names the rule.",
    ),
    Own(
        alert="ClaxonHeartbeatStopped",
        expr="time() - (claxon_heartbeat_last_timestamp_seconds > 0) > 300",
        summary="nobody has taken Claxon's heartbeat for {{ $value | humanizeDuration }}",
        advice="It is withheld (something does not work, see its log) or refused (the switch's address).",
    ),
    Own(
        alert="ClaxonDeliveryFailing",
        expr="claxon_integration_failing == 1",
        hold="5m",
        summary="{{ $labels.receiver }} ({{ $labels.kind }}) does not take what Claxon sends",
        advice="Claxon's page Delivery has each answer. Try it with claxon fire-drill.",
    ),
    Own(
        alert="ClaxonPageUntold",
        expr="claxon_untold_pages > 0 or increase(claxon_no_way_out_total[15m]) > 0",
        hold="1m",
        summary="a page fires and nobody was told",
        advice="Claxon's page shows what fires. Have two receivers that share nothing, and a fallback_receiver.",
    ),
    Own(
        alert="ClaxonPagesLost",
        expr="increase(claxon_pages_lost_total[15m]) > 0",
        summary="{{ $labels.receiver }} refused a page for good, and nobody else took it",
        advice="Claxon's page shows what fires; its log has the receiver's answer.",
    ),
    Own(
        alert="ClaxonOutboxStuck",
        expr="min_over_time(claxon_outbox_pending[15m]) > 0",
        severity="ticket",
        summary="{{ $value }} notifications or more have waited for 15 minutes",
        advice="A receiver is down or slow; what waits is tried again until its deadline.",
    ),
    Own(
        alert="ClaxonLogNotWritable",
        expr="increase(claxon_commit_failures_total[5m]) > 0",
        summary="Claxon cannot write its event log",
        advice="Senders are told to come back. A full disk, or a damaged one: its log has the reason.",
    ),
    Own(
        alert="ClaxonDatabaseCorrupt",
        expr="claxon_databases_set_aside > 0 or claxon_scrub_damaged > 0 or claxon_unreadable_log_rows > 0",
        summary="Claxon's database is damaged",
        advice="Nothing was overwritten: claxon salvage reads what is left, claxon restore puts a backup back.",
    ),
    Own(
        alert="ClaxonLedgerDiffers",
        expr="claxon_ledger_mismatches_total > 0",
        severity="ticket",
        summary="Claxon decided otherwise when it repeated its log",
        advice="A bug, another version, or a log that was changed: claxon verify says from where on.",
    ),
    Own(
        alert="ClaxonIngestRefused",
        expr=(
            "rate(claxon_ingest_rejected_events_total[10m])\n"
            "/ (rate(claxon_ingest_events_total[10m]) + rate(claxon_ingest_rejected_events_total[10m])) > 0.05\n"
            "or increase(claxon_ingest_refused_bodies_total[10m]) > 10\n"
            "or increase(claxon_ingest_over_budget_total[10m]) > 10"
        ),
        hold="5m",
        severity="ticket",
        summary="Claxon refuses events",
        advice="No rule sees what is refused: GET /v1/rejects has each with its reason.",
    ),
    Own(
        alert="ClaxonClientsDrop",
        expr="increase(claxon_client_dropped_events_total[10m]) > 0",
        hold="5m",
        severity="ticket",
        summary="clients dropped events before they could send them",
        advice="No rule saw these: Claxon was away for longer than clients keep events, or is too slow.",
    ),
    Own(
        alert="ClaxonRequestsDenied",
        expr="sum by (job, instance, reason) (increase(claxon_requests_denied_total[10m])) > 10",
        severity="ticket",
        summary="Claxon denies requests: {{ $labels.reason }}",
        advice="An app's key is wrong or over, and its events are lost; or somebody tries keys.",
    ),
    Own(
        alert="ClaxonConfigurationNotTaken",
        expr="claxon_config_last_reload_successful == 0",
        severity="ticket",
        summary="Claxon's new configuration has a mistake; the one before is in force",
        advice="claxon check FILE says where.",
    ),
    Own(
        alert="ClaxonKeysOverflow",
        expr="increase(claxon_keys_overflowed_total[15m]) > 0",
        severity="ticket",
        summary="a rule watches too many keys; further ones are watched as one",
        advice="Something unbounded is in app, environment, model or path.",
    ),
    Own(
        alert="ClaxonWriteAheadLogGrows",
        expr="claxon_wal_bytes > 268435456",
        hold="10m",
        severity="ticket",
        summary="Claxon's write-ahead log has {{ $value | humanize1024 }}B",
        advice="A reader does not end, such as a copy of the folder or an export, or the disk is full.",
    ),
    # Of several nodes on one database; without them there are no such series.
    Own(
        alert="ClaxonInboxLags",
        expr=f"max by (job) (claxon_inbox_age_seconds) > {NODES_LAG_S}",
        hold="1m",
        summary="events wait for {{ $value | humanizeDuration }} to be evaluated",
        advice="Nobody is elected, or who is cannot keep up: ask /-/ready of each node, and claxon migrate --status.",
    ),
    Own(
        alert="ClaxonNobodyDelivers",
        expr="max by (job) (claxon_delivering_nodes) == 0",
        hold="1m",
        summary="no node delivers",
        advice="What is decided waits in the outbox. Start nodes with the role deliver.",
    ),
    Own(
        alert="ClaxonNodeCutOff",
        expr="claxon_delivery_away == 1 or claxon_keys_age_seconds > 60",
        hold="2m",
        severity="ticket",
        summary="{{ $labels.instance }} cannot reach the database",
        advice="Others do its work. Its log and its /-/ready say why.",
    ),
    Own(
        alert="ClaxonInboxPoison",
        expr="max by (job) (claxon_inbox_poison_batches) > 0",
        severity="ticket",
        summary="{{ $value }} batches of events lie aside: the elected node could not read or write them",
        advice="Table inbox_poison says why. After an update of the elected node they may be put back.",
    ),
    # Of those of them that have their log on Kafka. A partition that nobody owns, or that is behind, is the lag above.
    Own(
        alert="ClaxonPartitionStalled",
        expr="sum by (job) (claxon_partitions_stalled) > 0",
        hold="2m",
        severity="ticket",
        summary="{{ $value }} partitions stand still: nothing of their apps pages",
        advice="The log of the node that owns them says partition.failed, and why. A message of a newer Claxon waits "
        "for the upgrade of the nodes that evaluate.",
    ),
    Own(
        alert="ClaxonPartitionMessagesLost",
        expr="sum by (job) (increase(claxon_partition_lost_messages_total[15m])) > 0"
        " or sum by (job) (increase(claxon_partition_poison_messages_total[15m])) > 0",
        severity="ticket",
        summary="{{ $value }} messages of the log were passed over, or were gone before they were evaluated",
        advice="Tables partition_losses and partition_poison say which and why.",
    ),
    Own(
        alert="ClaxonPartitionDiverges",
        expr="sum by (job) (increase(claxon_partition_divergences_total[15m])) > 0",
        severity="ticket",
        summary="a partition decided otherwise when another node took it over",
        advice="claxon verify --log says where. That is a bug, or the log was changed: please report it.",
    ),
)


def group() -> Entry:
    """Return the group."""
    return {"name": "claxon-itself", "interval": "30s", "rules": [_rule(own) for own in OWN]}


def _rule(own: Own) -> Entry:
    return {
        "alert": own.alert,
        "expr": own.expr,
        **({"for": own.hold} if own.hold else {}),
        "labels": {"severity": own.severity},
        "annotations": {"summary": own.summary, "description": own.advice},
    }
