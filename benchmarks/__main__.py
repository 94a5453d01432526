"""Run benchmarks, each in a process of its own: `python -m benchmarks [NAME ...] [their arguments]`, or `make bench
ARGS=...`.

Without a name: what README and docs/performance.md state, one after another, the long ones with --quick and written
elsewhere.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence

WHAT = {
    "start": "how long an import and a start take, and what rests in memory",
    "ingest": "durable ingest over HTTP against bare msgspec decoding",
    "ingest_parts": "where the time of an event goes",
    "batches": "ingest by batch size, compression and connections; 10 min",
    "latency": "p50, p99, p99.9 by load; overload; a disk that stands still; 5 min",
    "growth": "by keys to 100,000, by logged events to 100 million; 7 min and 8 GB",
    "peers": "beside Arize Phoenix, MLflow and a bare FastAPI endpoint; 20 min",
    "otlp": "spans and log records by the doors of OpenTelemetry",
    "queries": "failures found among ten million events",
    "retention": "how long batches wait while five million old events go",
    "null_server": "what the load generator achieves by itself",
    "page_latency": "from a first 401 to its page",
    "scrape": "a scrape of 10,000 series, and what it costs the senders beside it; 2 min",
    "dashboards": "what the dashboards ask a Prometheus, over 15 days; 5 min and 2 GB",
    "storm": "ten thousand alerts at once",
    "crash_matrix": "kill -9 at six points between an event and its page",
    "ingest_crashes": "kill -9 under load, 200 times: what is lost, what counts twice",
    "node_faults": "faults of nodes and their engines, 20 times each: what is lost, how late pages are; 1 h",
    "client_overhead": "what the client adds to a call of the SDK, beside others; 5 min",
    "chaos": "calls to an API that fails at random, with and without production(); 4 min",
    "pages": "the pages while a thousand alerts fire; two minutes",
    "throttle": "calls against token buckets, paced and not; a minute and a half",
    "engine": "the rule engine alone: an event, a tick, a key",
    "backtest": "rules over kept events",
    "backup": "what a backup beside a service costs its senders",
    "nodes": "ingest nodes on one PostgreSQL beside the embedded service; 4 min",
    "partitions": "a log on Kafka: 1, 2, 4 nodes that evaluate, a hot app, 100,000 keys; 6 min",
    "moves": "for how long partitions wait that change hands, by what they know; 2 min",
    "restart": "ready after kill -9 with millions of events",
    "noise": "pages that are not true, on real failure shares",
}

RUNS = (
    ("start",),
    ("ingest",),
    ("ingest", "--zstd"),
    ("batches", "--quick"),
    ("latency", "--quick"),
    ("growth", "--quick"),
    ("peers", "--quick"),
    ("page_latency",),
    ("scrape",),
    ("page_latency", "--load", "50000"),
    ("pages",),
    ("storm",),
    ("crash_matrix", "--trials", "10"),
    ("ingest_crashes", "--kills", "20"),
    ("client_overhead", "--quick"),
    ("chaos", "--quick"),
    ("engine",),
    ("backtest",),
    ("restart", "--events", "1000000"),
    ("noise", "--quick", "--volumes", "20", "100"),
)


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return 1 if one of them failed, 2 for a name that there is not."""
    names = [name for name in arguments if name in WHAT]
    others = [argument for argument in arguments if argument not in WHAT]
    if arguments and not names:
        print(
            "python -m benchmarks [NAME ...] [arguments]:", *(f"  {n:<16}{said}" for n, said in WHAT.items()), sep="\n"
        )
        return 0 if {"-h", "--help", "list"} & set(arguments) else 2
    if names:
        return max([_run(name, *others) for name in names])
    with tempfile.TemporaryDirectory() as folder:
        # A quick run must not replace the figures that docs/performance.md states.
        return max([_run(*run, *(("--out", folder) if run[1:] == ("--quick",) else ())) for run in RUNS])


def _run(name: str, *arguments: str) -> int:
    print(f"\n== python -m benchmarks.{name} {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False)
    return min(done.returncode, 1) if done.returncode >= 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
