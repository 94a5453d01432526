"""Writes the tables of docs/scaling.md, partitions.md and howto/nodes.md from benchmarks/results: python -m docs.scaling_figures

What one process takes is measured by benchmarks.batches, latency and growth, what nodes take by benchmarks.nodes and
partitions, and the sizes are reckoned from the former. tests/test_scaling.py holds both pages to the results.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, read
from docs.marked import renew, table

CONCEPT = Path(__file__).parent / "scaling.md"
HOWTO = Path(__file__).parent / "howto/nodes.md"
PARTITIONS = Path(__file__).parent / "partitions.md"

NODES = "nodes"
BUSY = 0.6
"""The share of a core that is planned with: the rest is for what comes at once, and for a node that is gone."""

RATES = (10_000, 50_000, 200_000)
"""Events a second, for which sizes are reckoned."""

LARGE_RATES = (200_000, 1_000_000)
"""Those for which the sizes of a log on Kafka are."""

_ROLES = ("ingest", "evaluate", "postgres")
_SECONDS_A_DAY = 86_400


def concept() -> dict[str, str]:
    """Return the parts of docs/scaling.md that come from results."""
    return {"one-process": one_process()}


def howto() -> dict[str, str]:
    """Return the parts of docs/howto/nodes.md that come from results."""
    measured = read(NODES) if (FOLDER / f"{NODES}.json").exists() else None
    return {"cost": cost(measured), "sizes": sizes(measured)}


def partitions() -> dict[str, str]:
    """Return the part of docs/partitions.md that comes from results."""
    measured = read("partitions") if (FOLDER / "partitions.json").exists() else None
    moved = read("moves") if (FOLDER / "moves.json").exists() else None
    return {"growth": growth(measured), "moves": moves(moved), "large-sizes": large_sizes(measured)}


def growth(measured: dict[str, Any] | None) -> str:
    """Return what nodes that evaluate partitions take, by how many there are and what they are given."""
    if measured is None:
        return "Not measured yet: `python -m benchmarks.partitions`, and then `python -m docs.scaling_figures`."
    first = measured["cells"][0]["evaluated_s"]
    rows = [
        (
            str(cell["evaluators"]),
            cell["given"],
            _n(cell["acknowledged_s"]),
            f"{_n(cell['evaluated_s'])} ({cell['evaluated_s'] / first:.2f})",
            *(_seconds(cell["cpu_s_per_million"].get(role)) for role in (*_ROLES, "kafka")),
            f"{_n(cell['page_p50_ms'])} ms, {_n(cell['page_p99_ms'])} ms",
        )
        for cell in measured["cells"]
    ]
    roles = (*_ROLES, "kafka")
    head = ("evaluate", "given", "acknowledged/s", "evaluated/s", *roles, "page after p50, p99")
    said = (
        f"Measured {measured['day']} on {_machine(measured)}, all of it and the sender on one machine, which three "
        f"brokers alone fill; in batches of {measured['batch']}{'; a quick run' if measured['quick'] else ''}. From "
        "`ingest` to `kafka`: CPU seconds for a million events, by role, which say what machines of their own would "
        "take."
    )
    return f"{said}\n\n{table(head, rows)}"


def moves(measured: dict[str, Any] | None) -> str:
    """Return for how long partitions are not evaluated when they change hands, by how many apps they know."""
    if measured is None:
        return "Not measured yet: `python -m benchmarks.moves`, and then `python -m docs.scaling_figures`."
    rows = [
        (
            _n(row["apps"]),
            f"{row['snapshot_mb']:.2g} MB",
            *(f"{row[name]:.1f} s" for name in ("comes_s", "ends_s", "killed_s")),
        )
        for row in measured["rows"]
    ]
    said = (
        f"Measured {measured['day']} on {_machine(measured)}, without load{'; a quick run' if measured['quick'] else ''}: "
        "for how long the partition that had to wait longest was not evaluated, which is how late pages of its apps are."
    )
    return f"{said}\n\n{table(('apps', 'snapshots of all', 'a node comes', 'a node ends', 'a node is killed'), rows)}"


def large_sizes(measured: dict[str, Any] | None) -> str:
    """Return how many cores each role needs where the log is on Kafka, by rate and by how much of a batch is one app's."""
    if measured is None:
        return "Reckoned from the same."
    roles = (*_ROLES, "kafka")
    kept = read("growth_events")["rows"][-1]["bytes_an_event"]
    cells = {cell["given"]: cell["cpu_s_per_million"] for cell in measured["cells"] if cell["evaluators"] == 2}
    rows = [
        (
            _n(rate),
            given,
            *(f"{rate / 1e6 * cells[name][role] / BUSY:.1f}" for role in roles),
            f"{ceil(rate / 1e6 * cells[name]['evaluate'] / BUSY)}",
            f"{3 * rate * kept * _SECONDS_A_DAY / 1e12:,.1f} TB",
        )
        for rate in LARGE_RATES
        for name, given in (("one app", "500 events of one app"), ("20 apps", "500 events of 20 apps"))
    ]
    head = ("events/s", "a batch is", *(f"cores of {role}" for role in roles), "nodes that evaluate", "Kafka's disks a day")
    return table(head, rows)


