"""Does it stay as fast as it was? By distinct keys up to 100,000, and by logged events up to 100 million.

python -m benchmarks.growth [--quick] [--only keys|events] [--folder DIR]: 7 min and 8 GB of disk; --quick: 2 min,
5 million

By keys, that is (app, path, model): a service of its own for each number, batches of 500 events of keys drawn in turn
from all, so that with 500 keys or more no two events of a batch share one, which is the hardest case; first while each
key is new, then all of them again and again; once where 3 % of the events failed, once where 0.3 % did. Then kill -9
and a restart; and what a tick of the engine takes while 100 of the keys fail.

By logged events: the log is written beforehand through the storage functions (benchmarks.prefill says what that leaves
out), then the service starts on it, takes events, is asked for failures, is killed with -9 and starts again.
"""

from __future__ import annotations

import http.client
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from benchmarks import results
from benchmarks.bodies import JSON, bare_decode_rate, json_bodies
from benchmarks.driving import drive
from benchmarks.prefill import fill
from benchmarks.records import make_events
from benchmarks.sending import Plan, request, send
from benchmarks.server import Server
from service.decoding import decode_logged

KEYS = (10, 100, 1_000, 10_000, 100_000)
LOGGED = (100_000, 1_000_000, 10_000_000, 100_000_000)
LOGGED_QUICK = (100_000, 1_000_000, 5_000_000)
BATCH = 500
CONNECTIONS = 4
FAILING, QUIET = 0.03, 0.003
"""Shares of the events that failed: as in every other benchmark, and as on a good day."""

ACTIVE = 100
QUERIES = 20
START = 1_790_000_000.0


def bodies_of_keys(keys: int, *, failing: float) -> list[bytes]:
    """Return batches that hold every key, and 20,000 events at least."""
    events = make_events(max(20_000, keys), seed=1, failing=failing)
    places = [i % keys for i in range(len(events))]
    random.Random(1).shuffle(places)
    for event, i in zip(events, places, strict=True):
        event["app"], event["path"], event["model"] = _key(i)
    return json_bodies(events, BATCH)


def _key(i: int) -> tuple[str, str, str]:
    return f"app-{i % 100}", f"/chat/{i // 100 % 20}", f"model-{i // 2000}"


def by_keys(keys: int, seconds: float) -> dict[str, Any]:
    """Return the figures with so many keys, of which each fails now and then; and the rate where nearly none does."""
    quiet_s = _of_keys(keys, seconds, failing=QUIET)["events_s"]
    return {"keys": keys, "quiet_s": quiet_s} | _of_keys(keys, seconds, failing=FAILING) | {"tick_ms": tick_ms(keys)}


def _of_keys(keys: int, seconds: float, *, failing: float) -> dict[str, Any]:
    bodies = bodies_of_keys(keys, failing=failing)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        plan = Plan(
            port=server.port, requests=_requests(server, bodies), connections=CONNECTIONS, seconds=60, once=True
        )
        new_s = send(plan).per_second * BATCH
        found = {"new_s": new_s} | _ingest(server, bodies, seconds)
        server.kill()
        found["restart_s"] = server.start()
    return found


def _requests(server: Server, bodies: list[bytes]) -> list[bytes]:
    return [request("/v1/events", body, JSON, port=server.port) for body in bodies]


def _ingest(server: Server, bodies: list[bytes], seconds: float) -> dict[str, Any]:
    events = len(bodies) * BATCH
    bare = bare_decode_rate(bodies, events, seconds=0.5)
    plan = Plan(port=server.port, requests=_requests(server, bodies), connections=CONNECTIONS, seconds=seconds)
    sent, use = drive(plan, server.pid)
    bare = (bare + bare_decode_rate(bodies, events, seconds=0.5)) / 2
    return {
        "events_s": sent.per_second * BATCH,
        "ratio": sent.per_second * BATCH / bare,
        "bare_s": bare,
        "memory_mb": use.memory_mb,
        "others_cores": use.others_cores,
        "refused": len(sent.answers) - len(sent.taken),
    }


