"""Writes docs/reference/node-faults.md from what was measured: python -m docs.node_faults

`python -m benchmarks.node_faults` measures; tests/test_node_faults.py holds the page to its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import read
from docs.marked import table
from tests.support.fleet.faults import ONE_NODE, SEVERAL_NODES, SMALL_DISK
from tests.support.fleet.large_faults import LARGE

PAGE = Path(__file__).parent / "reference/node-faults.md"
LATE_S = 10.0
"""A page that was posted while another node took over comes within that, of twenty nineteen."""

NOBODY_LEFT = {
    "kill -9 of the only node",
    "kill -9 of all nodes at once",
    "the disk of PostgreSQL is full for 8 s",
}
"""Where nobody takes over, a page waits for a start; or for a sender that was told to come again in 30 s."""

HEAD = """\
# What a fault of a node, or of what it stands on, does

<!-- Written by `python -m docs.node_faults` from what `python -m benchmarks.node_faults` measured; tests/test_node_faults.py compares. -->

Each row is a real Claxon, with real engines, that the fault struck again and again while apps posted: batches with an `Idempotency-Key` and event
ids, and every half second an event of an app of its own that must page. Apps do what the client does: what is not acknowledged they post again, the
same bytes under the same key, at the next address. After each round the log, the counters and the receiver were compared with what the apps
remember, and the whole log was decided again, as `claxon verify` does.

| column | says |
|---|---|
| events lost | acknowledged, and not in the log |
| twice | events that count more than once |
| pages lost | apps that must page, and did not |
| other keys | apps whose pages came under more than one key, of which a vendor makes two |
| same key | messages that came again under the same key, of which a vendor makes one: that is what at-least-once delivery means |
| page after | from the first try to post the event to its page, of the pages posted from the fault until each page came within a second again: half of them, 95 of 100, all |
| acknowledged after | from the fault until a batch that was posted after it was acknowledged: half of the rounds, all |

Where nobody is there to take over, a page waits for a start, which takes as long as the machine is busy. While a disk is full senders get 507, and come
again after the 30 s that its `Retry-After` says.
"""

TIERS = {
    "one": "One node on SQLite",
    "several": "Several nodes on PostgreSQL",
    "small": "Several nodes on a PostgreSQL with a small disk",
    "large": "Several nodes on Kafka and PostgreSQL",
}
NODES = {
    "one": "One `claxon serve`, which a supervisor starts again.",
    "several": "Two nodes of each role, `ingest`, `evaluate` and `deliver`, which a supervisor starts again when they end. A fail-over has a standby that each commit waits for.",
    "small": "The same six nodes; the server's data is on a file system of its own, of 512 MB, which is filled to the last byte.",
    "large": "Two nodes that take events, two that evaluate and deliver, and the log on three brokers, `acks=all`, `min.insync.replicas=2`.",
}
ORDER = [fault.name for fault in (*ONE_NODE, *SEVERAL_NODES, *SMALL_DISK, *LARGE)]
COLUMNS = ("the fault", "rounds", "events", "events lost", "twice", "pages", "pages lost", "other keys", "same key", "page after", "acknowledged after")


def page() -> str:
    """Return the page that says what was measured."""
    result = read("node_faults")
    faults: Mapping[str, Mapping[str, Any]] = result["faults"]
    parts = [HEAD, _measured(result)]
    for tier, title in TIERS.items():
        rows = [faults[name] for name in ORDER if name in faults and faults[name]["tier"] == tier]
        if rows:
            parts += [f"## {title}\n", f"{NODES[tier]}\n", table(COLUMNS, map(_row, rows)), *_broken(rows)]
    return "\n".join(parts)


def _measured(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    rounds = sum(fault["runs"] for fault in result["faults"].values())
    return (
        f"Measured on {machine['processor'] or machine['system']}, {machine['cores']} cores that other work shared, "
        f"Python {machine['python']}: {rounds:,} rounds, the last of them on {result['day']}.\n"
    )


def _row(fault: Mapping[str, Any]) -> tuple[str, ...]:
    late = "–" if fault["late_p50_s"] is None else " / ".join(_s(fault[f"late_{name}_s"]) for name in ("p50", "p95", "max")) + " s"
    acks = "–" if fault["next_ack_p50_s"] is None else f"{_s(fault['next_ack_p50_s'])} / {_s(fault['next_ack_max_s'])} s"
    counts = (fault[name] for name in ("lost", "twice", "pages", "pages_lost", "other_keys", "same_key"))
    return (fault["title"], str(fault["runs"]), f"{fault['events']:,}", *(f"{count:,}" for count in counts), late, acks)


def _s(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 0.05 else "0.0"


def _broken(faults: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what is not as it should be, in words."""
    found = []
    for fault in faults:
        names: dict[str, int] = {}
        for broken in fault["broken"].values():
            for name in broken:
                names[name] = names.get(name, 0) + 1
        said = [f"{name} in {times} of {fault['runs']} rounds" for name, times in names.items()]
        if fault["title"] not in NOBODY_LEFT and fault["late_p95_s"] is not None and fault["late_p95_s"] > LATE_S:
            said.append(f"of 100 pages 5 come later than {LATE_S:g} s")
        if said:
            found.append(f"- **Not as it should be**, {fault['title']}: {'; '.join(said)}.")
    if not found:
        return ["No round broke a promise: the counters agreed with the log, the log decided again came to the same hash, every batch was acknowledged in the end.\n"]
    return [*found, ""]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
