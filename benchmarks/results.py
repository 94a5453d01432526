"""Results: what a benchmark measured, as JSON; docs/performance.md and its pictures are made of it.

A file a benchmark, benchmarks/results/NAME.json; `python -m docs.performance_figures` writes the page anew.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from benchmarks.footprint import machine

FOLDER = Path(__file__).parent / "results"


def options(doc: str | None, *, full: str, quick: str) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark here takes; the two texts say how long it takes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"small sizes: {quick} instead of {full}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where NAME.json goes (default: benchmarks/results)")
    return parser


def write(name: str, found: dict[str, Any], *, quick: bool, out: Path | None = None) -> None:
    """Write a result, with the machine it was found on."""
    path = (out or FOLDER) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    whole = {"day": day, "quick": quick, "machine": machine()} | found
    path.write_text(json.dumps(_rounded(whole), indent=1) + "\n")
    print(f"\nwritten: {path.name}; `python -m docs.performance_figures` takes it into docs/performance.md", flush=True)


def read(name: str) -> dict[str, Any]:
    """Return the result of a benchmark."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def _rounded(value: Any) -> Any:
    """Return the same with four significant digits: what is behind them is noise."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value
