"""The part of docs/client/faults.md that says what benchmarks.chaos has found, from benchmarks/results/chaos.json."""

from __future__ import annotations

from typing import Any

from benchmarks.chaos import WAYS, well
from benchmarks.chaos_api import MIXTURE
from benchmarks.chaos_calls import OTHER, PARTIAL, ROUNDS, TIMEOUT_S, UNSAID
from benchmarks.results import read

CASES = {
    "random": "{calls:,} calls of the async client, 50 at once; a fifth of all requests fails by chance",
    "threads": "{calls:,} calls of the sync client, in 50 threads; a fifth of all requests fails by chance",
    "storm": "{calls:,} calls, 15 a second; for 60 s of their 180 s the model answers 529 to all of them",
}

SAID = {
    "bare SDK": "bare SDK",
    "naive loop": f"a loop of {ROUNDS} around the SDK's retries",
    "production": "`production(client)`",
    "production, two models": "`production(client, fallbacks=[...])`",
}

HEAD = f"""\
## Chaos

Of a hundred failures {MIXTURE["429"]} are a 429 with `retry-after` of 1 to 5 s, {MIXTURE["429 bare"]} one without, {MIXTURE["500"]} a 500, {MIXTURE["529"]} a 529, \
{MIXTURE["timeout"]} a request that is never answered (the client's timeout is {TIMEOUT_S:.0f} s), {MIXTURE["reset"]} a
reset connection, and {MIXTURE["stream"]} a stream that is cut in its middle, one way or another (three calls in ten are streamed; for the others, a reset). A good answer takes 1.5 s in the
median. Each way of calling meets the same luck. *End well* is a whole answer; *cut, unsaid* is a stream that ended too early without any error, and an app that did not
look for it. Cost is by `claxon.Prices`: an answer costs, also one that nobody waited for, and the half of one that was cut; a 429, a 5xx and a reset cost nothing.
"""


TAIL = """\
What the tables say: failures by chance are what retries are for, and `production()` loses fewer calls to them than the SDK alone, for as many requests. A stream that has begun
is past every retry; it gives back what came, and says so. In a storm nothing but another model saves a call that cannot wait: the loop waits for its end, for up to a minute a call and with the most
requests of all, while the circuit breaker fails fast and leaves the API alone. Name a second model, or [defer](later.md) the calls that can wait.
"""


def section() -> str:
    """Return it."""
    result = read("chaos")
    machine = result["machine"]
    said = f"`python -m benchmarks.chaos`, {result['day']}, {machine['processor'] or machine['system']}, {machine['cores']} cores"
    quick = "; a quick run, of a tenth of the calls" if result["quick"] else ""
    late = max(row["api"]["late_p99_s"] for row in result["rows"])
    share = max(row["api"]["cpu_s"] / row["took_s"] for row in result["rows"])
    clock = (
        f"Time ran {_factors(result)} times as fast for app and API alike, so every pause, timeout and window is the one that an app has unless it says otherwise; "
        f"durations are in that time.\nThe API, a process of its own, was late by {late:.2f} s of it at the 99th percentile, and used {100 * share:.0f} % of a core.\n"
    )
    parts = [HEAD, f"{said}{quick}. {clock}"]
    for case, title in CASES.items():
        rows = [row for row in result["rows"] if row["case"] == case]
        parts.append(f"### {title.format(calls=rows[0]['calls'])}\n\n{_table(rows)}")
    return "\n".join([*parts, TAIL])


def _factors(result: dict[str, Any]) -> str:
    return " or ".join(f"{factor:.0f}" for factor in sorted({row["factor"] for row in result["rows"]}))


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("", "end well", "by the other model", "in part, and said so", "cut, unsaid", "fail", "requests a call", "cost", "p50", "p99")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for way in WAYS:
        lines += [f"| {' | '.join(_cells(row))} |" for row in rows if row["way"] == way]
    return "\n".join([*lines, ""])


def _cells(row: dict[str, Any]) -> list[str]:
    ends, calls = row["ends"], row["calls"]
    fine, part, unsaid = well(row), ends.get(PARTIAL, 0), ends.get(UNSAID, 0)
    return [
        SAID[row["way"]],
        f"{100 * fine / calls:.2f} %",
        f"{ends.get(OTHER, 0):,}",
        f"{part:,}",
        f"{unsaid:,}",
        f"{calls - fine - part - unsaid:,}",
        f"{row['api']['requests'] / calls:.2f}",
        f"${row['cost_usd']:.4g}",
        f"{row['p50_s']:.1f} s",
        f"{row['p99_s']:.1f} s",
    ]