def tick_ms(keys: int) -> float:
    """Return the median milliseconds of a tick of the engine in which, of so many keys, 100 failed."""
    engine = Engine(DEFAULT_RULES)
    for start in range(0, keys, BATCH):
        engine.observe(_heard(range(start, min(start + BATCH, keys)), START, status=200), START)
    engine.tick(START + 1)
    took = []
    for second in range(2, 32):
        now = START + second
        engine.observe(_heard([i * 997 % keys for i in range(min(ACTIVE, keys))], now, status=500), now)
        began = time.perf_counter()
        engine.tick(now + 1)
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


def _heard(places: Any, at: float, *, status: int) -> Any:
    events = [dict(zip(("app", "path", "model"), _key(i), strict=True)) | {"status": status} for i in places]
    return decode_logged(msgspec.json.encode(events), received_at=at, app="default", skip=[])


def by_events(logged: int, seconds: float, folder: Path | None) -> dict[str, Any]:
    """Return the figures with so many events in the log."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        data = Path(name) / "data"
        filled_s = fill(data, logged)
        size = sum(path.stat().st_size for path in data.iterdir())
        print(f"{logged:,} events written in {filled_s:.0f} s, {size / logged:.0f} bytes each", flush=True)
        server = Server(Path(name))
        start_s = server.start()
        try:
            found = _ingest(server, json_bodies(make_events(20_000, seed=1), BATCH), seconds)
            found["query_ms"] = query_ms(server.port)
            server.kill()
            restart_s = server.start()
        finally:
            server.stop()
    return {"logged": logged, "bytes_an_event": size / logged, "start_s": start_s} | found | {"restart_s": restart_s}


def query_ms(port: int) -> dict[str, float] | None:
    """Return how long the newest failures of an app take to be found, in milliseconds; None: it cannot be asked."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for i in range(QUERIES):
        began = time.perf_counter()
        connection.request("GET", f"/v1/events?app=app-{i}&limit=100")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            return None
        took.append((time.perf_counter() - began) * 1000)
    return {"median": median(took), "max": max(took)}


def main() -> None:
    """Measure, print and write."""
    parser = results.options(__doc__, full="7 min", quick="2 min")
    parser.add_argument("--only", choices=["keys", "events"])
    parser.add_argument("--folder", type=Path, help="where the large log is made, and removed again")
    options = parser.parse_args()
    seconds = 3.0 if options.quick else 20.0
    if options.only in (None, "keys"):
        rows = []
        for keys in KEYS:
            rows.append(by_keys(keys, seconds))
            print(_line(f"{keys:,} keys", rows[-1]), flush=True)
        results.write(
            "growth_keys", {"batch": BATCH, "seconds": seconds, "rows": rows}, quick=options.quick, out=options.out
        )
    if options.only in (None, "events"):
        rows = []
        for logged in LOGGED_QUICK if options.quick else LOGGED:
            rows.append(by_events(logged, seconds, options.folder))
            print(_line(f"{logged:,} logged", rows[-1]), flush=True)
        results.write(
            "growth_events", {"batch": BATCH, "seconds": seconds, "rows": rows}, quick=options.quick, out=options.out
        )


def _line(name: str, row: dict[str, Any]) -> str:
    said = f"{name:>18}: {row['events_s']:>9,.0f} events/s, {row['ratio']:.3f} of bare, {row['memory_mb']:.0f} MB"
    said += f", restart after kill -9 {row['restart_s']:.2f} s"
    if "tick_ms" in row:
        said += f"; where 0.3 % fail {row['quiet_s']:,.0f} events/s; while keys are new {row['new_s']:,.0f}"
        said += f"; tick {row['tick_ms']:.1f} ms"
    if row.get("query_ms"):
        said += f", query {row['query_ms']['median']:.1f} ms, {row['query_ms']['max']:.1f} at most"
    return said + f", others {row['others_cores']:.2f} cores"


if __name__ == "__main__":
    main()
