"""Claxon / Errors and retries: what is transient beside what is systemic, and what retries make of it.

≠ budgets, limits.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .frame import framed
from .style import GREEN, NUMBER, ORANGE, PER_SECOND, RED, SHARE, TIMES, Panel, fixed, graph, number
from .thresholds import ERROR_RATE, PARKED_CALLS, RETRY_STORM_SHARE
from .ways import FAILURES, THIS_APP, THIS_CATEGORY, THIS_MODEL
from .words import APPS, CALLS, FAILED, ZERO, failed_by, rate, share

ATTEMPTS = rate("claxon_attempts_total")
ENDED = rate("claxon_calls_total")
ABSORBED = rate("claxon_absorbed_attempts_total")


def errors_and_retries() -> Dashboard:
    """Return the dashboard."""
    return framed(
        "Errors and retries",
        "claxon-errors",
        "What fails, whether it passes by itself, what retries absorb, and what else keeps calls alive.",
        {
            "": _now(),
            "Transient beside systemic": _kinds(),
            "Retries": _retries(),
            "What else keeps calls alive": _patterns(),
        },
    )


def _now() -> list[Panel]:
    return [
        number(
            "Calls failed",
            "Share of calls that failed: their users saw it.",
            (share(rate("claxon_calls_total", only='outcome!="ok"'), ENDED), ""),
            unit=SHARE,
            steps=[(ERROR_RATE, RED)],
            no_value="no calls",
        ),
        number(
            "Calls exhausted",
            "Share of calls that failed with no retry left: what the error budget is spent on.",
            (share(rate("claxon_calls_total", only='outcome="exhausted"'), ENDED), ""),
            unit=SHARE,
            steps=[(ERROR_RATE, RED)],
            no_value="no calls",
        ),
        number(
            "Attempts absorbed",
            "Share of attempts that failed and that a later attempt of the same call followed.",
            (share(ABSORBED, ATTEMPTS), ""),
            unit=SHARE,
            steps=[(RETRY_STORM_SHARE, ORANGE)],
            no_value="no calls",
        ),
        number(
            "Attempts per call",
            "1 is no retry at all.",
            (share(ATTEMPTS, ENDED), ""),
            unit=TIMES,
            no_value="no calls",
        ),
        number(
            "Calls parked",
            "Calls that sleep now because of a long retry-after.",
            (f"sum(claxon_parked_calls{{{APPS}}}) or {ZERO}", ""),
            steps=[(PARKED_CALLS, ORANGE)],
        ),
        number(
            "Circuits open",
            "Clients' circuit breakers that let no call through, by app and model.",
            (f"count(claxon_circuit_state{{{CALLS}}} == 2) or {ZERO}", ""),
            steps=[(1, RED)],
        ),
    ]


def _kinds() -> list[Panel]:
    return [
        graph(
            "Failed attempts: transient or systemic",
            "retryable true: the same request may succeed a moment later. false: it fails until somebody changes "
            "the key, the account, the request or the code.",
            (failed_by("retryable"), "retryable {{retryable}}"),
            unit=PER_SECOND,
            stacked=True,
        ).override_by_name("retryable false", [fixed(RED)]),
        graph(
            "What became of failures",
            "absorbed: a later attempt followed. failed, exhausted: the user saw it; exhausted had no retry left.",
            (ABSORBED, "absorbed"),
            (rate("claxon_calls_total", only='outcome="failed"'), "failed"),
            (rate("claxon_calls_total", only='outcome="exhausted"'), "exhausted"),
            unit=PER_SECOND,
            stacked=True,
        ).override_by_name("absorbed", [fixed(GREEN)]),
        graph(
            "Failed attempts by category",
            "Absorbed attempts are in here. A click leads to the failures.",
            (rate("claxon_attempts_total", by="category", only=FAILED), "{{category}}"),
            unit=PER_SECOND,
            stacked=True,
            way=THIS_CATEGORY,
        ),
        graph(
            "Failed attempts by where to look first",
            "provider: status.claude.com. key, account: the Console. request: the app's last deployment. "
            "network: between the app and the API.",
            (failed_by("blame"), "{{blame}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Failed calls by app",
            "Calls whose users saw the failure.",
            (rate("claxon_calls_total", by="app, outcome", only='outcome!="ok"'), "{{app}} {{outcome}}"),
            unit=PER_SECOND,
            stacked=True,
            way=FAILURES,
        ),
        graph(
            "Failed attempts by model",
            "Share of each model's attempts that failed, absorbed ones too.",
            (
                share(
                    rate("claxon_attempts_total", by="model", only=FAILED), rate("claxon_attempts_total", by="model")
                ),
                "{{model}}",
            ),
            unit=SHARE,
            way=THIS_MODEL,
        ),
    ]


def _retries() -> list[Panel]:
    return [
        graph(
            "Absorbed attempts by app",
            "Share of attempts that failed and were retried: users see nothing but the wait, and it costs. The line "
            "is where a retry storm begins.",
            (
                share(rate("claxon_absorbed_attempts_total", by="app"), rate("claxon_attempts_total", by="app")),
                "{{app}}",
            ),
            unit=SHARE,
            line_at=RETRY_STORM_SHARE,
            way=THIS_APP,
        ),
        graph(
            "Attempts per call by app",
            "How much retries multiply the load on the API.",
            (share(rate("claxon_attempts_total", by="app"), rate("claxon_calls_total", by="app")), "{{app}}"),
            unit=TIMES,
            way=THIS_APP,
        ),
        graph(
            "Calls tried no further, by why",
            "The client stopped: attempts or the deadline used up, the retry budget or the cost limit reached, a "
            "retry-after too long, the circuit open.",
            (rate("claxon_stopped_calls_total", by="stopped_by"), "{{stopped_by}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Parked calls by app",
            "Calls that sleep now because of a long retry-after. The line is where a ticket is written.",
            (f"sum by (app) (claxon_parked_calls{{{APPS}}}) or {ZERO}", "{{app}}"),
            unit=NUMBER,
            line_at=PARKED_CALLS,
        ),
    ]


def _patterns() -> list[Panel]:
    hops = rate("claxon_fallback_attempts_total", by="fallback_from, model")
    return [
        graph(
            "Circuits",
            "Circuit breakers of the clients by state, one for each app and model that has said one of late.",
            (f"count(claxon_circuit_state{{{CALLS}}} == 0) or {ZERO}", "closed"),
            (f"count(claxon_circuit_state{{{CALLS}}} == 1) or {ZERO}", "half open"),
            (f"count(claxon_circuit_state{{{CALLS}}} == 2) or {ZERO}", "open"),
            unit=NUMBER,
            stacked=True,
        )
        .override_by_name("closed", [fixed(GREEN)])
        .override_by_name("half open", [fixed(ORANGE)])
        .override_by_name("open", [fixed(RED)]),
        graph(
            "Fallbacks",
            "Attempts with another model, from the model that failed first to the one that was tried.",
            (f"{hops} or {ZERO}", "{{fallback_from}} to {{model}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Cached answers",
            "Stale answers that clients served in place of an attempt.",
            (rate("claxon_cached_answers_total", by="app"), "{{app}}"),
            unit=PER_SECOND,
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
