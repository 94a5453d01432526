"""Run what README states, one after another, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

RUNS = (
    ("benchmarks.start",),
    ("benchmarks.ingest",),
    ("benchmarks.ingest", "--zstd"),
    ("benchmarks.page_latency",),
    ("benchmarks.page_latency", "--load", "50000"),
    ("benchmarks.storm",),
    ("benchmarks.crash_matrix", "--trials", "10"),
    ("benchmarks.ingest_crashes", "--kills", "20"),
    ("benchmarks.client_overhead",),
    ("benchmarks.engine",),
    ("benchmarks.backtest",),
    ("benchmarks.restart", "--events", "1000000"),
    ("benchmarks.noise", "--quick", "--volumes", "20", "100"),
)


def main() -> int:
    """Return 1 if one of them failed."""
    failed = 0
    for module, *arguments in RUNS:
        print(f"\n== python -m {module} {' '.join(arguments)}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
