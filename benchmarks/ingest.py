"""Durable ingest over HTTP, against bare msgspec decoding of the same bodies in the same run.

The service is one process, the load another: NDJSON-free JSON arrays of events of about
370 bytes over keep-alive connections. Durable means that the 202 comes after the commit
(SQLite, synchronous=FULL). Usage: python -m benchmarks.ingest [--seconds 8] [--batch 500] [--connections 4] [--zstd]
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psutil
import zstandard
from claxon.event import Event

from benchmarks.server import Server


def make_events(n: int, *, seed: int, failing: float = 0.03) -> list[dict[str, Any]]:
    """Return events of 20 apps, 7 paths, 2 models, 3 % of which failed."""
    r = random.Random(seed)
    now = time.time()
    events = []
    for i in range(n):
        failed = r.random() < failing
        events.append(
            {
                "time": round(now - (n - i) / 50_000, 3),
                "app": f"app-{i % 20}",
                "path": f"/chat/{i % 7}",
                "model": r.choice(["claude-sonnet-4-5", "claude-haiku-4-5"]),
                "attempt": 1,
                "max_attempts": 3,
                "final": True,
                "tokens": 1024,
                "input_tokens": r.randint(10, 5000),
                "output_tokens": r.randint(1, 1024),
                "duration_ms": round(r.expovariate(1 / 800), 1),
                "request_id": f"req_{r.getrandbits(96):024x}",
                "call_id": f"{r.getrandbits(128):032x}",
                "trace_id": f"{r.getrandbits(128):032x}",
                "status": 500 if failed else 200,
                "error_type": "api_error" if failed else None,
            }
        )
    return events


def load(port: int, batch: int, seconds: float, zstd: bool, seed: int, out: Any) -> None:
    """Post batches for a while over one connection; report (events, latencies)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json"} | ({"Content-Encoding": "zstd"} if zstd else {})
    bodies = [json.dumps(make_events(batch, seed=seed * 1000 + i)).encode() for i in range(20)]
    if zstd:
        bodies = [zstandard.ZstdCompressor(level=3, write_checksum=True).compress(body) for body in bodies]
    sent, latencies, end = 0, [], time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        connection.request("POST", "/v1/events", bodies[len(latencies) % 20], headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 202:
            sent += batch
        latencies.append(time.perf_counter() - begin)
    out.put((sent, latencies))


def decode_rate(batch: int, seconds: float = 1.0) -> float:
    """Return events per second that msgspec alone decodes."""
    bodies = [json.dumps(make_events(batch, seed=i)).encode() for i in range(20)]
    decoder = msgspec.json.Decoder(list[Event])
    n, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        decoder.decode(bodies[n % 20])
        n += 1
    return n * batch / (time.perf_counter() - begin)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return the figures of one run."""
    bare = decode_rate(options.batch)
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        results: multiprocessing.Queue[Any] = multiprocessing.Queue()
        arguments = (server.port, options.batch, options.seconds, options.zstd)
        workers = [
            multiprocessing.Process(target=load, args=(*arguments, i, results)) for i in range(options.connections)
        ]
        cpu = psutil.Process(server.pid).cpu_times()
        for worker in workers:
            worker.start()
        found = [results.get(timeout=options.seconds + 60) for _ in workers]
        for worker in workers:
            worker.join()
        after = psutil.Process(server.pid)
        used = sum(after.cpu_times()[:2]) - sum(cpu[:2])
        memory = after.memory_info().rss / 1e6
    events = sum(sent for sent, _ in found)
    latencies = sorted(s for _, many in found for s in many)
    return {
        "events/s": events / options.seconds,
        "bare msgspec/s": bare,
        "ratio": events / options.seconds / bare,
        "CPU s per 100k": used / max(events, 1) * 100_000,
        "p50 ms": median(latencies) * 1000,
        "p99 ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "memory MB": memory,
    }


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--zstd", action="store_true")
    options = parser.parse_args()
    for name, figure in measure(options).items():
        print(f"{name:>16}  {figure:,.2f}")


if __name__ == "__main__":
    main()
