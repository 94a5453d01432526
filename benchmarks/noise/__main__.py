"""What the default rules, and others, do on real failure shares with real arrivals.

    python -m benchmarks.noise [--quick] [--volumes 8 20 100 1000] [--orders time] [--shapes exhausted] [--json FILE]

Without options: all twelve series at 8, 100 and 1,000 calls in 5 min, both shapes of failures in the
order of time, and one at 100 calls in each of the other orders. `--quick` takes three series.
docs/noise.md has the tables and says what they mean.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from alerts.decisions import Transition

from .figures import Figures, figures, fired
from .replay import Order, Shape, replay
from .told import pages
from .truth import SERIES
from .variants import SETS, VARIANTS

QUICK = ("claude-opus-4.8/anthropic", "claude-sonnet-4.6/anthropic/2", "claude-haiku-4.5/anthropic")


class Run(NamedTuple):
    """One pass over all series."""

    calls_per_5m: float
    shape: Shape
    order: Order
    seed: int


class Row(msgspec.Struct, kw_only=True):
    """One line of a table: a rule by itself, or a set of rules in one mode."""

    calls_per_5m: float
    shape: str
    order: str
    seed: int
    name: str
    mode: str
    figures: Figures


def main() -> int:
    """Run, print tables as they come, write JSON at the end."""
    options = _options()
    series = QUICK if options.quick else SERIES
    rows: list[Row] = []
    with multiprocessing.Pool(options.workers) as pool:
        for run in _runs(options):
            jobs = [(name, run) for name in series]
            found = dict(zip(series, pool.starmap(_replay, jobs, chunksize=1), strict=True))
            new = list(_rows(run, found))
            print("\n".join(_table(run, new)), flush=True)
            rows += new
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noise")
    parser.add_argument("--quick", action="store_true", help="three series instead of twelve")
    parser.add_argument("--volumes", type=float, nargs="+", help="calls in 5 min, on average")
    parser.add_argument("--shapes", type=Shape, nargs="+", choices=list(Shape))
    parser.add_argument("--orders", type=Order, nargs="+", choices=list(Order))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _runs(options: argparse.Namespace) -> list[Run]:
    chosen = bool(options.volumes or options.shapes or options.orders)
    volumes = options.volumes or [8, 100, 1000]
    shapes = options.shapes or ([Shape.EXHAUSTED] if chosen else list(Shape))
    orders = options.orders or [Order.TIME]
    runs = [Run(v, shape, order, options.seed) for v in volumes for shape in shapes for order in orders]
    if not chosen:
        runs += [Run(100, Shape.EXHAUSTED, order, options.seed) for order in Order if order is not Order.TIME]
    return runs


def _replay(series: str, run: Run) -> list[Transition]:
    return replay(
        series,
        VARIANTS.values(),
        calls_per_5m=run.calls_per_5m,
        shape=run.shape,
        order=run.order,
        seed=run.seed,
    )


def _rows(run: Run, found: dict[str, list[Transition]]) -> Iterable[Row]:
    def row(name: str, mode: str, counted: Figures) -> Row:
        return Row(**run._asdict(), name=name, mode=mode, figures=counted)

    for name in VARIANTS:
        told = {series: fired(transitions, name) for series, transitions in found.items()}
        yield row(name, "", figures(told, VARIANTS))
    for rules in SETS:
        chosen = {name: VARIANTS[name] for name in rules.rules}
        for mode in ("each", "one"):
            told = {
                series: pages(
                    [t for t in transitions if t.alert.labels["alertname"] in chosen], chosen, together=mode == "one"
                )
                for series, transitions in found.items()
            }
            yield row(f"all: {rules.name}", mode, figures(told, VARIANTS))


_HEAD = (
    "rule",
    "told",
    "pages",
    "not true",
    "in 30 days",
    ">= 10 %: caught",
    "median",
    ">= 20 %: caught",
    "in 3 min",
    "longest",
    "pages each",
    "most",
    "once",
    "resolves",
)


def _table(run: Run, rows: Iterable[Row]) -> list[str]:
    title = f"\n### {run.calls_per_5m:g} calls in 5 min, {run.shape} failures, order: {run.order}\n"
    return [title, _line(_HEAD), "|---" * len(_HEAD) + "|", *(_line(_cells(row)) for row in rows)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Row) -> tuple[str, ...]:
    f = row.figures
    return (
        row.name,
        row.mode,
        f"{f.pages:,}",
        f"{f.untrue:,}",
        f"{f.untrue_a_month:.2f}",
        f"{f.caught} of {f.incidents}",
        _seconds(f.median_s),
        f"{f.worse_caught} of {f.worse}",
        f"{f.in_time}",
        _seconds(f.longest_s),
        f"{f.pages_each:.2f}",
        f"{f.most_pages}",
        f"{f.once}",
        f"{f.resolves:,}",
    )


def _seconds(duration: float | None) -> str:
    return "" if duration is None else f"{duration:,.0f} s"


if __name__ == "__main__":
    sys.exit(main())
