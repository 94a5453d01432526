"""What the catalog says of the doors: what comes in, and who may.

≠ what becomes of it.
"""

from __future__ import annotations

from .metric import Chapter, Metric, named, one

INGEST = Chapter(
    title="What comes in",
    about=(
        "Counted since the process started. Labels are closed sets, all there from 0: the reasons of "
        "[/v1/rejects](rejects.md), and why a connection was ended before its time."
    ),
    metrics=(
        Metric(
            name="claxon_ingest_requests_total",
            unit="requests",
            help="Bodies of events that could be read.",
            read=one(lambda sample: sample.intake.requests),
        ),
        Metric(
            name="claxon_ingest_batches_total",
            unit="batches",
            help="Batches committed to the event log.",
            read=one(lambda sample: sample.tally.batches),
        ),
        Metric(
            name="claxon_ingest_events_total",
            unit="events",
            help="Events committed to the event log.",
            read=one(lambda sample: sample.tally.events),
        ),
        Metric(
            name="claxon_ingest_duplicates_total",
            unit="events",
            help="Events left out, for they were known: by their event_id, or as a call that was told of already.",
            read=one(lambda sample: sample.tally.duplicates),
        ),
        Metric(
            name="claxon_ingest_rejected_events_total",
            unit="events",
            help="Events refused; the sender was told why.",
            read=one(lambda sample: sample.intake.rejected),
        ),
        Metric(
            name="claxon_ingest_rejects_total",
            unit="rejects",
            help="Events and whole bodies refused, by class of reason.",
            labels=("reason",),
            read=lambda sample: named(sample.intake.reasons),
        ),
        Metric(
            name="claxon_ingest_refused_bodies_total",
            unit="bodies",
            help="Bodies of events of which nothing could be read: 400, 413 or 415.",
            read=one(lambda sample: sample.intake.refused_bodies),
        ),
        Metric(
            name="claxon_ingest_unkept_rejects_total",
            unit="rejects",
            help="Of what was refused, what /v1/rejects does not show, for there was too much at a time.",
            read=one(lambda sample: sample.intake.unkept),
        ),
        Metric(
            name="claxon_ingest_over_budget_total",
            unit="requests",
            help="Requests answered 503, for too many bytes of bodies were held.",
            read=one(lambda sample: sample.intake.too_much),
        ),
        Metric(
            name="claxon_connections",
            unit="connections",
            help="Connections that are open.",
            read=one(lambda sample: sample.intake.connections),
        ),
        Metric(
            name="claxon_connections_ended_total",
            unit="connections",
            help="Connections ended before their time: slow_headers, slow_body, slow_reader, idle, too_many, "
            "large_headers or malformed.",
            labels=("reason",),
            read=lambda sample: named(sample.intake.ended),
        ),
        Metric(
            name="claxon_ingest_dropped_fields_total",
            unit="fields",
            help="Fields that no event has, left out and not stored.",
            read=one(lambda sample: sample.intake.dropped_fields),
        ),
        Metric(
            name="claxon_ingest_not_ours_total",
            unit="records",
            help="Spans, log records and lines from OTLP or Loki's clients that are no calls to Claude; not kept.",
            read=one(lambda sample: sample.intake.not_ours),
        ),
        Metric(
            name="claxon_ingest_twins_total",
            unit="records",
            help="Spans that told of a call of which another one of the same request told more.",
            read=one(lambda sample: sample.intake.twins),
        ),
        Metric(
            name="claxon_client_dropped_events_total",
            unit="events",
            help="Events that clients say they had to drop before they could send them.",
            read=one(lambda sample: sample.tally.client_dropped),
        ),
    ),
)

KEYS = Chapter(
    title="Keys",
    about=(
        "[What a key may](keys.md). Counted since the process started. The reasons are a closed set; a key has series "
        "if it has limits."
    ),
    metrics=(
        Metric(
            name="claxon_requests_denied_total",
            unit="requests",
            help="Requests that were answered 401, or 429 for trying keys, by reason: missing, unknown, expired, "
            "revoked, guessing.",
            labels=("reason",),
            read=lambda sample: named(sample.denied),
        ),
        Metric(
            name="claxon_requests_limited_total",
            unit="requests",
            help="Requests that were answered 429, for their key had too many events or requests a second.",
            labels=("key", "limit"),
            read=lambda sample: sample.limited.items(),
        ),
    ),
)
