"""How long a real Prometheus takes to answer what the dashboards ask, over 15 days of a scrape each 15 seconds.

The series are those of a real service to which everything happened that the panels show.
Usage: python -m benchmarks.dashboards [--times 1] [--scrape 15] [--rounds 3]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.dashboards.asking import DAY, DAYS, Answer, ask_all
from tests.dashboards.faulty_traffic import scraped_service
from tests.dashboards.history import write_history
from tests.support.peers import start_prometheus

SLOWEST = 10


def main() -> None:
    """Write the history, ask, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboards", description=__doc__)
    parser.add_argument("--times", type=int, default=1, help="how often the three apps are there, under other names")
    parser.add_argument("--scrape", type=int, default=15, help="seconds between two scrapes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each query is asked")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), times=asked.times, scrape_s=asked.scrape, rounds=asked.rounds)


def measure(folder: Path, *, times: int, scrape_s: int, rounds: int) -> None:
    """Print how long answers take, the slowest by name."""
    page = scraped_service(folder, times=times)
    end = int(time.time()) // scrape_s * scrape_s
    begin = end - DAYS * DAY
    started = time.perf_counter()
    series = write_history(page, folder / "state", begin=begin, end=end, step_s=scrape_s, scraped_at=time.time())
    samples = series * DAYS * DAY // scrape_s
    print(f"{series} series, {samples:,} samples in {time.perf_counter() - started:.0f} s", flush=True)
    best: dict[str, Answer] = {}
    first: dict[str, Answer] = {}
    with start_prometheus("{}", folder, "--storage.tsdb.retention.time=30d", state=folder / "state") as prometheus:
        for _ in range(rounds):
            for answer in ask_all(prometheus.url, begin=begin, end=end - scrape_s, scrape_s=scrape_s):
                first.setdefault(answer.where, answer)
                best[answer.where] = min(answer, best.get(answer.where, answer), key=lambda one: one.seconds)
    slow = sorted(best.values(), key=lambda one: -one.seconds)
    half = slow[len(slow) // 2].seconds
    print(f"{len(slow)} queries; the slowest takes {slow[0].seconds:.2f} s, half of them under {half:.3f} s")
    print(f"asked for the first time, the slowest takes {max(one.seconds for one in first.values()):.2f} s")
    for answer in slow[:SLOWEST]:
        print(f"  {answer.seconds:6.3f} s  {answer.where}")
    print(f"without data: {[one.where for one in slow if not one.points] or 'none'}")


if __name__ == "__main__":
    main()
