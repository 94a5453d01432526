"""How long a restart takes after kill -9, with millions of events in the log.

python -m benchmarks.restart [--events 5000000] [--keys 10000]

A process of its own fills the log through the service's own code, in batches of
500, an hour's worth of events; each key is an app of its own. It is killed with -9
when the next snapshot is nearly due, which is the worst moment. Then `claxon serve` starts on
what is left, and is asked until it is ready.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from alerts.default_rules import DEFAULT_RULES
from alerts.inhibition import DEFAULT_INHIBIT_RULES
from alerts.notifier import Notifier
from alerts.routes import Route
from benchmarks.server import Server
from service import cadence
from service.core import Core
from service.decoding import decode
from service.storage.database import open_database
from service.work import Ingest

BATCH = 500
HOUR_S = 3600.0
READY = "full"
BOUND_S = 3.0


def bodies(keys: int) -> Iterator[bytes]:
    """Yield batches without end: every key in turn, one event in a hundred failed."""
    chance = random.Random(1)
    names = [f"app-{i}" for i in range(keys)]
    while True:
        chance.shuffle(names)
        for start in range(0, keys - keys % BATCH, BATCH):
            yield msgspec.json.encode([_event(name, chance) for name in names[start : start + BATCH]])


def _event(app: str, chance: random.Random) -> dict[str, object]:
    status = 200 if chance.random() > 0.01 else chance.choice([429, 500, 529])
    found: dict[str, object] = {"model": "claude-sonnet-5", "app": app, "status": status, "input_tokens": 900}
    found |= {"output_tokens": 200, "duration_ms": 1200.0, "path": "/v1/messages"}
    return found if status == 200 else found | {"max_attempts": 3, "attempt": chance.choice([1, 3])}


def fill(folder: Path, events: int, keys: int) -> None:
    """Fill a log, say so, and wait to be killed."""
    begin = time.time() - HOUR_S
    clock = {"now": begin}
    core = Core(
        open_database(folder),
        DEFAULT_RULES,
        Notifier(Route(receiver="nobody"), DEFAULT_INHIBIT_RULES, external_url="http://127.0.0.1"),
        clock=lambda: clock["now"],
        targets=lambda _: [],
    )
    core.start()
    made = bodies(keys)
    posted = 0
    while posted < events or not _nearly_due(core):
        clock["now"] = min(begin + HOUR_S * posted / events, begin + HOUR_S)
        batch = decode(next(made), ndjson=False, received_at=clock["now"], app="default")
        done = core.ingest(Ingest(batch=batch, received_at=clock["now"], app="default", key=None))
        posted += BATCH
        if posted % (10 * BATCH) == 0:
            done.result()
            core.submit(core.tick).result()
    done.result()
    print(READY, posted, flush=True)
    time.sleep(600)


def _nearly_due(core: Core) -> bool:
    return core._cadence.waiting >= cadence.EVENTS - 20 * BATCH


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--fill", type=Path)
    options = parser.parse_args()
    if options.fill is not None:
        fill(options.fill, options.events, options.keys)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin = time.perf_counter()
        posted = _fill_and_kill(folder / "data", options.events, options.keys)
        print(f"{posted:,} events of {options.keys:,} keys logged in {time.perf_counter() - begin:.0f} s, then kill -9")
        size = sum(path.stat().st_size for path in (folder / "data").iterdir())
        server = Server(folder)
        ready = server.start()
        print(f"ready after {ready:.2f} s (bound {BOUND_S:g} s); database {size / 1e6:,.0f} MB")
        for metric, number in _metrics(server.port).items():
            print(f"  {metric:<32}{number:>16,.3f}")
        server.stop()


def _fill_and_kill(folder: Path, events: int, keys: int) -> int:
    command = [sys.executable, "-m", "benchmarks.restart", "--fill", str(folder)]
    command += ["--events", str(events), "--keys", str(keys)]
    filler = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert filler.stdout is not None
    said = next(line for line in filler.stdout if line.startswith(READY))
    filler.send_signal(signal.SIGKILL)
    filler.wait()
    return int(said.split()[1])


def _metrics(port: int) -> dict[str, float]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    text = opener.open(f"http://127.0.0.1:{port}/metrics").read().decode()
    wanted = "claxon_restart_seconds|claxon_replayed_events|claxon_ledger_mismatches_total|process_cpu_seconds_total"
    return {name: float(number) for name, number in re.findall(rf"^({wanted}) (\S+)", text, re.MULTILINE)}


if __name__ == "__main__":
    main()
