"""`claxon backtest` against msgspec's bare decoding of the same bytes in the same run, and what memory it takes.

Each log is a file of its own, made here. The reference decodes the same file, plain, in blocks of the same size, with
`msgspec.json.Decoder(Event).decode_lines`, and drops the events. Both are run in turn, three times, each in a process
of its own; the ratio is that of the best of each. Usage: python -m benchmarks.backtest [--events 1000000] [--only NAME]
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zstandard

from benchmarks.records import make_event

BOUND = 0.5
START = 1_790_000_000
RUNS = 3

Wire = dict[str, Any]


def fleet(n: int, *, failing: float) -> Iterator[Wire]:
    """Yield events of 20 apps x 7 paths x 2 models at 1000 a second."""
    r = random.Random(1)
    for i in range(n):
        yield make_event(r, START + i / 1000, f"app-{i % 20}", f"/chat/{i % 7}", failing=failing)


def lone_app(n: int) -> Iterator[Wire]:
    """Yield events of one app: 100 calls in 5 minutes."""
    r = random.Random(2)
    for i in range(n):
        yield make_event(r, START + i * 3.0, "app", "/chat", failing=0.005)


def many_keys(n: int) -> Iterator[Wire]:
    """Yield events of 100,000 keys: 1000 apps x 50 paths x 2 models, at 1000 a second."""
    r = random.Random(3)
    for i in range(n):
        yield make_event(r, START + i / 1000, f"app-{i % 1000}", f"/chat/{i // 1000 % 50}", failing=0.005)


LOGS: dict[str, Callable[[int], Iterator[Wire]]] = {
    "fleet, 0.5 % failed": lambda n: fleet(n, failing=0.005),
    "fleet, 3 % failed": lambda n: fleet(n, failing=0.03),
    "fleet, 0.5 %, with event_id": lambda n: (e | {"event_id": e["call_id"][:20]} for e in fleet(n, failing=0.005)),
    "one app": lone_app,
    "100,000 keys": many_keys,
}


def write(path: Path, events: Iterator[Wire]) -> None:
    """Write NDJSON."""
    encode = json.JSONEncoder(separators=(", ", ": ")).encode
    with path.open("w") as file:
        for event in events:
            file.write(encode(event) + "\n")


# ── in processes of their own ─────────────────────────────────────────────────


def run_bare(path: Path) -> dict[str, float]:
    """Decode a file and drop the events."""
    import gc

    import msgspec
    from claxon.event import Event

    from service.backtest.blocks import BLOCK

    gc.disable()
    decoder = msgspec.json.Decoder(Event)
    n, begin = 0, time.perf_counter()
    # Into one buffer: to allocate one for each block would make the reference slower by half.
    buffer = bytearray(2 * BLOCK)
    view, filled = memoryview(buffer), 0
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(view[filled : filled + BLOCK]):
            end = filled + read
            cut = buffer.rfind(b"\n", 0, end) + 1
            n += len(decoder.decode_lines(view[:cut]))
            filled = end - cut
            view[:filled] = view[cut:end]
    return _figures(n, time.perf_counter() - begin)


def run_backtest(path: Path) -> dict[str, float]:
    """Run the rules that Claxon ships over a file."""
    from alerts.config import Config
    from alerts.default_rules import DEFAULT_RULES
    from service.backtest.running import RuleSet, backtest
    from service.backtest.sources import Source

    begin = time.perf_counter()
    result = backtest([Source(path)], RuleSet(name="", config=Config(), rules=DEFAULT_RULES))
    return _figures(result.events, time.perf_counter() - begin) | {"alerts": len(result.outcome.alerts)}


def _figures(n: int, seconds: float) -> dict[str, float]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"events": n, "seconds": seconds, "rate": n / seconds, "peak_mb": peak_mb}


def apart(what: str, path: Path) -> dict[str, float]:
    """Return the figures of a run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.backtest", "--run", what, str(path)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


# ── all of it ─────────────────────────────────────────────────────────────────


def compare(plain: Path, files: dict[str, Path]) -> bool:
    """Print a line for each form of a log; return whether all are within the bound."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(RUNS):
        for name, path in {"bare": plain, **files}.items():
            found = apart("bare" if name == "bare" else "backtest", path)
            if name not in best or found["rate"] > best[name]["rate"]:
                best[name] = found
    bare = best.pop("bare")["rate"]
    good = True
    for name, found in best.items():
        ratio = found["rate"] / bare
        good &= ratio >= BOUND
        said = "" if ratio >= BOUND else f"  MISSED: under {BOUND}"
        print(
            f"  {name:<6} {found['rate']:>11,.0f} events/s   bare {bare:>11,.0f}   ratio {ratio:.2f}   "
            f"{found['peak_mb']:>5.0f} MB   {found['alerts']:,.0f} alerts{said}",
            flush=True,
        )
    return good


def compressed(plain: Path) -> dict[str, Path]:
    """Write a file again with gzip and zstd, and return all three."""
    found = {"plain": plain, "gzip": plain.with_suffix(".gz"), "zstd": plain.with_suffix(".zst")}
    with plain.open("rb") as source, gzip.open(found["gzip"], "wb", compresslevel=6) as target:
        while piece := source.read(1 << 20):
            target.write(piece)
    with plain.open("rb") as source, found["zstd"].open("wb") as target:
        zstandard.ZstdCompressor(level=3).copy_stream(source, target)
    return found


def main() -> int:
    """Print all figures; return 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="logs whose name holds this")
    parser.add_argument("--no-memory", action="store_true", help="leave out the run with four times as many events")
    parser.add_argument("--run", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        what, path = options.run
        print(json.dumps(run_bare(Path(path)) if what == "bare" else run_backtest(Path(path))))
        return 0
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, make) in enumerate(LOGS.items()):
            if options.only not in name:
                continue
            plain = Path(folder) / f"{number}.ndjson"
            write(plain, make(options.events))
            print(f"{name}: {options.events:,} events, {plain.stat().st_size / 1e6:,.0f} MB", flush=True)
            good &= compare(plain, compressed(plain) if number == 0 else {"plain": plain})
            plain.unlink()
        if not options.no_memory:
            good &= memory(Path(folder), options.events)
    return 0 if good else 1


def memory(folder: Path, events: int) -> bool:
    """Print the peak of one and of four times as many events; return whether it stays."""
    peaks = []
    for n in (events, 4 * events):
        path = folder / "memory.ndjson"
        write(path, LOGS["fleet, 0.5 % failed"](n))
        peaks.append(apart("backtest", path)["peak_mb"])
        print(f"peak memory, {n:,} events: {peaks[-1]:.0f} MB", flush=True)
    return peaks[1] < peaks[0] * 1.1


if __name__ == "__main__":
    sys.exit(main())
