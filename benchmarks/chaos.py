"""Ten thousand calls to an API that fails at random: how many end well, and what that takes, with and without Claxon.

python -m benchmarks.chaos [--quick] [--only NAME ...]: 4 min; --quick: a tenth of the calls, 2 min

Three cases: a fifth of all requests fails, 10,000 calls of the async client, 50 at once; the same with 1,000 calls of
the sync client in 50 threads; and a storm, 60 s of 529 for one model in the middle of three minutes of calls that come
15 a second whatever became of those before. Each as the SDK is, in a loop of four rounds around the SDK's own retries,
with `claxon.production(client)`, and with a second model besides. Seeds are fixed: all of them meet the same luck.

Time runs 10 or 20 times as fast for the app and the API alike (benchmarks/fast_clock.py), so that no pause, timeout or
window had to be set otherwise than an app would; durations are in that time. The API is a process of its own
(benchmarks/chaos_api.py), which says how late its answers were at most, and what of its core it used.

Cost is by `claxon.Prices`, for 2,000 tokens of input and 400 of output a call. An answer costs, also one that nobody
waited for (a timeout) and the half of one that was cut; a 429, a 5xx and a reset connection cost nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from claxon import Prices

from benchmarks import results
from benchmarks.chaos_api import Plan
from benchmarks.chaos_calls import MODEL, OTHER, PARTIAL, UNSAID, WELL, Load

NAME = "chaos"
FACTORS = {"random": 20.0, "threads": 20.0, "storm": 10.0}
"""How many seconds pass in a real one; fewer where calls come by a timetable, which a busy machine must keep, too."""

SEED = 6
WAYS = ("bare SDK", "naive loop", "production", "production, two models")

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "random": ({"failing": 0.2}, {"sync": False, "calls": 10_000, "at_once": 50, "rate_s": 0.0}),
    "threads": ({"failing": 0.2}, {"sync": True, "calls": 1_000, "at_once": 50, "rate_s": 0.0}),
    "storm": (
        {"failing": 0.01, "storm_from_s": 60.0, "storm_to_s": 120.0, "storm_models": (MODEL,)},
        {"sync": False, "calls": 2_700, "at_once": 50, "rate_s": 15.0},
    ),
}
"""What the API does, and what the app."""

HEAD = (
    *("case", "way", "end well", "by another model", "in part", "cut, unsaid", "fail"),
    *("requests a call", "$", "p50", "p99", "late", "API's core"),
)


def one(case: str, way: str, *, calls: int | None = None) -> dict[str, Any]:
    """Return what became of the calls of one case, made in one way; of fewer where `calls` says so."""
    api, app = CASES[case]
    origin, factor = time.time(), FACTORS[case]
    plan = Plan(seed=SEED, factor=factor, origin=origin, **api)
    calls = app["calls"] if calls is None else calls
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.chaos_api", plan.text()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        load = Load(port=port, way=way, factor=factor, origin=origin, seed=SEED, **(app | {"calls": calls}))
        command = [sys.executable, "-m", "benchmarks.chaos_calls", load.text()]
        began = time.perf_counter()
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        took = time.perf_counter() - began
        told, _ = server.communicate()
    finally:
        server.kill()
        server.wait()
    seen = json.loads(told)
    how = {"case": case, "way": way, "calls": calls, "factor": factor, "took_s": took}
    return how | found | {"api": seen} | _cost(seen)


def _cost(seen: dict[str, Any]) -> dict[str, float]:
    def dollars(usage: dict[str, list[int]]) -> float:
        prices = Prices()
        return sum(prices.of_usage(m, input=i, output=o) or 0.0 for m, (i, o) in usage.items())

    return {"cost_usd": dollars(seen["usage"]), "wasted_usd": dollars(seen["unread"])}


def well(row: dict[str, Any]) -> int:
    """Return how many calls gave a whole answer."""
    return sum(row["ends"].get(end, 0) for end in (WELL, OTHER))


def report(rows: list[dict[str, Any]]) -> None:
    """Print a table."""
    print("\n" + "| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for row in rows:
        ends, calls = row["ends"], row["calls"]
        failed = calls - well(row) - ends.get(PARTIAL, 0) - ends.get(UNSAID, 0)
        cells = [
            row["case"],
            row["way"],
            f"{100 * well(row) / calls:.2f} %",
            ends.get(OTHER, 0),
            ends.get(PARTIAL, 0),
            ends.get(UNSAID, 0),
            failed,
            f"{row['api']['requests'] / calls:.3f}",
            f"{row['cost_usd']:.2f}",
            f"{row['p50_s']:.2f} s",
            f"{row['p99_s']:.2f} s",
            f"{1000 * row['api']['late_p99_s']:.0f} ms",
            f"{row['api']['cpu_s'] / row['took_s']:.2f}",
        ]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def main() -> None:
    """Measure all cases, print a table and write the result."""
    parser = results.options(__doc__, full="4 min", quick="2 min")
    parser.add_argument("--only", nargs="+", choices=[*CASES, *WAYS], help="of the cases and ways")
    given = parser.parse_args()
    only = set(given.only or ())
    rows = []
    for case in [case for case in CASES if case in only or not only & set(CASES)]:
        for way in [way for way in WAYS if way in only or not only & set(WAYS)]:
            fewer = CASES[case][1]["calls"] // 10 if given.quick and case != "storm" else None
            rows.append(one(case, way, calls=fewer))
            print(f"{case}, {way}: {rows[-1]['took_s']:.0f} s, {rows[-1]['ends']}", flush=True)
    report(rows)
    if not only:
        found = {"seed": SEED, "rows": rows, "cases": {name: [*both] for name, both in CASES.items()}}
        results.write(NAME, found, quick=given.quick, out=given.out)


if __name__ == "__main__":
    main()
