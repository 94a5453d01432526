"""Claxon, Arize Phoenix, MLflow and a bare FastAPI endpoint: the same records, the same machine, the same run, in turn.

python -m benchmarks.peers [--quick] [--peers DIR] [--only NAME ...]: 20 min with three rounds; --quick: 4 min, one
round

Phoenix and MLflow are installed by this into environments of their own under --peers, or $CLAXON_PEERS, a folder
outside of the tree (1.7 GB, some minutes, once); one that cannot be installed is said to be, and has no row. Each
round starts each of them anew on an empty folder, warms it up, sends batches of 500 records over 4 connections, and
asks its own API until all are there. Then: how long one record by itself takes until it is seen; and, on another
empty folder, kill -9 under load, a restart, and a count.

The records are those of benchmarks.records, 370 bytes as JSON; Phoenix and MLflow get them as OTLP spans, as Claxon's
third row does. A JSON row is measured for a fixed time, an OTLP row for a fixed number of records, each span once.
"""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.bodies import JSON, PROTOBUF, ZSTD, Record, bare_decode_rate, batches, json_bodies, otlp_body, zstd_body
from benchmarks.footprint import Footprint
from benchmarks.null_server import ceiling
from benchmarks.peer_servers import Form, Running, Target, install, targets
from benchmarks.records import make_events
from benchmarks.sending import Plan, Sending, latencies_ms, percentile, request

NAME = "peers"
BATCH = 500
CONNECTIONS = 4
RECORDS = 100_000
"""Distinct records that a JSON row sends again and again."""

LONGEST_S = 90.0
"""How long an OTLP row is sent, and then waited for, at most."""

HEADERS = {Form.JSON: JSON, Form.ZSTD: ZSTD, Form.OTLP: PROTOBUF}


class NoSuchDoorError(Exception):
    """It does not take what it was sent."""


def bodies(target: Target, n: int, batch: int, *, seed: int) -> list[bytes]:
    """Return n records in the target's form."""
    return [body_of(target, records) for records in batches(make_events(n, seed=seed), batch)]


def body_of(target: Target, records: Sequence[Record]) -> bytes:
    """Return records in the target's form."""
    if target.form is Form.OTLP:
        return otlp_body(records)
    body = json.dumps(records).encode()
    return zstd_body(body) if target.form is Form.ZSTD else body


def measure(target: Target, *, seed: int, seconds: float, share: float, probes: int) -> dict[str, Any]:
    """Return the figures of one target in one round.

    Args:
        target: What is measured.
        seed: Of the records.
        seconds: How long a JSON row is sent.
        share: Of the records of an OTLP row.
        probes: How often one record is sent by itself.
    """
    with tempfile.TemporaryDirectory() as folder, Running(target, Path(folder)) as server:
        _warm(server)
        base = server.count()
        plan = _plan(server, seed=seed, seconds=seconds, share=share)
        footprint = Footprint(server.pid)
        with Sending(plan) as sending:
            while (sent := sending.wait(0.25)) is None:
                footprint.look()
        acknowledged = len(sent.taken) * BATCH
        stored, seen_s = _wait_for(server, base, acknowledged, since=sent.began_at)
        use = footprint.use(load_s=sent.cpu_s)
        latencies = latencies_ms(sent.taken)
        return {
            "acknowledged": acknowledged,
            "acknowledged_s": sent.per_second * BATCH,
            "queryable": stored,
            "queryable_s": stored / max(seen_s, sent.took_s) if stored is not None else None,
            "behind_s": max(0.0, seen_s - sent.took_s) if stored is not None else None,
            "one_record_s": _probe(server, probes) if stored is not None else None,
            "cpu_s_100k": use.cpu_s / max(acknowledged, 1) * 1e5,
            "memory_mb": use.memory_mb,
            "others_cores": use.others_cores,
            "statuses": {str(status): n for status, n in sent.statuses().items()},
            "p50_ms": percentile(latencies, 0.5),
            "p99_ms": percentile(latencies, 0.99),
        }


def _plan(server: Running, *, seed: int, seconds: float, share: float) -> Plan:
    target = server.target
    once = target.records is not None
    n = int((target.records or RECORDS) * (share if once else 1)) // BATCH * BATCH
    headers = HEADERS[target.form] | target.headers
    made = [request(target.path, body, headers, port=server.port) for body in bodies(target, n, BATCH, seed=seed)]
    seconds = LONGEST_S if once else seconds
    return Plan(port=server.port, requests=made, connections=CONNECTIONS, seconds=seconds, once=once)


def _warm(server: Running) -> None:
    """Post a few batches, each over a connection of its own, so that every worker process has seen one."""
    target = server.target
    for i in range(target.warm):
        (body,) = bodies(target, target.warm_records, target.warm_records, seed=10_000 + i)
        status = _post(server, body)
        if status == 404:
            raise NoSuchDoorError(f"{target.title}: this version has no {target.path}")
        if not 200 <= status < 300:
            raise RuntimeError(f"{target.title}: answered {status}")
    _wait_for(server, 0, target.warm * target.warm_records, since=time.perf_counter())


def _post(server: Running, body: bytes) -> int:
    target = server.target
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", target.path, body, HEADERS[target.form] | target.headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def _wait_for(server: Running, base: int | None, n: int, *, since: float) -> tuple[int | None, float]:
    """Ask until n more than a base are there; return how many are, and the seconds since an instant.

    A count must not be a load itself: the longer it takes, the more rarely it is asked for.
    """
    while True:
        began = time.perf_counter()
        count = server.count()
        passed = time.perf_counter() - since
        if count is None or base is None:
            return None, passed
        if count - base >= n or passed > 2 * LONGEST_S:
            return count - base, passed
        time.sleep(max(0.005, 2 * (time.perf_counter() - began), passed / 50))


