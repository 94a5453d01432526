"""The catalog: every claxon_* metric, named, described and read once.

docs/reference/metrics.md is written from here.

≠ formats, where a sample comes from.
"""

from __future__ import annotations

from .calls import CALLS
from .door import INGEST, KEYS
from .engine_room import CORE
from .measured import MEASURED
from .standing import ALERTS, BUDGETS
from .telling import DELIVERY, PEOPLE, WATCH

CHAPTERS = (CALLS, MEASURED, ALERTS, BUDGETS, INGEST, CORE, DELIVERY, PEOPLE, KEYS, WATCH)
METRICS = tuple(metric for chapter in CHAPTERS for metric in chapter.metrics)
