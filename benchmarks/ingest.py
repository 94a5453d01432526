"""Durable ingest over HTTP, against bare msgspec decoding of the same bodies in the same run.

The service is one process, the load another: JSON arrays of events of about 370 bytes over
keep-alive connections. Durable means that the 202 comes after the commit (SQLite,
synchronous=FULL). Usage: python -m benchmarks.ingest [--seconds 8] [--batch 500] [--connections 4] [--zstd]
"""

from __future__ import annotations

import argparse

from benchmarks.batches import measure


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--zstd", action="store_true")
    options = parser.parse_args()
    found = measure((options.batch, options.zstd, options.connections), options.seconds)
    for name, figure in found.items():
        print(f"{name:>16}  {figure:,.2f}")


if __name__ == "__main__":
    main()
