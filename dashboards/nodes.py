"""Claxon / Several nodes: who is elected, what waits between the nodes, who has which share of the work.

≠ what one Claxon does, whichever nodes it has.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .frame import framed
from .style import GREEN, NUMBER, ORANGE, PER_SECOND, RED, SECONDS, Panel, graph, number
from .thresholds import NODES_LAG_S
from .ways import DELIVERY
from .words import RATE

RANGE = "$__range"


def several_nodes() -> Dashboard:
    """Return the dashboard."""
    return framed(
        "Several nodes",
        "claxon-nodes",
        "Where several nodes share a PostgreSQL, with Kafka or without: who is elected, what waits, who does how much. "
        "Scrape each node.",
        {
            "": _now(),
            "Who is there": _there(),
            "Events wait in PostgreSQL": _inbox(),
            "Partitions of a log on Kafka": _partitions(),
            "Who delivers": _delivery(),
        },
        of_apps=False,
    )


def _by_node(metric: str) -> str:
    return f"sum by (instance) ({metric})"


def _per_second(metric: str) -> str:
    return f"sum by (instance) (rate({metric}[{RATE}]))"


def _grown(metric: str) -> str:
    return f"sum by (instance) (increase({metric}[{RATE}]))"


def _over(what: str) -> str:
    return f"{what}_over_time(claxon_elections_total[{RANGE}])"


def _all(metric: str) -> str:
    return f"sum(increase({metric}[{RATE}]))"


def _now() -> list[Panel]:
    return [
        number(
            "Elected",
            "Nodes that decide: one. None for a few seconds while one takes over from another.",
            ("sum(claxon_elected)", ""),
            good_from=[(1, GREEN), (2, RED)],
        ),
        number(
            "Take-overs",
            "In the time that is shown. Each is a node that ended, stood still or was cut off; or a rolling upgrade.",
            (f"max({_over('max')}) - min({_over('min')})", ""),
            steps=[(1, ORANGE), (10, RED)],
        ),
        number(
            "Nodes that deliver",
            "With none, what is decided waits.",
            ("max(claxon_delivering_nodes)", ""),
            good_from=[(1, GREEN)],
            way=DELIVERY,
        ),
        number(
            "Oldest in the inbox",
            "For how long the batch has waited that is evaluated next.",
            ("max(claxon_inbox_age_seconds)", ""),
            unit=SECONDS,
            steps=[(NODES_LAG_S / 6, ORANGE), (NODES_LAG_S, RED)],
        ),
        number(
            "Partitions that stand still",
            "Their events are not evaluated, so nothing of them pages. The log of the node says why.",
            ("sum(claxon_partitions_stalled)", ""),
            steps=[(1, RED)],
            no_value="no Kafka",
        ),
        number(
            "Slowest partition",
            "How far it is behind; pages are as late.",
            ("max(claxon_partition_lag_seconds)", ""),
            unit=SECONDS,
            steps=[(NODES_LAG_S / 6, ORANGE), (NODES_LAG_S, RED)],
            no_value="no Kafka",
        ),
    ]


def _there() -> list[Panel]:
    return [
        graph(
            "Elected node",
            "Who decides. A gap is a time in which nobody did.",
            ("claxon_elected == 1", "{{instance}}"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Cut off from PostgreSQL",
            "away: it delivers nothing. keys: for how long it has not heard who may post; it goes on to take events.",
            ("claxon_delivery_away", "{{instance}} away"),
            ("claxon_keys_age_seconds", "{{instance}} keys"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Faults",
            "Times the database was away, or did not answer in time.",
            (_grown("claxon_inbox_faults_total"), "{{instance}}"),
            unit=NUMBER,
            width=8,
        ),
    ]


def _inbox() -> list[Panel]:
    return [
        graph(
            "Events written",
            "By the nodes that took them; the elected one evaluates them.",
            (_per_second("claxon_inbox_written_events_total"), "{{instance}}"),
            unit=PER_SECOND,
            stacked=True,
            width=8,
        ),
        graph(
            "Batches that wait",
            "As each node sees it; milliseconds apart.",
            ("claxon_inbox_batches", "{{instance}}"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Batches that went wrong",
            "unwritten: their senders were told to send them again. poison: they lie aside, for the elected node "
            "cannot read or write them.",
            (_grown("claxon_inbox_unwritten_batches_total"), "unwritten: {{instance}}"),
            ("max(claxon_inbox_poison_batches)", "poison"),
            unit=NUMBER,
            width=8,
        ),
    ]


def _partitions() -> list[Panel]:
    return [
        graph(
            "Partitions by node",
            "All together they are those of the topic; fewer, and some have no owner just now.",
            (_by_node("claxon_partitions_owned"), "{{instance}}"),
            unit=NUMBER,
            stacked=True,
            width=8,
        ),
        graph(
            "Events evaluated",
            "By who owns their partition.",
            (_per_second("claxon_partition_events_total"), "{{instance}}"),
            unit=PER_SECOND,
            stacked=True,
            width=8,
        ),
        graph(
            "Lag",
            "How far each node's slowest partition is behind.",
            ("claxon_partition_lag_seconds", "{{instance}}"),
            unit=SECONDS,
            line_at=NODES_LAG_S,
            width=8,
        ),
        graph(
            "Messages that wait",
            "As far as each owner knows.",
            ("claxon_partition_waiting_messages", "{{instance}}"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Partitions that change hands",
            "claimed: a node began to own them. fenced: it found that another one had.",
            (_grown("claxon_partition_claims_total"), "claimed by {{instance}}"),
            (_grown("claxon_partition_fences_total"), "fenced: {{instance}}"),
            unit=NUMBER,
            width=8,
        ),
        graph(
            "Messages that went wrong",
            "All of these are zero in a Claxon that is well; tables partition_poison and partition_losses have them.",
            (_all("claxon_partition_poison_messages_total"), "passed over"),
            (_all("claxon_partition_lost_messages_total"), "gone unread"),
            (_all("claxon_partition_faults_total"), "evaluations made anew"),
            (_all("claxon_partition_divergences_total"), "decided otherwise"),
            unit=NUMBER,
            width=8,
        ),
    ]


def _delivery() -> list[Panel]:
    return [
        graph(
            "Sent by node",
            "Attempts to deliver, whatever came of them.",
            (_grown("claxon_notifications_total"), "{{instance}}"),
            unit=NUMBER,
            stacked=True,
            width=8,
            way=DELIVERY,
        ),
        graph(
            "Messages on their way",
            "Each is one node's at a time.",
            ("claxon_leases_held", "{{instance}}"),
            unit=NUMBER,
            width=8,
            way=DELIVERY,
        ),
        graph(
            "Sent by another, too",
            "A node stood still or was cut off in the middle of a send. The key is the same: a vendor makes one of it.",
            (_grown("claxon_leases_lost_total"), "{{instance}}"),
            unit=NUMBER,
            width=8,
            way=DELIVERY,
        ),
    ]