def _probe(server: Running, probes: int) -> float:
    """Return the median seconds from the answer for one record to when it is found, or counted."""
    took = []
    for i in range(probes):
        base = server.count()
        (record,) = make_events(1, seed=20_000 + i)
        _post(server, body_of(server.target, [record]))
        answered = time.perf_counter()
        find = server.target.find
        if find is None:
            took.append(_wait_for(server, base, 1, since=answered)[1])
            continue
        while not find(server.port, record["request_id"]) and time.perf_counter() < answered + LONGEST_S:
            time.sleep(0.002)
        took.append(time.perf_counter() - answered)
    return median(took)


def after_kill(target: Target, *, seed: int, seconds: float, share: float) -> dict[str, Any]:
    """Return how many acknowledged records are there after kill -9 under load and a restart."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Running(target, folder) as server:
            _warm(server)
            with Sending(_plan(server, seed=seed, seconds=seconds * 3, share=share)) as sending:
                sent = sending.wait(seconds)
                server.kill()
                sent = sent or sending.wait(LONGEST_S)
            assert sent is not None
            acknowledged = len(sent.taken) * BATCH + target.warm * target.warm_records
            began = time.perf_counter()
            server.start()
            restart_s = time.perf_counter() - began
            kept = _kept(server, acknowledged)
        return {
            "acknowledged": acknowledged,
            "kept": kept,
            "lost": max(0, acknowledged - kept),
            "restart_s": restart_s,
        }


def _kept(server: Running, acknowledged: int) -> int:
    if server.target.kept is not None:
        server.stop()
        return server.target.kept(server.folder)
    # What is written late is given its time: until nothing more has come for three seconds.
    end = time.monotonic() + 3
    most = 0
    while most < acknowledged and time.monotonic() < end:
        if (count := server.count() or 0) > most:
            most, end = count, time.monotonic() + 3
        time.sleep(0.2)
    return most


def main() -> None:
    """Measure all of them, print and write the figures."""
    parser = results.options(__doc__, full="20 min", quick="4 min")
    parser.add_argument("--peers", type=Path, default=os.environ.get("CLAXON_PEERS"), help="where the peers are, or go")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these targets only")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 3)
    sizes = {"seconds": 2.0 if options.quick else 8.0, "share": 0.5 if options.quick else 1.0}
    chosen, missing = _chosen(options.only, options.peers)
    found: dict[str, dict[str, Any]] = {target.name: _about(target) for target in chosen}
    bare = []
    for i in range(rounds):
        bare.append(_bare())
        for target in chosen if i % 2 == 0 else chosen[::-1]:
            if target.name in missing:
                continue
            try:
                one = measure(target, seed=i + 1, probes=3 if options.quick else 9, **sizes)
                killed = after_kill(target, seed=i + 101, **sizes)
            except (NoSuchDoorError, RuntimeError, OSError) as fault:
                missing[target.name] = str(fault)
                continue
            found[target.name]["rounds"].append(one | {"after_kill": killed})
            print(_line(target, one, killed), flush=True)
    for name, why in missing.items():
        print(f"{name}: left out: {why}")
    whole = {
        "batch": BATCH,
        "connections": CONNECTIONS,
        "bare_s": median(bare),
        "sender_s": _ceiling(),
        "targets": [one for one in found.values() if one["rounds"]],
        "left_out": missing,
    }
    results.write(NAME, whole, quick=options.quick, out=options.out)


def _chosen(only: list[str] | None, peers: Path | None) -> tuple[list[Target], dict[str, str]]:
    """Return what is measured, and what of it cannot be, with the reason."""
    chosen = [target for target in targets(peers or Path()) if not only or target.name in only]
    missing = {}
    for target in chosen:
        why = "name a folder for it by --peers" if target.requirement and peers is None else None
        why = why or (install(target, peers) if peers is not None else None)
        if why is not None:
            missing[target.name] = why
    return chosen, missing


def _about(target: Target) -> dict[str, Any]:
    return {"name": target.name, "title": target.title, "note": target.note, "form": target.form.value, "rounds": []}


def _bare() -> float:
    records = make_events(10_000, seed=1)
    return bare_decode_rate(json_bodies(records, BATCH), len(records))


def _ceiling() -> float:
    made = [request("/v1/events", body, JSON, port=0) for body in json_bodies(make_events(10_000, seed=1), BATCH)]
    return ceiling(made, connections=CONNECTIONS).per_second * BATCH


def _line(target: Target, one: dict[str, Any], killed: dict[str, Any]) -> str:
    queryable = f"{one['queryable_s']:,.0f}" if one["queryable_s"] is not None else "-"
    behind = f"{one['behind_s']:.2f}" if one["behind_s"] is not None else "-"
    probe = f"{one['one_record_s'] * 1000:.0f}" if one["one_record_s"] is not None else "-"
    return (
        f"{target.name:>14}: acknowledged {one['acknowledged_s']:>9,.0f}/s, queryable {queryable:>9}/s, "
        f"{behind} s behind, one record after {probe} ms, "
        f"CPU {one['cpu_s_100k']:.2f} s/100k, {one['memory_mb']:,.0f} MB, "
        f"kill -9: lost {killed['lost']:,} of {killed['acknowledged']:,}, back after {killed['restart_s']:.1f} s, "
        f"others {one['others_cores']:.2f} cores"
    )


if __name__ == "__main__":
    main()
