"""The catalog: every claxon_* metric, named, described and read once.

docs/reference/metrics.md is written from here.

≠ formats, where a sample comes from.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from claxon.taxonomy import KINDS

from .door import INGEST, KEYS
from .metric import Chapter, Metric, Row, each, named, one, total
from .sample import FIRING_LABELS, MAX_APPS, MAX_FIRING, MAX_MODELS, Sample

APP = ("app", "environment")
MODEL = (*APP, "model")


def _lag(sample: Sample) -> list[Row]:
    return [] if sample.lag_s is None else [((), sample.lag_s)]


def _oldest(sample: Sample) -> list[Row]:
    return [] if sample.oldest_at is None else [((), sample.oldest_at)]


def _categories(_: Sample) -> list[Row]:
    return [((category.value, kind.blame.value, str(kind.retryable).lower()), 1) for category, kind in KINDS.items()]


def _build(_: Sample) -> list[Row]:
    return [((_version(), platform.python_version()), 1)]


@cache
def _version() -> str:
    try:
        return version("claxon-server")
    except PackageNotFoundError:
        return "unknown"


_APPS = Chapter(
    title="What the apps' calls do",
    about=(
        "The engine's own counters. They are part of its state: they go on over a restart and a crash, and agree "
        "with the event log. All categories, outcomes and kinds of an app that is known are there from 0, so the "
        "first 401 is an increase; of an app that was never heard of before, the first events are not, for "
        "Prometheus sees no increase from nothing (Claxon's rules do).\n\n"
        f"Bounded: the first {MAX_MODELS:,} (app, environment, model) have series of their own, at most 30 each; all "
        "others are added up under `(overflow)`, so sums stay right. The categories, outcomes and kinds are closed "
        f"sets. `claxon_recent_*` have the first {MAX_APPS:,} (app, environment), the others under `(overflow)`."
    ),
    metrics=(
        Metric(
            name="claxon_attempts_total",
            help="Attempts, by what came of them; the category ok is a success, also a refusal.",
            labels=(*MODEL, "category"),
            read=each(lambda totals: named(totals.by_category())),
        ),
        Metric(
            name="claxon_calls_total",
            help="Calls that ended, by outcome: ok, failed, or exhausted (failed without a retry left). Cancelled "
            "calls are left out; a failure that a later attempt may still take back is counted after 10 minutes.",
            labels=(*MODEL, "outcome"),
            read=each(lambda totals: named(totals.by_outcome())),
        ),
        Metric(
            name="claxon_absorbed_attempts_total",
            help="Failed attempts that a later attempt of the same call followed, so that users saw nothing.",
            labels=MODEL,
            read=total(lambda totals: totals.absorbed),
        ),
        Metric(
            name="claxon_refusals_total",
            help="Successes in which the model refused (stop_reason refusal).",
            labels=MODEL,
            read=total(lambda totals: totals.refusals),
        ),
        Metric(
            name="claxon_tokens_total",
            help="Tokens, by kind: requested, input, output, cache_read or cache_write.",
            labels=(*MODEL, "kind"),
            read=each(lambda totals: named(totals.by_kind())),
        ),
        Metric(
            name="claxon_attempt_seconds_total",
            help="Sum of the durations of the attempts that had one.",
            labels=MODEL,
            read=total(lambda totals: totals.seconds),
        ),
        Metric(
            name="claxon_timed_attempts_total",
            help="Attempts that had a duration; the sum of durations over this is the mean.",
            labels=MODEL,
            read=total(lambda totals: totals.timed),
        ),
        Metric(
            name="claxon_recent_calls",
            help="Calls in the last 5 minutes of event time, as the error rate rules count them.",
            labels=APP,
            read=lambda sample: [(key, counts[0]) for key, counts in sample.recent.items()],
        ),
        Metric(
            name="claxon_recent_failed_calls",
            help="Calls that failed in the last 5 minutes of event time, as the error rate rules count them.",
            labels=APP,
            read=lambda sample: [(key, counts[1]) for key, counts in sample.recent.items()],
        ),
        Metric(
            name="claxon_category_info",
            help="Always 1: for each category, where to look first, and whether a retry may help.",
            labels=("category", "blame", "retryable"),
            read=_categories,
        ),
    ),
)

_ALERTS = Chapter(
    title="Alerts",
    about=(
        f"Bounded: one series for each rule and state, and at most {MAX_FIRING:,} for single alerts, pages first, "
        "then the newest. Labels that a rule's `by` does not have are empty. Inhibited alerts fire too."
    ),
    metrics=(
        Metric(
            name="claxon_alerts",
            help="Alerts that are pending or firing; every rule is there from 0.",
            labels=("alertname", "severity", "state"),
            read=lambda sample: sample.alerts.items(),
        ),
        Metric(
            name="claxon_alert_firing",
            help="1 for each alert that fires; the series is gone when it does not.",
            labels=FIRING_LABELS,
            read=lambda sample: [(labels, 1) for labels in sample.firing],
        ),
        Metric(
            name="claxon_alert_fired_timestamp_seconds",
            help="When each alert that fires began to, in Unix time.",
            labels=FIRING_LABELS,
            read=lambda sample: sample.firing.items(),
        ),
        Metric(
            name="claxon_unlisted_firing_alerts",
            help="Alerts that fire and have no series of their own, for there are too many.",
            read=one(lambda sample: sample.unlisted),
        ),
    ),
)

_CORE = Chapter(
    title="Claxon's core",
    about=(
        "Counted since the process started, but `claxon_keys_overflowed_total` and `claxon_decisions_total`, which are "
        "part of the state. "
        "Labels are closed sets: the kinds of keys, the names of the timers and their troubles."
    ),
    metrics=(
        Metric(
            name="claxon_commits_total",
            help="Transactions committed.",
            read=one(lambda sample: sample.tally.commits),
        ),
        Metric(
            name="claxon_commit_failures_total",
            help="Batches that could not be committed; their senders were told to send them again.",
            read=one(lambda sample: sample.tally.failures),
        ),
        Metric(
            name="claxon_queue_length",
            help="Batches and questions that wait for the core.",
            read=one(lambda sample: sample.waiting),
        ),
        Metric(
            name="claxon_evaluation_lag_seconds",
            help="How far the evaluated instant is behind the clock; half a second is usual.",
            read=_lag,
        ),
        Metric(
            name="claxon_evaluation_faults_total",
            help="Evaluations that raised, which is a bug of Claxon.",
            read=one(lambda sample: sample.tally.faults),
        ),
        Metric(
            name="claxon_keys",
            help="What the engine remembers, by kind: model (with counters), window, watch (rule and label set), or "
            "call (a failure of it may be taken back).",
            labels=("kind",),
            read=lambda sample: named(sample.keys),
        ),
        Metric(
            name="claxon_keys_overflowed_total",
            help="Keys that were counted under (overflow), for a rule had too many.",
            read=one(lambda sample: sample.overflowed),
        ),
        Metric(
            name="claxon_database_bytes",
            help="What the database holds: log, index, snapshots, ledger, outbox. `retention.size` limits it.",
            read=one(lambda sample: sample.size.used),
        ),
        Metric(
            name="claxon_database_free_bytes",
            help="Of the database file, what holds nothing and is written to next.",
            read=one(lambda sample: sample.size.free),
        ),
        Metric(
            name="claxon_log_oldest_timestamp_seconds",
            help="When the oldest batch of the event log was taken; not there while the log is empty.",
            read=_oldest,
        ),
        Metric(
            name="claxon_snapshot_bytes",
            help="Size of the newest snapshot; 0 before the first one of this process.",
            read=one(lambda sample: sample.tally.snapshot_bytes),
        ),
        Metric(
            name="claxon_snapshot_seconds",
            help="How long the newest snapshot took; events wait meanwhile.",
            read=one(lambda sample: sample.tally.snapshot_s),
        ),
        Metric(
            name="claxon_restart_seconds",
            help="How long this process took from its newest snapshot and the log to its first event.",
            read=one(lambda sample: sample.tally.restart_s),
        ),
        Metric(
            name="claxon_replayed_events",
            help="Events that this process took from the log when it started.",
            read=one(lambda sample: sample.tally.replayed),
        ),
        Metric(
            name="claxon_ledger_mismatches_total",
            help="Restarts whose replay of the log decided otherwise than what is committed, which is a bug of Claxon, "
            "another version of it, or a log that was changed.",
            read=one(lambda sample: sample.tally.diverged),
        ),
        Metric(
            name="claxon_unreadable_log_rows",
            help="Rows of the log that this process had to leave out when it started, for the disk had changed them.",
            read=one(lambda sample: sample.tally.unreadable),
        ),
        Metric(
            name="claxon_wal_bytes",
            help="Size of the write-ahead log; over 256 MiB a reader does not end, or the disk is full.",
            read=one(lambda sample: sample.tally.wal_bytes),
        ),
        Metric(
            name="claxon_databases_set_aside",
            help="Corrupt databases that were set aside and still lie in the data folder.",
            read=one(lambda sample: sample.watch.set_aside),
        ),
        Metric(
            name="claxon_scrub_last_timestamp_seconds",
            help="When the whole database was last looked through for damage, in Unix time; 0 before the first time.",
            read=one(lambda sample: sample.watch.scrubbed_at),
        ),
        Metric(
            name="claxon_scrub_damaged",
            help="What the last look through the whole database found damaged: rows of the log, and faults of tables.",
            read=one(lambda sample: sample.watch.damaged),
        ),
        Metric(
            name="claxon_decisions_total",
            help="Decisions of the engine, told or not, since the log began.",
            read=one(lambda sample: sample.decisions),
        ),
        Metric(
            name="claxon_clock_jumps_total",
            help="How often the wall clock jumped by over a minute ahead, or by over 5 s back.",
            labels=("direction",),
            read=lambda sample: named(sample.tally.jumps),
        ),
        Metric(
            name="claxon_config_last_reload_successful",
            help="1 if the configuration was taken when it was read last; 0: the one before is in force.",
            read=one(lambda sample: int(sample.reloads.successful)),
        ),
        Metric(
            name="claxon_config_last_reload_success_timestamp_seconds",
            help="When the configuration in force was read, in Unix time.",
            read=one(lambda sample: sample.reloads.succeeded_at),
        ),
        Metric(
            name="claxon_scheduler_troubles_total",
            help="Timers that did not run as planned: missed, overrun (the one before still ran) or error.",
            labels=("timer", "trouble"),
            read=lambda sample: sample.troubles.items(),
        ),
        Metric(
            name="claxon_build_info",
            help="Always 1: what runs.",
            labels=("version", "python"),
            read=_build,
        ),
    ),
)

_DELIVERY = Chapter(
    title="Notifications",
    about=(
        "Counted since the process started; all outcomes of a configured receiver are there from 0. Labels: the "
        "receivers' names and kinds in the configuration, and a closed set of outcomes."
    ),
    metrics=(
        Metric(
            name="claxon_notifications_total",
            help="Attempts to deliver, by outcome: delivered, or why not (auth_error, gone, client_error, "
            "rate_limited, server_error, timeout, network).",
            labels=("receiver", "kind", "outcome"),
            read=lambda sample: sample.notifications.items(),
        ),
        Metric(
            name="claxon_pages_handed_over_total",
            help="Messages with a firing alert that a receiver refused for good and the fallback receiver got instead.",
            labels=("receiver", "kind"),
            read=lambda sample: sample.handed_over.items(),
        ),
        Metric(
            name="claxon_pages_lost_total",
            help="Messages with a firing alert that nobody took: there was no fallback receiver, or it refused, too.",
            labels=("receiver", "kind"),
            read=lambda sample: sample.lost.items(),
        ),
        Metric(
            name="claxon_outbox_pending",
            help="Notifications that are decided and not delivered yet.",
            read=one(lambda sample: sample.undelivered),
        ),
    ),
)

_PEOPLE = Chapter(
    title="People",
    about="What the notifier remembers; it goes on over a restart.",
    metrics=(
        Metric(
            name="claxon_silences",
            help="Silences that have not ended: pending (they begin later) or active.",
            labels=("state",),
            read=lambda sample: named(sample.people.silences),
        ),
        Metric(
            name="claxon_notification_groups",
            help="Groups of alerts that are told together.",
            read=one(lambda sample: sample.people.groups),
        ),
        Metric(
            name="claxon_acknowledged_alerts",
            help="Alerts that fire and that somebody looks after.",
            read=one(lambda sample: sample.people.acknowledged),
        ),
        Metric(
            name="claxon_escalations_pending",
            help="Alerts that escalate further if nobody acknowledges them.",
            read=one(lambda sample: sample.people.escalations),
        ),
        Metric(
            name="claxon_posted_alerts_firing",
            help="Alerts that fire and that no rule decided: others posted them, or Claxon raised them itself.",
            read=one(lambda sample: sample.people.posted),
        ),
    ),
)

_WATCH = Chapter(
    title="Claxon's watch over itself",
    about=(
        "[What is watched, and how to watch it from outside](../howto/who-watches-the-watcher.md). Counted since the "
        "process started. Alert on `claxon_blind`, and on `time() - claxon_heartbeat_last_timestamp_seconds`."
    ),
    metrics=(
        Metric(
            name="claxon_heartbeat_pings_total",
            help="Heartbeats by outcome: sent, failed (nobody took it), or withheld (something does not work).",
            labels=("outcome",),
            read=lambda sample: named(sample.watch.pings),
        ),
        Metric(
            name="claxon_heartbeat_last_timestamp_seconds",
            help="When a heartbeat was taken last, in Unix time; 0 before the first.",
            read=one(lambda sample: sample.watch.pinged_at),
        ),
        Metric(
            name="claxon_blind",
            help="1 while ClaxonBlind fires: events are not taken, evaluated or delivered.",
            read=one(lambda sample: int(sample.watch.blind)),
        ),
        Metric(
            name="claxon_blind_pages_total",
            help="Messages of ClaxonBlind, which go past the outbox, by outcome: delivered or failed.",
            labels=("outcome",),
            read=lambda sample: named(sample.watch.blind_pages),
        ),
        Metric(
            name="claxon_integration_failing",
            help="1 where an integration does not take what it is sent, as ClaxonDeliveryFailing says.",
            labels=("receiver", "kind", "index"),
            read=lambda sample: sample.failing.items(),
        ),
        Metric(
            name="claxon_untold_pages",
            help="Pages that fire and that nobody was told of, when that was last looked at.",
            read=one(lambda sample: sample.watch.untold),
        ),
        Metric(
            name="claxon_no_way_out_total",
            help="Times that Claxon could tell nobody of a receiver that fails, or of a page that nobody was told of, "
            "for there is no other receiver.",
            read=one(lambda sample: sample.watch.no_way),
        ),
    ),
)

CHAPTERS = (_APPS, _ALERTS, INGEST, _CORE, _DELIVERY, _PEOPLE, KEYS, _WATCH)
METRICS = tuple(metric for chapter in CHAPTERS for metric in chapter.metrics)
