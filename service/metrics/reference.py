"""docs/reference/metrics.md, written from the catalog: `python -m service.metrics > docs/reference/metrics.md`."""

from __future__ import annotations

from .catalog import CHAPTERS, METRICS
from .election import ELECTION
from .inbox import INBOX
from .labels import BOUNDS, UNITS
from .leases import LEASES
from .metric import Chapter, Metric
from .partitions import PARTITIONS

_HEAD = """\
# Metrics

<!-- Written by `python -m service.metrics > docs/reference/metrics.md`; change service/metrics/. -->

`GET /metrics` answers in the format that Prometheus asks for: text 0.0.4, OpenMetrics 1.0, or protobuf, which has
native histograms, too. Where Claxon has keys, it needs one of scope `read`. [How to scrape](../howto/scrape.md), with
native histograms; or have them [pushed by OTLP](../howto/push-metrics.md).

What ends in `_total` is a counter: use `rate` or `increase`. No label holds a fingerprint, a URL or a message. An empty
label, such as `environment=""`, is to Prometheus the same as none.
"""

_PROCESS = """\
## The process

Linux only, under the names that every process has: `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_virtual_memory_bytes`, `process_start_time_seconds`, `process_open_fds`, `process_max_fds`.

## Cost

10,000 series take about 20 ms as text and 35 ms as protobuf, of which the core's thread is held up for 3 ms; the most
there can be, some 95,000, take 0.2 s, and the core 28 ms. What is measured for `/metrics` costs an event 0.2 us where
many come, and 0.5 us below 20,000 a second (`python -m benchmarks scrape`, `ingest_parts`).
"""


def reference() -> str:
    """Return the whole page."""
    chapters = map(_chapter, (*CHAPTERS, ELECTION, INBOX, LEASES, PARTITIONS))
    return "\n".join([_HEAD, *chapters, _PROCESS, _labels(), _units()])


def _chapter(chapter: Chapter) -> str:
    head = [
        "## " + chapter.title,
        "",
        chapter.about,
        "",
        "| metric | kind | unit | labels | what |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(_row, chapter.metrics), ""])


def _row(metric: Metric) -> str:
    labels = " ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.help} |"


def _labels() -> str:
    used = dict.fromkeys(
        label for metric in METRICS for label in (*metric.labels, *(["le"] if metric.histogram else []))
    )
    head = ["## Labels", "", "How many values each may have.", "", "| label | bounded by |", "|---|---|"]
    return "\n".join([*head, *(f"| `{label}` | {BOUNDS[label]} |" for label in used), ""])


def _units() -> str:
    head = ["## Units", "", "Any other names what is counted.", "", "| unit | is |", "|---|---|"]
    return "\n".join([*head, *(f"| {unit} | {what} |" for unit, what in UNITS.items()), ""])
