"""What Claxon adds to one call of the SDK, in microseconds, beside what others add in the same run.

python -m benchmarks.client_overhead [--quick] [--peers DIR] [--rounds 3]: 5 min with three rounds; --quick: 1 min

Calls that are answered at once by a mock transport (benchmarks/overhead_clients.py), sync and async, whole and
streamed. Each mode and round is a process of its own, in which blocks of bare calls and of observed ones alternate;
the modes take turns, forwards and backwards. Claxon ships to a local server meanwhile, in a further process, with
everything on; what makes spans hands them to a batch processor whose exporter drops them, and records no content.

OpenInference is installed by this into an environment of its own under --peers, or $CLAXON_PEERS, else one that is
thrown away; with the same SDK. Where it cannot be, it has no row.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.overhead_clients import MODES, SHAPES

NAME = "client_overhead"
OPENINFERENCE = "openinference-instrumentation-anthropic==3.1.0"
SHARED = ("anthropic", "httpx2", "opentelemetry-sdk", "opentelemetry-instrumentation")
"""Of the same versions in both environments."""

TELEMETRY_US, ALL_US, SHARE = 80.0, 200.0, 0.25
"""The goals: telemetry alone, in microseconds and as a share of the SDK's own tracing; all of `production()`."""

OURS = "claxon.instrument"
ALL = "claxon.production"
TRACING = "the SDK's own tracing"

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


def install(peers: Path) -> str | None:
    """Install OpenInference beside the SDK as it is here, if it is not there; return why it cannot be."""
    folder = peers / "openinference"
    python = _python(folder)
    same = [f"{name}=={importlib.metadata.version(name)}" for name in SHARED]
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", OPENINFERENCE, *same],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{OPENINFERENCE} cannot be installed: {done.stderr.strip().splitlines()[-1:]}"
    return None


def _python(folder: Path) -> Path:
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def measure(rounds: int, blocks: int, block: int, *, peers: Path) -> dict[str, Any]:
    """Return what each mode added in each round, by shape."""
    missing = install(peers)
    modes = [mode for mode in MODES if mode != "OpenInference" or missing is None]
    sink = subprocess.Popen([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    port = sink.stdout.readline().strip()
    rows: list[dict[str, Any]] = []
    try:
        for number in range(rounds):
            for mode in modes if number % 2 == 0 else modes[::-1]:
                python = str(_python(peers / "openinference")) if mode == "OpenInference" else sys.executable
                found = _one([python, str(Path(__file__).with_name("overhead_clients.py")), mode, port], blocks, block)
                rows.append({"mode": mode, "round": number + 1, "shapes": found})
    finally:
        sink.kill()
        sink.wait()
    return {"rounds": rounds, "blocks": blocks, "block": block, "left_out": missing, "rows": rows} | _versions()


def _one(command: list[str], blocks: int, block: int) -> dict[str, dict[str, float]]:
    done = subprocess.run([*command, str(blocks), str(block)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[2]}: {done.stderr}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _versions() -> dict[str, Any]:
    names = ("anthropic", "opentelemetry-sdk", "opentelemetry-instrumentation-anthropic")
    return {"versions": {name: importlib.metadata.version(name) for name in names} | _split(OPENINFERENCE)}


def _split(requirement: str) -> dict[str, str]:
    name, _, version = requirement.partition("==")
    return {name: version}


def added(result: dict[str, Any], mode: str, shape: str) -> list[float]:
    """Return what a mode added in each round, in microseconds."""
    return [row["shapes"][shape]["added_us"] for row in result["rows"] if row["mode"] == mode]


def report(result: dict[str, Any]) -> None:
    """Print the table, and whether the goals are met; a missed one is said, not raised: machines are noisy."""
    bare = {s: median(row["shapes"][s]["bare_us"] for row in result["rows"]) for s in SHAPES}
    print("us added to a call, median (least to most); bare: " + ", ".join(f"{s} {us:.0f}" for s, us in bare.items()))
    print(f"\n| mode | {' | '.join(SHAPES)} |\n|---|{'---|' * len(SHAPES)}")
    for mode in dict.fromkeys(row["mode"] for row in result["rows"]):
        cells = []
        for shape in SHAPES:
            values = added(result, mode, shape)
            cells.append(f"{median(values):.0f} ({min(values):.0f} to {max(values):.0f})")
        print(f"| {mode} | {' | '.join(cells)} |")
    for shape in SHAPES:
        ours, tracing, whole = (median(added(result, mode, shape)) for mode in (OURS, TRACING, ALL))
        kept = ours <= TELEMETRY_US and ours <= SHARE * tracing and whole <= ALL_US
        said = f"telemetry {ours:.0f} us, {ours / tracing:.2f} of tracing; all {whole:.0f} us"
        print(f"{shape}: {said}: {'kept' if kept else 'NOT KEPT'}")


def main() -> None:
    """Measure all modes, print a table and write the result."""
    parser = results.options(__doc__, full="5 min", quick="1 min")
    parser.add_argument("--peers", type=Path, metavar="DIR", default=os.environ.get("CLAXON_PEERS"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--block", type=int, default=50)
    given = parser.parse_args()
    rounds, blocks = (1, 8) if given.quick else (given.rounds, given.blocks)
    with tempfile.TemporaryDirectory() as name:
        found = measure(rounds, blocks, given.block, peers=Path(given.peers or name))
    report(found)
    results.write(NAME, found, quick=given.quick, out=given.out)


if __name__ == "__main__":
    main()
