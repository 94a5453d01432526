"""How long things take to start, and what the service weighs at rest.

python -m benchmarks.start
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

from benchmarks.server import Server


def import_ms(module: str, runs: int = 7) -> float:
    """Return what importing a module adds to a bare interpreter's start, in milliseconds."""

    def run(code: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return (time.perf_counter() - begin) * 1000

    pairs = [(run("pass"), run(f"import {module}")) for _ in range(runs)]
    return median(loaded - bare for bare, loaded in pairs)


def main() -> None:
    """Print the figures."""
    print(f"import claxon      {import_ms('claxon'):8.1f} ms over a bare interpreter")
    print(f"import anthropic   {import_ms('anthropic', 3):8.1f} ms, for comparison")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        ready = server.start()
        time.sleep(2)
        memory = psutil.Process(server.pid).memory_info().rss / 1e6
        server.stop()
        print(f"serve, until ready {ready:8.2f} s")
        print(f"memory at rest     {memory:8.1f} MB")


if __name__ == "__main__":
    main()
