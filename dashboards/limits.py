"""Claxon / Limits, tokens and cost: what is left of the rate limits, what is used, wasted and paid, how long it takes.

≠ errors, budgets.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .frame import framed
from .style import DOLLARS, NUMBER, ORANGE, PER_SECOND, SECONDS, SHARE, TIMES, Panel, graph, number
from .thresholds import HEADROOM
from .ways import THIS_APP, THIS_MODEL
from .words import CALLS, quantile, rate, share

TOOK = "claxon_attempt_duration_seconds"
FIRST = "claxon_time_to_first_token_seconds"
LEFT = f"claxon_ratelimit_remaining_ratio{{{CALLS}}}"
HOUR = 3600
MONTH_HOURS = 730
INPUT = 'kind=~"input|cache_read|cache_write"'


def limits_tokens_and_cost() -> Dashboard:
    """Return the dashboard."""
    return framed(
        "Limits, tokens and cost",
        "claxon-limits",
        "How near the rate limits are, what tokens are used for and what they cost, and how long answers take.",
        {
            "": _now(),
            "Limits": _limits(),
            "Tokens": _tokens(),
            "Cost": _cost(),
            "Latency": _latency(),
        },
    )


def _cost_an_hour(by: str = "") -> str:
    return f"{rate('claxon_cost_dollars_total', by=by)} * {HOUR}"


def _now() -> list[Panel]:
    return [
        number(
            "Least headroom",
            "Of the rate limit of which least is left, as the newest answers said.",
            (f"min({LEFT})", ""),
            unit=SHARE,
            good_from=[(0.1, ORANGE), (HEADROOM, "green")],
            no_value="no answer said it",
        ),
        number(
            "Tokens per second",
            "Input and output, cached input too.",
            (rate("claxon_tokens_total", only='kind!="requested"'), ""),
            unit=NUMBER,
        ),
        number(
            "Tokens wasted",
            "Tokens of failed attempts as a share of all, as far as they are known.",
            (share(rate("claxon_wasted_tokens_total"), rate("claxon_tokens_total", only='kind!="requested"')), ""),
            unit=SHARE,
            no_value="no tokens",
        ),
        number(
            "Cost per hour",
            "At published prices, without batch and priority factors. Models without a known price are left out.",
            (_cost_an_hour(), ""),
            unit=DOLLARS,
        ),
        number(
            "Slowest of 20 attempts",
            "The 95th percentile of how long attempts take, failed ones too.",
            (quantile(0.95, TOOK), ""),
            unit=SECONDS,
            no_value="no calls",
        ),
        number(
            "Slowest first token of 20",
            "The 95th percentile of how long it takes until a stream begins.",
            (quantile(0.95, FIRST), ""),
            unit=SECONDS,
            no_value="no streams",
        ),
    ]


def _limits() -> list[Panel]:
    return [
        graph(
            "Headroom by limit",
            "Of each limit, the least that is left, by bucket. Under the line a ticket is written if it runs out at "
            "this pace before it is full again.",
            (f"min by (app, model, bucket) ({LEFT})", "{{app}} {{model}} {{bucket}}"),
            unit=SHARE,
            line_below=HEADROOM,
            way=THIS_APP,
        ),
        graph(
            "Limits and what is left of them",
            "As the newest answer said; an organisation's limit is shared by its apps.",
            (f"min by (model, bucket) (claxon_ratelimit_remaining{{{CALLS}}})", "{{model}} {{bucket}} left"),
            (f"max by (model, bucket) (claxon_ratelimit_limit{{{CALLS}}})", "{{model}} {{bucket}} limit"),
            unit=NUMBER,
            way=THIS_MODEL,
        ),
        graph(
            "Rate limited attempts by app",
            "429 per second, absorbed ones too. A single one is nobody's business.",
            (rate("claxon_attempts_total", by="app", only='category="rate_limit"'), "{{app}}"),
            unit=PER_SECOND,
            stacked=True,
            way=THIS_APP,
        ),
        graph(
            "Held back by clients",
            "Seconds of waiting in each second, so that a limit was not reached; over 1, more than one call waits.",
            (rate("claxon_throttled_seconds_total", by="app"), "{{app}}"),
            unit=TIMES,
            way=THIS_APP,
        ),
    ]


def _tokens() -> list[Panel]:
    read, paid = rate("claxon_tokens_total", only='kind="cache_read"'), rate("claxon_tokens_total", only=INPUT)
    return [
        graph(
            "Tokens by kind",
            "Per second. requested is max_tokens, which counts against some limits before anything is written.",
            (rate("claxon_tokens_total", by="kind"), "{{kind}}"),
            unit=PER_SECOND,
        ),
        graph(
            "Tokens by app",
            "Input and output per second, cached input too.",
            (rate("claxon_tokens_total", by="app", only='kind!="requested"'), "{{app}}"),
            unit=PER_SECOND,
            stacked=True,
            way=THIS_APP,
        ),
        graph(
            "Output requested and written",
            "Far apart: max_tokens is larger than need be, and takes room in the limits.",
            (rate("claxon_tokens_total", only='kind="requested"'), "requested"),
            (rate("claxon_tokens_total", only='kind="output"'), "written"),
            unit=PER_SECOND,
            width=8,
        ),
        graph(
            "Tokens wasted on failures",
            "Of attempts that failed, per second, as far as they are known.",
            (rate("claxon_wasted_tokens_total", by="kind"), "{{kind}}"),
            unit=PER_SECOND,
            stacked=True,
            width=8,
        ),
        graph(
            "Input read from the cache",
            "Share of input tokens; they cost a fraction.",
            (share(read, paid), "read from the cache"),
            unit=SHARE,
            width=8,
        ),
    ]


def _cost() -> list[Panel]:
    return [
        graph(
            "Cost per hour by app",
            "At published prices.",
            (_cost_an_hour("app"), "{{app}}"),
            unit=DOLLARS,
            stacked=True,
            way=THIS_APP,
        ),
        graph(
            "Cost per hour by model",
            "At published prices.",
            (_cost_an_hour("model"), "{{model}}"),
            unit=DOLLARS,
            stacked=True,
            way=THIS_MODEL,
        ),
        graph(
            "Cost per hour by kind",
            "At published prices.",
            (_cost_an_hour("kind"), "{{kind}}"),
            unit=DOLLARS,
            stacked=True,
            width=8,
        ),
        graph(
            "A month at this pace",
            "730 hours as the present ones.",
            (f"{_cost_an_hour()} * {MONTH_HOURS}", "a month"),
            unit=DOLLARS,
            width=8,
        ),
        graph(
            "Attempts without a known price",
            "What they cost is in no sum here.",
            (rate("claxon_unpriced_attempts_total", by="model"), "{{model}}"),
            unit=PER_SECOND,
            width=8,
            way=THIS_MODEL,
        ),
    ]


def _latency() -> list[Panel]:
    mean = share(rate("claxon_attempt_seconds_total", by="model"), rate("claxon_timed_attempts_total", by="model"))
    return [
        graph(
            "Duration of attempts",
            "Failed attempts are in here: a time-out is long, a refused connection short.",
            (quantile(0.5, TOOK), "half"),
            (quantile(0.95, TOOK), "19 of 20"),
            (quantile(0.99, TOOK), "99 of 100"),
            unit=SECONDS,
        ),
        graph(
            "Time to first token",
            "Of streams.",
            (quantile(0.5, FIRST), "half"),
            (quantile(0.95, FIRST), "19 of 20"),
            (quantile(0.99, FIRST), "99 of 100"),
            unit=SECONDS,
        ),
        graph(
            "Duration of attempts by model, 19 of 20",
            "The 95th percentile.",
            (quantile(0.95, TOOK, by="model"), "{{model}}"),
            unit=SECONDS,
            way=THIS_MODEL,
        ),
        graph(
            "Time to first token by model, 19 of 20",
            "The 95th percentile.",
            (quantile(0.95, FIRST, by="model"), "{{model}}"),
            unit=SECONDS,
            way=THIS_MODEL,
        ),
        graph(
            "Mean duration of attempts by model",
            "Failed attempts are in here.",
            (mean, "{{model}}"),
            unit=SECONDS,
            way=THIS_MODEL,
        ),
        graph(
            "Refusals by app",
            "Successes in which the model refused, per second. No rule looks at them.",
            (rate("claxon_refusals_total", by="app"), "{{app}}"),
            unit=PER_SECOND,
            way=THIS_APP,
        ),
    ]