def one_process() -> str:
    """Return what one process takes, by what there is most of."""
    batches, latency = read("batches"), read("latency")
    keys, logged = read("growth_keys")["rows"][-1], read("growth_events")["rows"][-1]
    best = {
        size: max(c["events_s"] for c in batches["cells"] if c["batch"] == size)
        for size in sorted({c["batch"] for c in batches["cells"]})
    }
    half = next(one for one in latency["shares"] if one["share"] == 0.5)
    rows = [
        (f"events/s in batches of {500}", _n(best[500])),
        ("events/s, each posted alone", _n(best[1])),
        (
            f"events/s with {_n(keys['keys'])} keys (app, path, model)",
            f"{_n(keys['events_s'])}; {_n(keys['quiet_s'])} where 0.3 % fail",
        ),
        (f"p99 of a 202 at half of {_n(latency['highest_s'])} events/s", f"{half['p99_ms']:.3g} ms"),
        (
            "ready again after `kill -9`",
            f"{logged['restart_s']:.1f} s with {_n(logged['logged'])} events in the log, "
            f"{keys['restart_s']:.1f} s with {_n(keys['keys'])} keys",
        ),
        ("bytes an event in the log, in batches", _n(logged["bytes_an_event"])),
    ]
    return table(("one process, on " + _machine(batches), "measured"), rows)


def cost(measured: dict[str, Any] | None) -> str:
    """Return what a million events cost by role, with so many ingest nodes."""
    if measured is None:
        return "Not measured yet: `python -m benchmarks.nodes`, and then `python -m docs.scaling_figures`."
    rows = [
        (
            _named(cell),
            _n(cell["acknowledged_s"]),
            _n(cell["evaluated_s"]),
            *(_seconds(cell["cpu_s_per_million"].get(role)) for role in ("all", *_ROLES)),
            f"{cell['p99_ms']:.3g} ms",
            f"{cell['page_p50_ms']:.3g} ms, {cell['page_p99_ms']:.3g} ms",
        )
        for cell in measured["cells"]
    ]
    head = ("nodes", "acknowledged/s", "evaluated/s", "all", *_ROLES, "p99 of a 202", "page after p50, p99")
    said = (
        f"Measured {measured['day']} on {_machine(measured)}, all of it on one machine, in batches of {measured['batch']}"
        f"{'; a quick run' if measured['quick'] else ''}. From `all` on: CPU seconds for a million events, by role."
    )
    return f"{said}\n\n{table(head, rows)}"


def sizes(measured: dict[str, Any] | None) -> str:
    """Return how many cores each role needs, by rate."""
    if measured is None:
        return "Reckoned from the same."
    cell = max((one for one in measured["cells"] if one["ingest"]), key=lambda one: one["ingest"])
    cost = cell["cpu_s_per_million"]
    kept = read("growth_events")["rows"][-1]["bytes_an_event"]
    rows = []
    for rate in RATES:
        cores = {role: rate / 1e6 * cost[role] for role in _ROLES}
        rows.append(
            (
                _n(rate),
                *(f"{cores[role] / BUSY:.1f}" for role in _ROLES),
                "yes" if cores["evaluate"] <= BUSY else "no: [Kafka](../scaling.md)",
                f"{rate * kept * _SECONDS_A_DAY / 1e9:,.0f} GB",
            )
        )
    head = ("events/s", *(f"cores of {role}" for role in _ROLES), "one elected node is enough", "log a day")
    return table(head, rows)


def _named(cell: dict[str, Any]) -> str:
    if cell["ingest"] is None:
        return "one process, SQLite"
    return f"{cell['ingest']} ingest, 1 elected" if cell["ingest"] else "1 elected, which takes the events, too"


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return f"{machine['processor'] or machine['system']}, {machine['cores']} cores"


def _n(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def pages() -> Iterable[tuple[Path, dict[str, str]]]:
    """Return each page with its parts."""
    return ((CONCEPT, concept()), (HOWTO, howto()), (PARTITIONS, partitions()))


def main() -> None:
    """Write the pages anew."""
    for page, parts in pages():
        renew(page, parts)


if __name__ == "__main__":
    main()
