"""What the catalog says of what events say beside their outcome: durations, waste, cost, limits, breakers, hops.

≠ what rules count (calls.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from claxon.event import Circuit, RateLimits

from alerts.counters import Model, Totals

from ..durations import Durations
from ..measures import EXACT, FRESH_S, MAX_HOPS, REASONS, SHARE, Hop, Measured
from .labels import APP, MODEL
from .metric import Chapter, Metric, Row
from .sample import Labels, Sample

_BUCKETS = ("requests", "tokens", "input_tokens", "output_tokens")
_CIRCUITS = {Circuit.CLOSED.value: 0, Circuit.HALF_OPEN.value: 1, Circuit.OPEN.value: 2}
_NOTHING = Measured()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSample:
    """Of a `Sample`, what a node measured; `at` is the present, Unix seconds."""

    at: float
    models: dict[Model, Totals]
    measured: dict[Model, Measured]
    hops: dict[Hop, int]


def _from_0(read: Callable[[Measured], Iterable[Row]]) -> Callable[[Sample], Iterator[Row]]:
    """Return a reader of every model that the engine knows, also where there is nothing to tell."""

    def rows(sample: Sample) -> Iterator[Row]:
        for model in sample.models:
            for labels, number in read(sample.measured.get(model, _NOTHING)):
                yield (*model, *labels), number

    return rows


def _spread(of: Callable[[Measured], Durations]) -> Callable[[Sample], Iterator[Row]]:
    def rows(sample: Sample) -> Iterator[Row]:
        for model, measured in sample.measured.items():
            if (found := of(measured)).count:
                yield model, found

    return rows


def _wasted(measured: Measured) -> list[Row]:
    return [(("input",), measured.wasted_input), (("output",), measured.wasted_output)]


def _stopped(measured: Measured) -> list[Row]:
    return [((reason,), measured.stopped.get(reason, 0)) for reason in REASONS]


def _limits(read: Callable[[float | None, float | None], float | None]) -> Callable[[Sample], Iterator[Row]]:
    """Return a reader of every limit of which something was said of late; `read` has the limit and what is left."""

    def rows(sample: Sample) -> Iterator[Row]:
        for model, measured in sample.measured.items():
            if measured.limits is not None and sample.at - measured.limits_at < FRESH_S:
                for bucket in _BUCKETS:
                    if (number := read(*_limit(measured.limits, bucket))) is not None:
                        yield (*model, bucket), number

    return rows


def _limit(limits: RateLimits, bucket: str) -> tuple[float | None, float | None]:
    return getattr(limits, f"{bucket}_limit"), getattr(limits, f"{bucket}_remaining")


def _circuits(sample: Sample) -> Iterator[Row]:
    for model, measured in sample.measured.items():
        if measured.circuit and sample.at - measured.circuit_at < FRESH_S:
            yield model, _CIRCUITS[measured.circuit]


def _parked(sample: Sample) -> Iterable[tuple[Labels, int]]:
    return sample.parked.items()


MEASURED = Chapter(
    title="What the apps' calls take and cost",
    about=(
        "Counted since the process started, so a restart is a counter reset. Of a model that the engine knows, what is "
        "no histogram is there from 0. Bounded as above: the models that have no series of their own there are under "
        f"`(overflow)` here, too; `claxon_fallback_attempts_total` has at most {MAX_HOPS:,} series.\n\n"
        f"What an event said of limits and breakers is shown for {FRESH_S / 60:.0f} minutes; where several processes "
        "of an app say it, the newest. An answer without these fields changes nothing.\n\n"
        f"Each duration is counted, up to {EXACT:,} events a second; of what comes beyond, one in {SHARE}, as {SHARE}. "
        "A native histogram's buckets grow by 2 ** (1/8) (schema 3), so a quantile is right to 4.4 %; what took no "
        "longer than 1 ms is in its zero bucket, what took over 4.5 hours in its last.\n\n"
        "Cost is tokens times the published prices that this version of Claxon knows, by how a model's name begins, "
        "without batch, priority or data-residency factors."
    ),
    metrics=(
        Metric(
            name="claxon_attempt_duration_seconds",
            unit="seconds",
            help="How long attempts took that say so, as a histogram, failed ones too.",
            labels=MODEL,
            read=_spread(lambda measured: measured.took),
            histogram=True,
        ),
        Metric(
            name="claxon_time_to_first_token_seconds",
            unit="seconds",
            help="How long it took until the first token of a stream came, as a histogram.",
            labels=MODEL,
            read=_spread(lambda measured: measured.first),
            histogram=True,
        ),
        Metric(
            name="claxon_wasted_tokens_total",
            unit="tokens",
            help="Tokens of failed attempts, as far as they are known, by kind: input (read from or written to the "
            "cache, too) or output.",
            labels=(*MODEL, "kind"),
            read=_from_0(_wasted),
        ),
        Metric(
            name="claxon_cost_dollars_total",
            unit="dollars",
            help="What the tokens cost, in US dollars, by kind: input, output, cache_read or cache_write; models "
            "without a known price are left out.",
            labels=(*MODEL, "kind"),
            read=lambda sample: sample.costs.dollars.items(),
        ),
        Metric(
            name="claxon_unpriced_attempts_total",
            unit="attempts",
            help="Attempts of models whose price is not known: what they cost is in no sum.",
            labels=MODEL,
            read=lambda sample: sample.costs.unpriced.items(),
        ),
        Metric(
            name="claxon_ratelimit_limit",
            unit="requests or tokens",
            help="What the API allows a minute, by bucket, as the newest answer said.",
            labels=(*MODEL, "bucket"),
            read=_limits(lambda limit, _: limit),
        ),
        Metric(
            name="claxon_ratelimit_remaining",
            unit="requests or tokens",
            help="What is left of the limit, by bucket, as the newest answer said.",
            labels=(*MODEL, "bucket"),
            read=_limits(lambda _, left: left),
        ),
        Metric(
            name="claxon_ratelimit_remaining_ratio",
            unit="ratio",
            help="The share of the limit that is left, by bucket, as the newest answer said.",
            labels=(*MODEL, "bucket"),
            read=_limits(lambda limit, left: left / limit if limit and left is not None else None),
        ),
        Metric(
            name="claxon_parked_calls",
            unit="calls",
            help="Calls that sleep now because of a long retry-after, as the rules of kind parked count them: those "
            "that ship, over 60 s.",
            labels=APP,
            read=_parked,
        ),
        Metric(
            name="claxon_circuit_state",
            unit="1",
            help="The state of the clients' circuit breaker, as the newest event that has one said: 0 closed, "
            "1 half open, 2 open.",
            labels=MODEL,
            read=_circuits,
        ),
        Metric(
            name="claxon_stopped_calls_total",
            unit="calls",
            help="Calls that a client tried no further, by why: max_attempts, deadline, retry_budget, cost, "
            "retry_after, circuit or other.",
            labels=(*MODEL, "stopped_by"),
            read=_from_0(_stopped),
        ),
        Metric(
            name="claxon_throttled_seconds_total",
            unit="seconds",
            help="How long clients held attempts back, so that a limit was not reached.",
            labels=MODEL,
            read=_from_0(lambda measured: [((), measured.throttled_s)]),
        ),
        Metric(
            name="claxon_fallback_attempts_total",
            unit="attempts",
            help="Attempts with another model, by the model that failed first.",
            labels=(*MODEL, "fallback_from"),
            read=lambda sample: sample.hops.items(),
        ),
        Metric(
            name="claxon_cached_answers_total",
            unit="answers",
            help="Stale answers that clients served in place of an attempt.",
            labels=MODEL,
            read=_from_0(lambda measured: [((), measured.cached)]),
        ),
    ),
)
