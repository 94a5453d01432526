"""docs/reference/metrics.md, written from the catalog: `python -m service.metrics > docs/reference/metrics.md`."""

from __future__ import annotations

from .catalog import CHAPTERS
from .metric import Chapter, Metric

_HEAD = """\
# Metrics

<!-- Written by `python -m service.metrics > docs/reference/metrics.md`; change service/metrics/catalog.py. -->

`GET /metrics` answers in Prometheus's text format 0.0.4. Where Claxon has keys, it needs one of scope `read`:

```yaml
scrape_configs:
  - job_name: claxon
    authorization: {credentials_file: /run/secrets/claxon_read_key}   # not needed on 127.0.0.1
    static_configs:
      - targets: ["127.0.0.1:5290"]
```

What ends in `_total` is a counter: use `rate` or `increase`. All else is a gauge. No label holds a
fingerprint, a URL or a message. An empty label, such as `environment=""`, is to Prometheus the same as none.
`dashboards/overview.json` shows most of these; dashboards/README.md says how to get it into Grafana.
"""

_PROCESS = """\
## The process

Linux only, under the names that every process has: `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_virtual_memory_bytes`, `process_start_time_seconds`, `process_open_fds`, `process_max_fds`.

## Cost

A scrape takes about 40 us a series, beside the core's thread: 10,000 series about 0.4 s, the most there can be
(some 35,000) about 1.5 s. Scrape every 15 s or less often. The OpenTelemetry SDK writes the page, so
`OTEL_SDK_DISABLED=true` leaves only the process on it.
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *map(_chapter, CHAPTERS), _PROCESS])


def _chapter(chapter: Chapter) -> str:
    head = ["## " + chapter.title, "", chapter.about, "", "| metric | kind | labels | what |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_row, chapter.metrics), ""])


def _row(metric: Metric) -> str:
    kind = "counter" if metric.counts else "gauge"
    labels = " ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {kind} | {labels} | {metric.help} |"
