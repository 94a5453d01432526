"""What the catalog says of Claxon's own work: log, evaluation, upkeep.

≠ what comes in, who is told.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from .metric import Chapter, Metric, Row, named, one
from .sample import Sample


def _lag(sample: Sample) -> list[Row]:
    return [] if sample.lag_s is None else [((), sample.lag_s)]


def _oldest(sample: Sample) -> list[Row]:
    return [] if sample.oldest_at is None else [((), sample.oldest_at)]


def _scrape(sample: Sample) -> list[Row]:
    return [] if sample.scrape_s is None else [((), sample.scrape_s)]


def _build(_: Sample) -> list[Row]:
    return [((version_of_claxon(), platform.python_version()), 1)]


@cache
def version_of_claxon() -> str:
    """Return the version that runs; "unknown" where it is not installed."""
    try:
        return version("claxon-server")
    except PackageNotFoundError:
        return "unknown"


CORE = Chapter(
    title="Claxon's core",
    about=(
        "Counted since the process started, but `claxon_keys_overflowed_total` and `claxon_decisions_total`, which are "
        "part of the state. "
        "Labels are closed sets: the kinds of keys, the names of the timers and their troubles."
    ),
    metrics=(
        Metric(
            name="claxon_commits_total",
            unit="transactions",
            help="Transactions committed.",
            read=one(lambda sample: sample.tally.commits),
        ),
        Metric(
            name="claxon_commit_failures_total",
            unit="batches",
            help="Batches that could not be committed; their senders were told to send them again.",
            read=one(lambda sample: sample.tally.failures),
        ),
        Metric(
            name="claxon_queue_length",
            unit="jobs",
            help="Batches and questions that wait for the core.",
            read=one(lambda sample: sample.waiting),
        ),
        Metric(
            name="claxon_evaluation_lag_seconds",
            unit="seconds",
            help="How far the evaluated instant is behind the clock; half a second is usual.",
            read=_lag,
        ),
        Metric(
            name="claxon_evaluation_faults_total",
            unit="faults",
            help="Evaluations that raised, which is a bug of Claxon.",
            read=one(lambda sample: sample.tally.faults),
        ),
        Metric(
            name="claxon_keys",
            unit="keys",
            help="What the engine remembers, by kind: model (with counters), window, watch (rule and label set), or "
            "call (a failure of it may be taken back).",
            labels=("kind",),
            read=lambda sample: named(sample.keys),
        ),
        Metric(
            name="claxon_keys_overflowed_total",
            unit="keys",
            help="Keys that were counted under (overflow), for a rule had too many.",
            read=one(lambda sample: sample.overflowed),
        ),
        Metric(
            name="claxon_database_bytes",
            unit="bytes",
            help="What the database holds: log, index, snapshots, ledger, outbox. `retention.size` limits it.",
            read=one(lambda sample: sample.size.used),
        ),
        Metric(
            name="claxon_database_free_bytes",
            unit="bytes",
            help="Of the database file, what holds nothing and is written to next.",
            read=one(lambda sample: sample.size.free),
        ),
        Metric(
            name="claxon_log_oldest_timestamp_seconds",
            unit="seconds",
            help="When the oldest batch of the event log was taken; not there while the log is empty.",
            read=_oldest,
        ),
        Metric(
            name="claxon_snapshot_bytes",
            unit="bytes",
            help="Size of the newest snapshot; 0 before the first one of this process.",
            read=one(lambda sample: sample.tally.snapshot_bytes),
        ),
        Metric(
            name="claxon_snapshot_seconds",
            unit="seconds",
            help="How long the newest snapshot took; events wait meanwhile.",
            read=one(lambda sample: sample.tally.snapshot_s),
        ),
        Metric(
            name="claxon_restart_seconds",
            unit="seconds",
            help="How long this process took from its newest snapshot and the log to its first event.",
            read=one(lambda sample: sample.tally.restart_s),
        ),
        Metric(
            name="claxon_replayed_events",
            unit="events",
            help="Events that this process took from the log when it started.",
            read=one(lambda sample: sample.tally.replayed),
        ),
        Metric(
            name="claxon_ledger_mismatches_total",
            unit="restarts",
            help="Restarts whose replay of the log decided otherwise than what is committed, which is a bug of Claxon, "
            "another version of it, or a log that was changed.",
            read=one(lambda sample: sample.tally.diverged),
        ),
        Metric(
            name="claxon_unreadable_log_rows",
            unit="rows",
            help="Rows of the log that this process had to leave out when it started, for the disk had changed them.",
            read=one(lambda sample: sample.tally.unreadable),
        ),
        Metric(
            name="claxon_wal_bytes",
            unit="bytes",
            help="Size of the write-ahead log; over 256 MiB a reader does not end, or the disk is full.",
            read=one(lambda sample: sample.tally.wal_bytes),
        ),
        Metric(
            name="claxon_databases_set_aside",
            unit="databases",
            help="Corrupt databases that were set aside and still lie in the data folder.",
            read=one(lambda sample: sample.watch.set_aside),
        ),
        Metric(
            name="claxon_scrub_last_timestamp_seconds",
            unit="seconds",
            help="When the whole database was last looked through for damage, in Unix time; 0 before the first time.",
            read=one(lambda sample: sample.watch.scrubbed_at),
        ),
        Metric(
            name="claxon_scrub_damaged",
            unit="faults",
            help="What the last look through the whole database found damaged: rows of the log, and faults of tables.",
            read=one(lambda sample: sample.watch.damaged),
        ),
        Metric(
            name="claxon_decisions_total",
            unit="decisions",
            help="Decisions of the engine, told or not, since the log began.",
            read=one(lambda sample: sample.decisions),
        ),
        Metric(
            name="claxon_clock_jumps_total",
            unit="jumps",
            help="How often the wall clock jumped by over a minute ahead, or by over 5 s back.",
            labels=("direction",),
            read=lambda sample: named(sample.tally.jumps),
        ),
        Metric(
            name="claxon_config_last_reload_successful",
            unit="1",
            help="1 if the configuration was taken when it was read last; 0: the one before is in force.",
            read=one(lambda sample: int(sample.reloads.successful)),
        ),
        Metric(
            name="claxon_config_last_reload_success_timestamp_seconds",
            unit="seconds",
            help="When the configuration in force was read, in Unix time.",
            read=one(lambda sample: sample.reloads.succeeded_at),
        ),
        Metric(
            name="claxon_scheduler_troubles_total",
            unit="runs",
            help="Timers that did not run as planned: missed, overrun (the one before still ran) or error.",
            labels=("timer", "trouble"),
            read=lambda sample: sample.troubles.items(),
        ),
        Metric(
            name="claxon_scrape_duration_seconds",
            unit="seconds",
            help="How long the scrape before this one took, from the request to its answer; not there at the first.",
            read=_scrape,
        ),
        Metric(
            name="claxon_otlp_pushes_total",
            unit="pushes",
            help="Pushes of all metrics by OTLP, by outcome: sent or failed; none where nothing is to be pushed to.",
            labels=("outcome",),
            read=lambda sample: named(sample.pushed),
        ),
        Metric(
            name="claxon_build_info",
            unit="1",
            help="Always 1: what runs.",
            labels=("version", "python"),
            read=_build,
        ),
    ),
)
