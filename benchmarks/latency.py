"""How long a batch takes from when it should be sent to its 202, by load; and what happens beyond the highest load.

python -m benchmarks.latency [--quick] [--batch 100]: 5 min; --quick: 1 min

First the highest rate is found: a closed loop over 16 connections. Then 10, 50 and 80 % of it in an open loop over
64: request k is due at k / rate and its latency counts from there, so a pause is charged for all that it delays. Then
`benchmarks.overload`: 150 % of the highest rate, and half of it while the disk stands still, both over 1024
connections; afterwards the log is counted.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.bodies import bare_decode_rate, json_bodies, json_requests
from benchmarks.driving import drive
from benchmarks.null_server import NullServer
from benchmarks.overload import overload, stalled
from benchmarks.records import make_events
from benchmarks.sending import Plan, Sent, latencies_ms, percentile, send
from benchmarks.server import Server

NAME = "latency"
SHARES = (0.1, 0.5, 0.8)
EVENTS = 20_000


@dataclass(frozen=True, kw_only=True)
class Times:
    """How long each part is, in seconds."""

    search: float
    share: float
    overload: float
    before: float
    stall: float
    after: float


FULL = Times(search=20, share=60, overload=30, before=5, stall=10, after=10)
QUICK = Times(search=4, share=8, overload=6, before=2, stall=4, after=4)


def sender_error(rate: float, *, batch: int) -> dict[str, float]:
    """Return the latencies that the sender itself measures of a server that does nothing, in milliseconds."""
    with NullServer() as server:
        requests = json_requests(EVENTS, batch, port=server.port)
        return _latencies(
            send(Plan(port=server.port, requests=requests, connections=64, seconds=3, rate=rate / batch)), batch
        )


def shares(batch: int, times: Times) -> tuple[float, list[dict[str, Any]]]:
    """Return the highest rate, in events per second, and the latencies at shares of it."""
    found = []
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        requests = json_requests(EVENTS, batch, port=server.port)
        plan = Plan(port=server.port, requests=requests, connections=16, seconds=times.search)
        highest = drive(plan, server.pid)[0].per_second * batch
        print(f"highest rate {highest:,.0f} events/s", flush=True)
        for share in SHARES:
            requests = json_requests(EVENTS, batch, port=server.port)
            rate = highest * share / batch
            plan = Plan(port=server.port, requests=requests, connections=64, seconds=times.share, rate=rate)
            sent, use = drive(plan, server.pid)
            found.append({"share": share, "rate_s": highest * share} | _latencies(sent, batch))
            found[-1] |= {"memory_mb": use.memory_mb, "others_cores": use.others_cores}
            print(_line(found[-1]), flush=True)
    return highest, found


def _latencies(sent: Sent, batch: int) -> dict[str, Any]:
    took = latencies_ms(sent.answers)
    return {
        "requests": len(took),
        "taken_s": sent.per_second * batch,
        "refused": len(sent.answers) - len(sent.taken),
        "unsent": sent.unsent,
        "p50_ms": percentile(took, 0.5),
        "p99_ms": percentile(took, 0.99),
        "p999_ms": percentile(took, 0.999),
        "max_ms": took[-1] if took else 0.0,
    }


def main() -> None:
    """Measure, print and write all of it."""
    parser = results.options(__doc__, full="5 min", quick="1 min")
    parser.add_argument("--batch", type=int, default=100)
    options = parser.parse_args()
    times = QUICK if options.quick else FULL
    bare = bare_decode_rate(json_bodies(make_events(EVENTS, seed=1), options.batch), EVENTS)
    highest, found = shares(options.batch, times)
    alone = sender_error(highest * SHARES[-1], batch=options.batch)
    print(f"the sender by itself at 80 %: p50 {alone['p50_ms']:.2f} p99 {alone['p99_ms']:.2f} ms", flush=True)
    over = overload(highest * 1.5, batch=options.batch, seconds=times.overload)
    print("150 %:", _fate(over), flush=True)
    stall = stalled(highest * 0.5, batch=options.batch, before_s=times.before, stall_s=times.stall, after_s=times.after)
    print("the disk stands still:", _fate(stall), flush=True)
    whole = {"batch": options.batch, "bare_s": bare, "highest_s": highest, "shares": found, "sender": alone}
    results.write(NAME, whole | {"overload": over, "stall": stall}, quick=options.quick, out=options.out)


def _line(one: dict[str, Any]) -> str:
    return (
        f"{one['share']:.0%}: {one['requests']:,} requests, p50 {one['p50_ms']:.2f} p99 {one['p99_ms']:.2f} "
        f"p99.9 {one['p999_ms']:.2f} max {one['max_ms']:.1f} ms, refused {one['refused']}, unsent {one['unsent']}, "
        f"others {one['others_cores']:.2f} cores"
    )


def _fate(one: dict[str, Any]) -> str:
    refused, taken = one["refused_ms"], one["taken_ms"]
    return (
        f"{one['statuses']}; refused after p50 {refused['p50']:.1f} p99 {refused['p99']:.1f} ms, "
        f"{one['with_retry_after']} of {one['refused']} with Retry-After; "
        f"unsent {one['unsent']}; taken after p50 {taken['p50']:.0f} p99 {taken['p99']:.0f} ms; "
        f"acknowledged {one['acknowledged']:,}, logged {one['logged']:,}, lost {one['lost']}; {one['memory_mb']:.0f} MB"
    )


if __name__ == "__main__":
    main()
