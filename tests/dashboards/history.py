"""Days of history for a Prometheus, made of one real scrape: each series as if it had been scraped all the time.

Counters grow from 0 to what was scraped, so that rates have something to rate; gauges stay; instants lie as far before
each scrape as they lay before the real one. ≠ what is asked of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

BLOCK_S = 54 * 3_600
"""The blocks of a Prometheus that keeps 15 days or more become so long. promtool reads a file once for each in it."""

LABELS = {"job": "claxon", "instance": "claxon:5290"}


def write_history(page: str, folder: Path, *, begin: int, end: int, step_s: int, scraped_at: float) -> int:
    """Fill Prometheus's folder with the series of an OpenMetrics page; return how many series there are.

    Args:
        page: What a real Claxon answered.
        folder: Where Prometheus will find its data.
        begin: Unix seconds.
        end: Unix seconds.
        step_s: Between two scrapes.
        scraped_at: When the page was answered, Unix seconds.
    """
    families = list(text_string_to_metric_families(page))
    file = folder.parent / "block.om"
    for at in range(begin // BLOCK_S * BLOCK_S, end, BLOCK_S):
        instants = range(max(begin, at), min(end, at + BLOCK_S), step_s)
        with file.open("w", encoding="utf-8") as out:
            out.writelines(_block(families, instants, begin=begin, end=end, scraped_at=scraped_at))
        command = ["promtool", "tsdb", "create-blocks-from", f"--max-block-duration={BLOCK_S}s", "--quiet"]
        command += ["openmetrics", str(file), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    file.unlink()
    return sum(len(family.samples) for family in families)


def _block(families: list[Metric], instants: range, *, begin: int, end: int, scraped_at: float) -> Iterator[str]:
    for family in families:
        for sample in family.samples:
            labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in (sample.labels | LABELS).items())
            series = f"{sample.name}{{{labels}}}"
            if family.type in ("counter", "histogram"):
                slope = sample.value / (end - begin)
                yield "".join([f"{series} {slope * (at - begin):.3f} {at}\n" for at in instants])
            elif family.name.endswith("_timestamp_seconds") and sample.value:
                ago = scraped_at - sample.value
                yield "".join([f"{series} {at - ago:.3f} {at}\n" for at in instants])
            else:
                yield "".join([f"{series} {sample.value} {at}\n" for at in instants])
    yield "# EOF\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
