"""What the catalog says of the apps' calls, as the engine counts them.

≠ what no rule counts (measured.py).
"""

from __future__ import annotations

from claxon.taxonomy import KINDS

from ..measures import MAX_MODELS
from .labels import APP, MODEL
from .metric import Chapter, Metric, Row, each, named, total
from .sample import MAX_APPS, Sample


def _categories(_: Sample) -> list[Row]:
    return [((category.value, kind.blame.value, str(kind.retryable).lower()), 1) for category, kind in KINDS.items()]


CALLS = Chapter(
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
            unit="attempts",
            help="Attempts, by what came of them; the category ok is a success, also a refusal.",
            labels=(*MODEL, "category"),
            read=each(lambda totals: named(totals.by_category())),
        ),
        Metric(
            name="claxon_calls_total",
            unit="calls",
            help="Calls that ended, by outcome: ok, failed, or exhausted (failed without a retry left). Cancelled "
            "calls are left out; a failure that a later attempt may still take back is counted after 10 minutes.",
            labels=(*MODEL, "outcome"),
            read=each(lambda totals: named(totals.by_outcome())),
        ),
        Metric(
            name="claxon_absorbed_attempts_total",
            unit="attempts",
            help="Failed attempts that a later attempt of the same call followed, so that users saw nothing.",
            labels=MODEL,
            read=total(lambda totals: totals.absorbed),
        ),
        Metric(
            name="claxon_refusals_total",
            unit="attempts",
            help="Successes in which the model refused (stop_reason refusal).",
            labels=MODEL,
            read=total(lambda totals: totals.refusals),
        ),
        Metric(
            name="claxon_tokens_total",
            unit="tokens",
            help="Tokens, by kind: requested, input, output, cache_read or cache_write.",
            labels=(*MODEL, "kind"),
            read=each(lambda totals: named(totals.by_kind())),
        ),
        Metric(
            name="claxon_attempt_seconds_total",
            unit="seconds",
            help="Sum of the durations of the attempts that had one.",
            labels=MODEL,
            read=total(lambda totals: totals.seconds),
        ),
        Metric(
            name="claxon_timed_attempts_total",
            unit="attempts",
            help="Attempts that had a duration; the sum of durations over this is the mean.",
            labels=MODEL,
            read=total(lambda totals: totals.timed),
        ),
        Metric(
            name="claxon_recent_calls",
            unit="calls",
            help="Calls in the last 5 minutes of event time, as the error rate rules count them.",
            labels=APP,
            read=lambda sample: [(key, counts[0]) for key, counts in sample.recent.items()],
        ),
        Metric(
            name="claxon_recent_failed_calls",
            unit="calls",
            help="Calls that failed in the last 5 minutes of event time, as the error rate rules count them.",
            labels=APP,
            read=lambda sample: [(key, counts[1]) for key, counts in sample.recent.items()],
        ),
        Metric(
            name="claxon_category_info",
            unit="1",
            help="Always 1: for each category, where to look first, and whether a retry may help.",
            labels=("category", "blame", "retryable"),
            read=_categories,
        ),
    ),
)
