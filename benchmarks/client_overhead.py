"""What Claxon adds to one `messages.create`, in microseconds, beside what the SDK's own tracing adds.

    .venv/bin/python benchmarks/client_overhead.py [--rounds 3] [--blocks 30] [--block 25]

No network: a mock transport answers with one small message, behind the headers
the API really sends. Blocks of calls of a bare client and of an instrumented
one alternate in one process, so that the machine's noise hits both; the figure
is the median of the differences of neighbouring blocks' medians. Each mode and
round is a process of its own. Claxon ships to a local server meanwhile, in a
further process, with everything on.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

MESSAGE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 5},
}
HEADERS = {"request-id": "req_1", "anthropic-organization-id": "org_1"} | {
    f"anthropic-ratelimit-{kind}-{part}": value
    for kind in ("requests", "tokens", "input-tokens", "output-tokens")
    for part, value in (("limit", "50"), ("remaining", "40"), ("reset", "2026-11-23T12:00:00Z"))
}
CALL: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello"}],
}
SINK = """
import http.server
class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(202); self.send_header("content-length", "2"); self.end_headers(); self.wfile.write(b"{}")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_port, flush=True)
server.serve_forever()
"""
MODES = ("bare", "no-op middleware", "claxon", "claxon.watch", "SDK's own tracing")


def make(**more: Any) -> Any:
    """Return a client whose transport answers at once."""
    import anthropic
    import httpx2

    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=MESSAGE, headers=HEADERS))
    more.setdefault("open_telemetry", False)
    return anthropic.Anthropic(
        api_key="x",
        base_url="http://127.0.0.1:9",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
        **more,
    )


def prepare(mode: str, port: int) -> tuple[Any, Callable[[], None], Callable[[], None]]:
    """Return (client, switch on, switch off) of a mode."""
    if mode == "no-op middleware":
        return make(middleware=[lambda request, call_next: call_next(request)]), _nothing, _nothing
    if mode == "SDK's own tracing":
        return _traced(), _nothing, _nothing
    if mode == "bare":
        return make(), _nothing, _nothing
    import claxon

    url = f"http://127.0.0.1:{port}"
    if mode == "claxon.watch":
        return claxon.watch(make(), url=url), _nothing, _nothing
    client = make()
    return client, lambda: claxon.instrument(url=url), claxon.uninstrument


def _nothing() -> None:
    pass


def _traced() -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Null(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            del spans
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Null()))
    return make(open_telemetry={"tracer_provider": provider})


def child(mode: str, port: int, blocks: int, block: int) -> None:
    """Measure one mode and print a JSON line."""
    warnings.simplefilter("ignore")
    bare = make()
    client, on, off = prepare(mode, port)
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * blocks + 4):
        observed = number % 2 == 1
        if observed:
            on()
        gc.collect()
        median = _block(client if observed else bare, block)
        if observed:
            off()
        if number >= 4:
            times[observed].append(median)
    added = [with_it - without for with_it, without in zip(times[True], times[False], strict=True)]
    bare_us = statistics.median(times[False])
    print(json.dumps({"mode": mode, "added": statistics.median(added), "bare": bare_us}), flush=True)


def _block(client: Any, calls: int) -> float:
    """Return the median time of a call, in microseconds."""
    create, clock = client.messages.create, time.perf_counter_ns
    taken = []
    for _ in range(calls):
        began = clock()
        create(**CALL)
        taken.append(clock() - began)
    return statistics.median(taken) / 1000


def main() -> None:
    """Measure all modes and print a table; a missed bound is said, not raised: machines are noisy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=30)
    parser.add_argument("--block", type=int, default=25)
    parser.add_argument("--child", nargs=2, metavar=("MODE", "PORT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], int(given.child[1]), given.blocks, given.block)
        return
    report(measure(given.rounds, given.blocks, given.block))


def measure(rounds: int, blocks: int, block: int) -> list[dict[str, Any]]:
    """Return one row per mode and round."""
    sink = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    port = sink.stdout.readline().strip()
    sizes = ["--blocks", str(blocks), "--block", str(block)]
    rows = []
    try:
        for number in range(rounds):
            for mode in MODES if number % 2 == 0 else MODES[::-1]:
                command = [sys.executable, __file__, *sizes, "--child", mode, port]
                rows.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    finally:
        sink.kill()
        sink.wait()
    return rows


def report(rows: list[dict[str, Any]]) -> None:
    """Print the table, and whether the bounds are kept."""
    added = {mode: [row["added"] for row in rows if row["mode"] == mode] for mode in MODES}
    bare = statistics.median(row["bare"] for row in rows)
    tracing = statistics.median(added["SDK's own tracing"])
    print(f"bare call: {bare:.0f} us\n")
    print("| mode | added us, median | min to max | of what tracing adds |\n|---|---|---|---|")
    for mode, values in added.items():
        median = statistics.median(values)
        print(f"| {mode} | {median:.0f} | {min(values):.0f} to {max(values):.0f} | {median / tracing:.2f} |")
    ours = statistics.median(added["claxon"])
    kept = ours <= 80 and ours <= tracing / 4
    print(f"\nbounds: <= 80 us and <= {tracing / 4:.0f} us (a quarter of tracing): {'kept' if kept else 'NOT KEPT'}")


if __name__ == "__main__":
    main()
