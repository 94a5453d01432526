"""Ingest by batch size, compression and connections, each against msgspec decoding the same bodies in the same run.

python -m benchmarks.batches [--quick] [--rounds 3] [--seconds 5]: 10 min; --quick: 1.5 min

Every cell is a service of its own with an empty log. Batches of 1, 10, 100, 500 and 5000 events; JSON as it is, or
compressed with zstd level 1 by the sender; 1, 4 and 16 connections, all of one sending process, whose own ceiling for
the same requests is measured against a server that does nothing. The rounds go through the cells in turn, so that a
busy minute of the machine touches all of them; a figure is the median of its rounds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.bodies import bare_decode_rate, json_bodies, json_requests
from benchmarks.driving import drive
from benchmarks.null_server import ceiling
from benchmarks.records import make_events
from benchmarks.sending import Plan, latencies_ms, percentile
from benchmarks.server import Server

NAME = "batches"
SIZES = (1, 10, 100, 500, 5000)
CONNECTIONS = (1, 4, 16)
EVENTS = 10_000
"""Distinct events that are sent again and again."""

Cell = tuple[int, bool, int]


def measure(cell: Cell, seconds: float) -> dict[str, Any]:
    """Return the figures of one cell in one round."""
    batch, zstd, connections = cell
    bodies = json_bodies(make_events(EVENTS, seed=1), batch)
    bare = bare_decode_rate(bodies, EVENTS, seconds=0.3)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        requests = json_requests(EVENTS, batch, port=server.port, zstd=zstd)
        sent, use = drive(
            Plan(port=server.port, requests=requests, connections=connections, seconds=seconds), server.pid
        )
    bare = (bare + bare_decode_rate(bodies, EVENTS, seconds=0.3)) / 2
    events = len(sent.taken) * batch
    latencies = latencies_ms(sent.answers)
    return {
        "events_s": sent.per_second * batch,
        "bare_s": bare,
        "ratio": sent.per_second * batch / bare,
        "cpu_s_100k": use.cpu_s / max(events, 1) * 1e5,
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
        "memory_mb": use.memory_mb,
        "others_cores": use.others_cores,
        "refused": len(sent.answers) - len(sent.taken),
    }


def ceilings() -> dict[str, float]:
    """Return what the sender achieves alone, in events per second, by batch size."""
    found = {}
    for batch in SIZES:
        requests = json_requests(EVENTS, batch, port=0)
        found[str(batch)] = ceiling(requests, connections=4).per_second * batch
        print(f"the sender alone, batches of {batch:>4}: {found[str(batch)]:>12,.0f} events/s", flush=True)
    return found


def main() -> None:
    """Measure all cells, print and write them."""
    parser = results.options(__doc__, full="10 min", quick="1.5 min")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 3)
    seconds = options.seconds or (1.0 if options.quick else 5.0)
    cells: list[Cell] = [(batch, zstd, n) for batch in SIZES for zstd in (False, True) for n in CONNECTIONS]
    alone = ceilings()
    found: dict[Cell, list[dict[str, Any]]] = {cell: [] for cell in cells}
    for i in range(rounds):
        for cell in cells if i % 2 == 0 else reversed(cells):
            one = measure(cell, seconds)
            found[cell].append(one)
            print(_line(cell, one), flush=True)
    rows = [_row(cell, many) for cell, many in found.items()]
    results.write(
        NAME,
        {"rounds": rounds, "seconds": seconds, "sender_events_s": alone, "cells": rows},
        quick=options.quick,
        out=options.out,
    )


def _row(cell: Cell, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    batch, zstd, connections = cell
    whole: dict[str, Any] = {"batch": batch, "zstd": zstd, "connections": connections}
    whole |= {name: median(one[name] for one in rounds) for name in rounds[0]}
    return whole | {"least_s": min(one["events_s"] for one in rounds), "most_s": max(one["events_s"] for one in rounds)}


def _line(cell: Cell, one: dict[str, Any]) -> str:
    batch, zstd, connections = cell
    how = f"batch {batch:>4} {'zstd' if zstd else 'json'} x{connections:<2}"
    return (
        f"{how}  {one['events_s']:>9,.0f} events/s  {one['ratio']:.3f} of bare  "
        f"p50 {one['p50_ms']:.2f} p99 {one['p99_ms']:.2f} ms  others {one['others_cores']:.2f} cores"
    )


if __name__ == "__main__":
    main()
