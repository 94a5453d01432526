"""kill -9 under load, again and again: what of the acknowledged events is lost, what is counted twice.

    python -m benchmarks.ingest_crashes [--kills 200] [--longest 1] [--senders 2]

A real service; senders with idempotency keys, with event ids and with neither, batches of 1 to 5000 events; a kill at
a time that chance chooses. What was not acknowledged is posted again. After every restart the log, read beside the
service, is compared with what was acknowledged and with `/metrics`. Exits with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.support.killing import By, kill_again_and_again


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--longest", type=float, default=1.0, help="seconds of load before a kill, at most")
    parser.add_argument("--senders", type=int, default=2, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        story, books = kill_again_and_again(
            Path(folder),
            options.kills,
            longest_s=options.longest,
            prove_every=max(1, options.kills // 4),
            each=options.senders,
            seed=options.seed,
        )
    print(
        f"{'re-posts are known by':<22} {'acknowledged':>12} {'batches':>8} {'re-posted':>9} "
        f"{'logged, unanswered':>19} {'lost':>5} {'twice':>6}"
    )
    for by in By:
        book = books[by]
        print(
            f"{by.value:<22} {book.events:>12,} {len(book.acknowledged):>8,} {book.reposted:>9,} "
            f"{story.unanswered[by]:>19,} {story.lost[by]:>5} {story.twice[by]:>6,}"
        )
    print(f"{story.kills} kills in {time.perf_counter() - began:.0f} s; ready again after {_times(story.restart_s)}")
    print(f"counters that did not agree with the log: {story.miscounted}; replays that decided otherwise: ", end="")
    print(f"{story.mismatches}; proofs of the whole log that failed: {story.unproved} of {story.proofs}")
    return 0 if story.is_good else 1


def _times(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} s (median), {max(seconds):.2f} s (longest)"


if __name__ == "__main__":
    sys.exit(main())
