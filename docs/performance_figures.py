"""Writes the tables of docs/performance.md and its pictures from benchmarks/results: python -m docs.performance_figures

tests/test_performance.py holds the page and the pictures to the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.drawing import Axis, Dot, Line, Panel, dots, panels
from benchmarks.results import read

PAGE = Path(__file__).parent / "performance.md"
IMAGES = Path(__file__).parent / "images"
MARK = "<!-- {name}: python -m docs.performance_figures -->"
END = "<!-- end of {name} -->"

MEMORY_BOUND_MB = 600.0
RATIO_BOUND = 0.5
EVENTS_S = "events/s"
KEYS = "distinct keys (app, path, model)"
LOGGED = "events in the log"


# ── tables ────────────────────────────────────────────────────────────────────────────────────────


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _said_of(result: dict[str, Any]) -> str:
    """Return when and on what it was measured."""
    machine = result["machine"]
    quick = "; a quick run, of small sizes" if result["quick"] else ""
    others = max(_others(result), default=0.0)
    quick += f"; others used up to {others:.1f} of the cores meanwhile" if others >= 0.05 else ""
    return (
        f"Measured {result['day']} on {machine['processor'] or machine['system']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB; Python {machine['python']}, SQLite {machine['sqlite']}{quick}."
    )


def _others(value: Any) -> Iterator[float]:
    """Yield how many cores others used, of each measurement in a result."""
    if isinstance(value, dict):
        if "others_cores" in value:
            yield value["others_cores"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _others(part)


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _small(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


def _size(value: float | None) -> str:
    """Return a duration in milliseconds as one reads it."""
    if value is None:
        return "-"
    return f"{value / 1000:,.3g} s" if value >= 1000 else f"{value:.3g} ms"


def peers() -> str:
    """Return the table of all that was compared."""
    result = read("peers")
    rows = [_peer(target) for target in result["targets"]]
    head = (
        "system",
        "acknowledged/s",
        "until queryable/s",
        "least to most",
        "CPU s per 100,000",
        "memory MB",
        "one record seen after",
        "lost after kill -9",
    )
    left_out = [f"Left out: {why}." for why in result["left_out"].values()]
    bare = f"Bare msgspec decoding in the same run: {_whole(result['bare_s'])} events/s; "
    bare += f"the load generator alone: {_whole(result['sender_s'])}."
    rounds = len(result["targets"][0]["rounds"])
    return "\n\n".join(
        [
            f"{_said_of(result)} Medians of {rounds} {'round' if rounds == 1 else 'rounds'}.",
            _table(head, rows),
            " ".join([bare, *left_out]),
        ]
    )


def _middle(target: dict[str, Any], name: str) -> float | None:
    found = [one[name] for one in target["rounds"] if one[name] is not None]
    return median(found) if found else None


def _best(target: dict[str, Any]) -> str:
    """Return by which figure a target is compared: what it does not keep cannot be asked for."""
    return "queryable_s" if _middle(target, "queryable_s") is not None else "acknowledged_s"


def _peer(target: dict[str, Any]) -> tuple[str, ...]:
    kept = _middle(target, "queryable_s") is not None
    rates = [one[_best(target)] for one in target["rounds"]]
    killed = [one["after_kill"] for one in target["rounds"]]
    lost, of = sum(one["lost"] for one in killed), sum(one["acknowledged"] for one in killed)
    one = _middle(target, "one_record_s")
    return (
        f"{target['title']}: {target['note']}",
        _whole(_middle(target, "acknowledged_s")),
        _whole(_middle(target, "queryable_s")),
        f"{_whole(min(rates))} to {_whole(max(rates))}",
        _small(_middle(target, "cpu_s_100k")),
        _whole(_middle(target, "memory_mb")),
        _size(one * 1000 if one is not None else None),
        f"{lost:,} of {of:,}" if kept else "nothing is kept",
    )


def batches() -> str:
    """Return the table of batch sizes, with zstd and without, by connections."""
    result = read("batches")
    cells = {(cell["batch"], cell["zstd"], cell["connections"]): cell for cell in result["cells"]}
    sizes = sorted({batch for batch, _, _ in cells})
    counts = sorted({connections for _, _, connections in cells})
    head = ["events a batch", *(f"{how}, {n} conn." for how in ("JSON", "zstd") for n in counts), "sender alone"]
    rows = [
        [
            f"{batch:,}",
            *(_cell(cells[batch, zstd, n]) for zstd in (False, True) for n in counts),
            _whole(result["sender_events_s"][str(batch)]),
        ]
        for batch in sizes
    ]
    said = f"{_said_of(result)} Medians of {result['rounds']} rounds of {result['seconds']:g} s."
    if result["rounds"] == 1:
        said = f"{_said_of(result)} One round of {result['seconds']:g} s."
    return f"{said}\n\n{_table(head, rows)}"


def _cell(cell: dict[str, Any]) -> str:
    return f"{_whole(cell['events_s'])} ({cell['ratio']:.3f})"


def latency() -> str:
    """Return the table of latencies by load."""
    result = read("latency")
    head = ("load", "events/s asked", "requests", "p50", "p99", "p99.9", "longest", "refused")
    rows = [
        (
            f"{one['share'] * 100:.0f} %",
            _whole(one["rate_s"]),
            _whole(one["requests"]),
            *(_size(one[name]) for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")),
            _whole(one["refused"]),
        )
        for one in result["shares"]
    ]
    sender = result["sender"]
    said = (
        f"{_said_of(result)} Batches of {result['batch']}; "
        f"the highest rate was {_whole(result['highest_s'])} events/s. Of a server that does nothing the sender "
        f"measures, at the rate of the last row, p50 {_size(sender['p50_ms'])} and p99 {_size(sender['p99_ms'])}."
    )
    return f"{said}\n\n{_table(head, rows)}"


def overload() -> str:
    """Return the table of what happens beyond the highest rate, and while the disk stands still."""
    result = read("latency")
    stall = result["stall"]
    head = (
        "case",
        "events/s asked",
        "taken/s",
        "refused, of these with Retry-After",
        "refused after p50, p99",
        "taken after p50, p99",
        "acknowledged",
        "in the log",
        "lost",
        "memory MB",
    )
    rows = [
        _fate("150 % of the highest rate", result["overload"]),
        _fate(f"the disk stands still for {stall['until_s'] - stall['from_s']:.0f} s at 50 %", stall),
    ]
    return _table(head, rows)


def _fate(name: str, one: dict[str, Any]) -> tuple[str, ...]:
    refused, taken = one["refused_ms"], one["taken_ms"]
    return (
        name,
        _whole(one["rate_s"]),
        _whole(one["taken_s"]),
        f"{one['refused']:,}, {one['with_retry_after']:,}",
        f"{_size(refused['p50'])}, {_size(refused['p99'])}" if one["refused"] else "-",
        f"{_size(taken['p50'])}, {_size(taken['p99'])}",
        _whole(one["acknowledged"]),
        _whole(one["logged"]),
        _whole(one["lost"]),
        _whole(one["memory_mb"]),
    )


def growth_keys() -> str:
    """Return the table by keys."""
    result = read("growth_keys")
    head = (
        "keys",
        "events/s, 3 % fail",
        "of bare msgspec",
        "events/s, 0.3 % fail",
        "events/s while each is new",
        "memory MB",
        "a tick, 100 failing",
        "ready after kill -9",
    )
    rows = [
        (
            _whole(row["keys"]),
            _whole(row["events_s"]),
            f"{row['ratio']:.3f}",
            _whole(row["quiet_s"]),
            _whole(row["new_s"]),
            _whole(row["memory_mb"]),
            _size(row["tick_ms"]),
            f"{row['restart_s']:.2f} s",
        )
        for row in result["rows"]
    ]
    return f"{_said_of(result)}\n\n{_table(head, rows)}"


def growth_events() -> str:
    """Return the table by logged events."""
    result = read("growth_events")
    head = (
        "events in the log",
        "events/s",
        "of bare msgspec",
        "memory MB",
        "bytes an event on disk",
        "ready after a start",
        "after kill -9",
        "failures of an app found: median, longest",
    )
    rows = [
        (
            _whole(row["logged"]),
            _whole(row["events_s"]),
            f"{row['ratio']:.3f}",
            _whole(row["memory_mb"]),
            _whole(row["bytes_an_event"]),
            f"{row['start_s']:.2f} s",
            f"{row['restart_s']:.2f} s",
            _asked(row["query_ms"]),
        )
        for row in result["rows"]
    ]
    return f"{_said_of(result)}\n\n{_table(head, rows)}"


def _asked(query: dict[str, float] | None) -> str:
    return "-" if query is None else f"{_size(query['median'])}, {_size(query['max'])}"


def client_overhead() -> str:
    """Return the table of what the client and others add to a call."""
    result = read("client_overhead")
    rows = result["rows"]
    shapes = list(rows[0]["shapes"])
    bare = [_us([row["shapes"][shape]["bare_us"] for row in rows]) for shape in shapes]

    def added(mode: str) -> list[str]:
        return [_us([row["shapes"][s]["added_us"] for row in rows if row["mode"] == mode], spread=True) for s in shapes]

    modes = [mode for mode in dict.fromkeys(row["mode"] for row in rows) if mode != "bare"]
    table = [("nothing: a bare call, all of it", *bare), ("nothing, measured alike", *added("bare"))]
    table += [(mode, *added(mode)) for mode in modes]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    said = f"{_said_of(result)} {versions}. {result['rounds']} {'round' if result['rounds'] == 1 else 'rounds'} of each."
    left_out = f"\n\nLeft out: {result['left_out']}." if result["left_out"] else ""
    return f"{said}\n\n{_table(('µs added to a call by', *shapes), table)}{left_out}"


def _us(values: Sequence[float], *, spread: bool = False) -> str:
    """Return the median, and what it varied between."""
    middle = f"{median(values):.0f}"
    return f"{middle} ({min(values):.0f} to {max(values):.0f})" if spread and len(values) > 1 else middle


TABLES: dict[str, Callable[[], str]] = {
    "peers": peers,
    "batches": batches,
    "latency": latency,
    "overload": overload,
    "growth by keys": growth_keys,
    "growth by logged events": growth_events,
    "client overhead": client_overhead,
}


# ── pictures ──────────────────────────────────────────────────────────────────────────────────────


def draw_peers() -> str:
    """Return the rates of all that was compared."""
    targets = read("peers")["targets"]
    rows = [
        Dot(
            name=target["title"],
            value=_middle(target, _best(target)) or 1.0,
            colour=0 if target["name"].startswith("claxon") else 3,
        )
        for target in sorted(targets, key=lambda target: -(_middle(target, _best(target)) or 1.0))
    ]
    return dots("Records a second until they can be asked for", rows, axis="records/s, each mark ten times the last")


def draw_batches() -> str:
    """Return rate and ratio by batch size."""
    cells = read("batches")["cells"]
    counts = sorted({cell["connections"] for cell in cells})
    x = Axis(label="events a batch", log=True, ticks=(1, 10, 100, 500, 5000))

    def lines(zstd: bool, name: str) -> tuple[Line, ...]:
        return tuple(
            Line(
                name=f"{n} conn.",
                colour=i,
                points=sorted(
                    (cell["batch"], cell[name]) for cell in cells if cell["zstd"] == zstd and cell["connections"] == n
                ),
            )
            for i, n in enumerate(counts)
        )

    bound = (RATIO_BOUND, "goal for batches of 500")
    rate = Axis(label=EVENTS_S, most=max(cell["events_s"] for cell in cells))
    share = Axis(label="share of bare msgspec decoding", most=max(cell["ratio"] for cell in cells))
    return panels(
        "Ingest by batch size",
        [
            Panel(title="JSON", x=x, y=rate, lines=lines(zstd=False, name="events_s")),
            Panel(title="JSON, against decoding", x=x, y=share, lines=lines(zstd=False, name="ratio"), bound=bound),
            Panel(title="zstd", x=x, y=rate, lines=lines(zstd=True, name="events_s")),
            Panel(title="zstd, against decoding", x=x, y=share, lines=lines(zstd=True, name="ratio"), bound=bound),
        ],
    )


def draw_latency() -> str:
    """Return latency by load."""
    shares = read("latency")["shares"]
    names = (("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms"))
    lines = tuple(
        Line(name=name, colour=i, points=[(one["share"] * 100, max(one[key], 0.01)) for one in shares])
        for i, (name, key) in enumerate(names)
    )
    x = Axis(label="load, % of the highest rate", ticks=(0, 10, 50, 80, 100))
    y = Axis(label="ms from the intended send to the answer", log=True)
    return panels("Latency by load", [Panel(title="A batch's way to its 202", x=x, y=y, lines=lines)])


def draw_overload() -> str:
    """Return what was answered, half second by half second."""
    result = read("latency")
    stall, over = result["stall"], result["overload"]
    x = Axis(label="seconds")
    y = Axis(label="answers a second")
    band = (stall["from_s"], stall["until_s"], "the disk stands still")
    return panels(
        "More than can be taken",
        [
            Panel(title="150 % of the highest rate", x=x, y=y, lines=_answers(over)),
            Panel(title="A disk that stands still", x=x, y=y, lines=_answers(stall), band=band),
        ],
    )


def _answers(one: dict[str, Any]) -> tuple[Line, ...]:
    step = one["step_s"]
    length = max(len(one["taken_each_step"]), len(one["refused_each_step"]))

    def line(name: str, colour: int, each: list[int]) -> Line:
        padded = each + [0] * (length - len(each))
        points = [((i + 0.5) * step, n / step) for i, n in enumerate(padded)]
        return Line(name=name, colour=colour, points=points, dots=False)

    return (line("taken", 0, one["taken_each_step"]), line("refused", 1, one["refused_each_step"]))


def draw_growth_keys() -> str:
    """Return rate, memory, tick and restart by keys."""
    rows = read("growth_keys")["rows"]
    x = Axis(label=KEYS, log=True)

    def panel(title: str, unit: str, *lines: tuple[str, str], bound: tuple[float, str] | None = None) -> Panel:
        drawn = tuple(
            Line(name=name, colour=i, points=[(row["keys"], row[key]) for row in rows])
            for i, (name, key) in enumerate(lines)
        )
        return Panel(title=title, x=x, y=Axis(label=unit), lines=drawn, bound=bound)

    return panels(
        "Growth by keys",
        [
            panel("Ingest", EVENTS_S, ("3 % fail", "events_s"), ("new keys", "new_s"), ("0.3 % fail", "quiet_s")),
            panel("Memory at full load", "MB", ("resident", "memory_mb"), bound=(MEMORY_BOUND_MB, "bound")),
            panel("A tick, 100 keys failing", "ms", ("tick", "tick_ms")),
            panel("Ready again after kill -9", "s", ("restart", "restart_s")),
        ],
    )


def draw_growth_events() -> str:
    """Return rate, restart, memory and queries by logged events."""
    rows = read("growth_events")["rows"]
    x = Axis(label=LOGGED, log=True)

    def points(key: str) -> list[tuple[float, float]]:
        return [(row["logged"], row[key]) for row in rows]

    ingest = Panel(title="Ingest", x=x, y=Axis(label=EVENTS_S), lines=(Line(name="rate", points=points("events_s")),))
    memory = Panel(
        title="Memory at full load",
        x=x,
        y=Axis(label="MB"),
        lines=(Line(name="resident", points=points("memory_mb")),),
        bound=(MEMORY_BOUND_MB, "bound"),
    )
    restart = Panel(
        title="Ready again",
        x=x,
        y=Axis(label="s"),
        lines=(
            Line(name="a start", points=points("start_s")),
            Line(name="after kill -9", points=points("restart_s"), colour=1),
        ),
    )
    asked = [(row["logged"], row["query_ms"]) for row in rows if row["query_ms"] is not None]
    found = Panel(
        title="Failures of an app found",
        x=x,
        y=Axis(label="ms", most=50),
        lines=(
            Line(name="median", points=[(n, query["median"]) for n, query in asked]),
            Line(name="longest", points=[(n, query["max"]) for n, query in asked], colour=1),
        ),
        bound=(50.0, "bound"),
    )
    return panels("Growth by logged events", [ingest, memory, restart, *([found] if asked else [])])


PICTURES: dict[str, Callable[[], str]] = {
    "performance-peers.svg": draw_peers,
    "performance-batches.svg": draw_batches,
    "performance-latency.svg": draw_latency,
    "performance-overload.svg": draw_overload,
    "performance-keys.svg": draw_growth_keys,
    "performance-events.svg": draw_growth_events,
}


# ── the page ──────────────────────────────────────────────────────────────────────────────────────


def filled(page: str) -> str:
    """Return a page with what stands between its marks made anew.

    Raises:
        ValueError: A mark is not there.
    """
    for name, table in TABLES.items():
        begin, end = MARK.format(name=name), END.format(name=name)
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"performance.md: {begin}: not there, or without its end: put both where the table goes")
        page = f"{before}{begin}\n\n{table()}\n\n{end}{after}"
    return page


def main() -> None:
    """Write the page and its pictures."""
    PAGE.write_text(filled(PAGE.read_text()))
    for name, draw in PICTURES.items():
        (IMAGES / name).write_text(draw())


if __name__ == "__main__":
    main()
