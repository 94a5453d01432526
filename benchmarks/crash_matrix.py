"""kill -9 at each point between an event and its page: what is lost, what comes twice.

    python -m benchmarks.crash_matrix [--trials 50] [--at-once 2]

Each trial is a real service with a real webhook: three batches, death in one of them, a start on the same data, the
batches again that were not acknowledged. Exits with 1 when a page was lost, came twice where it was not sent before,
or came again under another key.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from tests.support.crashes import BATCHES, POINTS, Trial, attempt


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args()
    began = time.perf_counter()
    wanted = list(product(POINTS, range(options.trials)))
    with ThreadPoolExecutor(options.at_once) as pool:
        trials = list(pool.map(lambda one: attempt(one[0], at_pass=1 + one[1] % BATCHES), wanted))
    print(f"{'killed':<52} {'kills':>6} {'pages':>6} {'lost':>5} {'twice':>6} {'other key':>10}")
    failed = False
    for i, point in enumerate(POINTS):
        of_point = trials[i * options.trials : (i + 1) * options.trials]
        lost, twice, other = _sums(of_point)
        kills = sum(trial.killed for trial in of_point)
        print(f"{point.where:<52} {kills:>6} {len(of_point) * BATCHES:>6} {lost:>5} {twice:>6} {other:>10}")
        failed |= bool(lost or other or (twice and not point.twice) or kills != len(of_point))
    print(f"{len(trials)} kills in {time.perf_counter() - began:.0f} s")
    return 1 if failed else 0


def _sums(trials: list[Trial]) -> tuple[int, int, int]:
    return sum(t.lost for t in trials), sum(t.repeated for t in trials), sum(t.other_keys for t in trials)


if __name__ == "__main__":
    sys.exit(main())
