"""How long a page takes after a share of calls begins to fail, with and without the protection from chance.

    python -m benchmarks.noise.delay [--trials 200]

Calls arrive at random (Poisson) in a steady volume; one in 500 failed all day, and from some instant on
a given share does. The engine decides; only the history of a day, which raises the count of failures
in a row, is not replayed: the count that it leads to is given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from random import Random
from statistics import quantiles

from claxon.event import Event, complete

from alerts.conditions import Consecutive, ErrorRate
from alerts.default_rules import CONSECUTIVE_SERVER_ERRORS, ERROR_RATE_PAGE
from alerts.evaluator import Engine
from alerts.lifecycle import Change
from alerts.rules import Rule
from alerts.streaks import adaptive_count

VOLUMES = (8, 20, 100, 1000)
SHARES = (0.1, 0.2, 0.5, 1.0)
HEALTHY = 0.002
BEGINS = 1_800_000_600
GIVE_UP_S = 1800
BEFORE_S = 600
KEPT_S = 60
"""Short, so that a page of chance before the incident does not stand in it."""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noise.delay")
    parser.add_argument("--trials", type=int, default=200)
    trials = parser.parse_args().trials
    names = [rule.alert for rule in rules(100)]
    print(f"| calls in 5 min | failing | {' | '.join(names)} |")
    print("|---" * (2 + len(names)) + "|")
    for volume in VOLUMES:
        for share in SHARES:
            found = [delays(volume, share, seed=seed) for seed in range(trials)]
            cells = [_cell(sorted(trial[name] for trial in found)) for name in names]
            print(f"| {volume} | {share:.0%} | {' | '.join(cells)} |", flush=True)
    return 0


def rules(volume: int) -> tuple[Rule, ...]:
    """Return the rules that are compared, with the counts that a healthy day leads to."""

    def rate(name: str, confidence: float | None, window_s: int = 300) -> Rule:
        condition = ErrorRate(confidence=confidence, window_s=window_s)
        return replace(ERROR_RATE_PAGE, alert=name, condition=condition, keep_firing_for_s=KEPT_S)

    def row(name: str, count: int) -> Rule:
        condition = Consecutive(count=count, adaptive=False)
        return replace(CONSECUTIVE_SERVER_ERRORS, alert=name, condition=condition, keep_firing_for_s=KEPT_S)

    calls = volume * 288
    failures = round(calls * HEALTHY)

    def count(floor: float) -> int:
        return adaptive_count(2, calls=calls, attempts=calls, failures=failures, floor=floor)

    return (
        rate("rate, literal", None),
        rate("99 %", 0.99),
        rate("99.5 %", 0.995),
        rate("99.9 %", 0.999),
        rate("4 min, 99.99 %", 0.9999, 240),
        row("two in a row", 2),
        row("adaptive", count(0.0)),
        row("floor 0.5 %", count(0.005)),
    )


def delays(volume: int, share: float, *, seed: int) -> dict[str, float]:
    """Return how long each rule took, in seconds; inf where it was over half an hour."""
    engine = Engine(rules(volume))
    found = {rule.alert: inf for rule in engine.rules.values()}
    for event in _events(volume, share, Random(f"delay {volume} {share} {seed}")):
        for transition in engine.observe([event], event.at).transitions:
            name = transition.alert.labels["alertname"]
            # A page of before is none of this incident.
            if transition.change is Change.FIRED and transition.at >= BEGINS:
                found[name] = min(found[name], transition.at - BEGINS)
        if max(found.values()) < inf:
            break
    return found


def _events(volume: int, share: float, chance: Random) -> Iterator[Event]:
    at = float(BEGINS - BEFORE_S)
    while (at := at + chance.expovariate(volume / 300)) < BEGINS + GIVE_UP_S:
        failed = chance.random() < (share if at >= BEGINS else HEALTHY)
        yield complete(Event(app="a", model="m", status=500 if failed else 200), received_at=at)


def _cell(delays: list[float]) -> str:
    _, median, *_ = quantiles([min(d, 1e9) for d in delays], n=4, method="inclusive")
    p95 = quantiles([min(d, 1e9) for d in delays], n=20, method="inclusive")[-1]
    return f"{_said(median)} / {_said(p95)}"


def _said(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds <= GIVE_UP_S + 60 else "over 30 min"


if __name__ == "__main__":
    sys.exit(main())
