"""Faults of nodes and of what they stand on, again and again: what is lost, what comes twice, how late pages are.

    python -m benchmarks.node_faults [--runs 20] [--only NAME ...] [--keep DIR] [--out DIR]

A real Claxon of each tier, with real engines, apps that post all the time and one event every half second that must
page. Each fault strikes so often, with everything well in between. Exits with 1 when a promise was broken; such a
round's logs are kept.
"""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import results
from benchmarks.sending import percentile
from tests.support.fleet.faults import ONE_NODE, SEVERAL_NODES, SMALL_DISK
from tests.support.fleet.fleet import Fleet, large_nodes, nodes_on_a_small_disk, one_node, several_nodes
from tests.support.fleet.large_faults import LARGE
from tests.support.fleet.rounds import Fault, Round, judge, play

NAME = "node_faults"

TIERS: dict[str, tuple[Callable[[], AbstractContextManager[Fleet]], Sequence[Fault]]] = {
    "one": (one_node, ONE_NODE),
    "several": (several_nodes, SEVERAL_NODES),
    "small": (nodes_on_a_small_disk, SMALL_DISK),
    "large": (large_nodes, LARGE),
}


def main() -> int:
    """Print a line a round, and write the result."""
    parser = results.options(__doc__, full="an hour", quick="ten minutes")
    parser.add_argument("--runs", type=int, metavar="N", help="of each fault (default: 20; quick: 2)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of faults or tiers")
    parser.add_argument(
        "--roles", nargs="+", metavar="ROLES", help="the nodes of the tiers `several` and `large`, if others"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the logs of broken rounds go")
    options = parser.parse_args()
    runs = options.runs or (2 if options.quick else 20)
    if options.roles:
        TIERS["several"] = (lambda: several_nodes(options.roles), SEVERAL_NODES)
        TIERS["large"] = (lambda: large_nodes(options.roles), LARGE)
    keep = options.keep or Path(tempfile.mkdtemp(prefix="claxon-broken-"))
    found = _before(options.out)
    broken = False
    for tier, (start, faults) in TIERS.items():
        wanted = [fault for fault in faults if not options.only or {tier, fault.name} & set(options.only)]
        while wanted:
            with start() as fleet:
                while wanted:
                    fault = wanted.pop(0)
                    rounds = _rounds(fleet, fault, runs, keep)
                    broken |= any(one.broken for one in rounds)
                    found[fault.name] = {"tier": tier, "title": fault.title, **summary(rounds)}
                    print(json.dumps(found[fault.name]), flush=True)
                    results.write(NAME, {"faults": found}, quick=options.quick, out=options.out)
                    if any(one.stumbled for one in rounds):
                        break  # who knows what is there now: the next fault gets another fleet
    return 1 if broken else 0


def _before(out: Path | None) -> dict[str, Any]:
    """Return what is known of faults that are not asked for now."""
    path = (out or results.FOLDER) / f"{NAME}.json"
    before: dict[str, Any] = json.loads(path.read_text())["faults"] if path.exists() else {}
    return before


def _rounds(fleet: Fleet, fault: Fault, runs: int, keep: Path) -> list[Round]:
    chance = random.Random(f"{fault.name}")
    rounds = []
    for number in range(runs):
        began = time.monotonic()
        one = Round(fault=fault.name, number=number)
        rounds.append(one)
        try:
            play(fleet, fault, one, chance=chance)
        except Exception as stumbled:
            one.stumbled = f"{type(stumbled).__name__}: {stumbled}"
        print(f"{fault.name} {number}: {time.monotonic() - began:.1f} s: {_line(one)}", flush=True)
        if one.broken or one.unwell:
            _keep(fleet, one, keep)
        if one.stumbled:
            return rounds  # who knows what is there now
    for one in rounds:
        before = set(one.broken)
        judge(fleet, one)  # what came again since
        if set(one.broken) - before:
            _keep(fleet, one, keep)
    return rounds


def _line(one: Round) -> str:
    well = f"{one.well_s:.1f}" if one.well_s is not None else "never"
    late = f"{max(one.meanwhile_s):.1f}" if one.meanwhile_s else "-"
    said = f"{one.events} events, {one.due} pages, {one.again} again, latest after {late} s, well after {well} s"
    return "; ".join([said, *one.ends, *one.unwell, *(f"BROKEN: {name}" for name in one.broken)])


def _keep(fleet: Fleet, one: Round, keep: Path) -> None:
    """Copy the logs of all nodes beside what was found wrong."""
    folder = keep / one.mark
    folder.mkdir(parents=True, exist_ok=True)
    for path in fleet.folder.glob("*.log"):
        shutil.copy(path, folder)
    (folder / "round.json").write_text(json.dumps(dataclasses.asdict(one) | {"broken": one.broken}, indent=1))
    print(f"  kept: {folder}", flush=True)


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return what all rounds of a fault came to together."""
    late = sorted(delay for one in rounds for delay in one.meanwhile_s)
    acks = [one.next_ack_s for one in rounds if one.next_ack_s is not None]
    wells = [one.well_s for one in rounds if one.well_s is not None]
    return {
        "runs": len(rounds),
        "events": sum(one.events for one in rounds),
        "pages": sum(one.due for one in rounds),
        "lost": sum(len(one.lost) for one in rounds),
        "twice": sum(len(one.twice) for one in rounds),
        "pages_lost": sum(len(one.lost_pages) for one in rounds),
        "other_keys": sum(len(one.other_keys) for one in rounds),
        "same_key": sum(one.again for one in rounds),
        "unanswered": sum(len(one.unanswered) for one in rounds),
        "miscounted": sum(one.miscounted for one in rounds),
        "unproved": sum(one.unproved for one in rounds),
        "meanwhile": len(late),
        "late_p50_s": percentile(late, 0.5) if late else None,
        "late_p95_s": percentile(late, 0.95) if late else None,
        "late_max_s": late[-1] if late else None,
        "next_ack_p50_s": median(acks) if acks else None,
        "next_ack_max_s": max(acks, default=None),
        "slowest_ack_s": max(one.slowest_ack_s for one in rounds),
        "well_p50_s": median(wells) if wells else None,
        "well_max_s": max(wells, default=None),
        "not_well": sum(one.well_s is None for one in rounds),
        "ends": sorted({end for one in rounds for end in one.ends}),
        "broken": {one.mark: sorted(one.broken) for one in rounds if one.broken},
    }


if __name__ == "__main__":
    sys.exit(main())
