"""Every query of every dashboard is answered in under a second over 15 days.

The series are those of a real Claxon to which everything happened; here they are as if scraped each 5 minutes.
`python -m benchmarks.dashboards` does it with a scrape each 15 seconds.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.dashboards.asking import DAY, DAYS, ask_all
from tests.dashboards.faulty_traffic import scraped_service
from tests.dashboards.history import write_history
from tests.support.peers import require, start_prometheus

SCRAPE_S = 300
SECOND = 1.0

CONFIG = "global: {scrape_interval: 5m}\n"


@pytest.mark.peer("prometheus")
def test_every_query_is_answered_in_a_second_over_15_days(tmp_path: Path) -> None:
    require("prometheus")
    page = scraped_service(tmp_path)
    end = int(time.time()) // SCRAPE_S * SCRAPE_S
    begin = end - DAYS * DAY
    state = tmp_path / "state"
    series = write_history(page, state, begin=begin, end=end, step_s=SCRAPE_S, scraped_at=time.time())

    with start_prometheus(CONFIG, tmp_path, "--storage.tsdb.retention.time=30d", state=state) as prometheus:
        answers = list(ask_all(prometheus.url, begin=begin, end=end - SCRAPE_S, scrape_s=SCRAPE_S))

    assert series > 300
    assert len(answers) > 150
    assert [answer.where for answer in answers if answer.points == 0] == []
    assert [answer for answer in answers if answer.seconds >= SECOND] == []
