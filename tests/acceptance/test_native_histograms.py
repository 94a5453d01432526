"""A real Prometheus reads native histograms of a real service, and its quantiles are those of what was posted."""

from __future__ import annotations

import json
import random
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.peers import require, start_prometheus
from tests.support.running import Running, until

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: claxon
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

random_ = random.Random(7)
TOOK_MS = [round(random_.lognormvariate(7, 0.8), 3) for _ in range(3000)]
"""About a second each, some much longer."""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Yield what asks a Prometheus with native histograms, once it has read all that was posted."""
    require("prometheus")
    folder = tmp_path_factory.mktemp("native")
    with Running(folder) as claxon:
        port = urllib.parse.urlsplit(claxon.url).port
        with start_prometheus(CONFIG.format(port=port), folder, "--enable-feature=native-histograms") as prometheus:

            def ask(expr: str) -> Any:
                url = f"{prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(url, timeout=10) as answer:
                    return json.load(answer)["data"]["result"]

            def read(n: int) -> Callable[[], bool]:
                def all_read() -> bool:
                    found = ask("histogram_count(claxon_attempt_duration_seconds)")
                    return [float(one["value"][1]) for one in found] == [n]

                return all_read

            claxon.post([event(TOOK_MS[0])])
            assert until(read(1), 15), prometheus.folder
            claxon.post([event(took) for took in TOOK_MS[1:]])
            assert until(read(len(TOOK_MS)), 15), prometheus.folder
            yield ask


def event(took_ms: float) -> dict[str, Any]:
    return {
        "model": "claude-opus-4-5",
        "app": "chat",
        "status": 200,
        "time": time.time(),
        "duration_ms": took_ms,
        "time_to_first_token_ms": took_ms / 10,
    }


def number(found: Any) -> float:
    (one,) = found
    return float(one["value"][1])


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_prometheus_answers_quantiles_that_are_right_to_a_bucket(ask: Callable[[str], Any], quantile: float) -> None:
    """A bucket is 9 % wide; a classic one, between 1 and 2.5 s, 150 %."""
    true = statistics.quantiles(TOOK_MS, n=100, method="inclusive")[round(quantile * 100) - 1] / 1000

    assert number(ask(f"histogram_quantile({quantile}, claxon_attempt_duration_seconds)")) == pytest.approx(
        true, rel=0.09
    )


@pytest.mark.peer("prometheus")
def test_prometheus_answers_a_quantile_of_a_rate_by_app(ask: Callable[[str], Any]) -> None:
    expr = "histogram_quantile(0.5, sum by (app) (rate(claxon_time_to_first_token_seconds[1m])))"
    (found,) = ask(expr)

    assert found["metric"] == {"app": "chat"}
    assert float(found["value"][1]) == pytest.approx(statistics.median(TOOK_MS) / 10_000, rel=0.09)


@pytest.mark.peer("prometheus")
def test_prometheus_keeps_the_sum_and_has_one_series_a_histogram(ask: Callable[[str], Any]) -> None:
    assert number(ask("histogram_sum(claxon_attempt_duration_seconds)")) == pytest.approx(sum(TOOK_MS) / 1000)
    assert ask("claxon_attempt_duration_seconds_bucket") == []


@pytest.mark.peer("prometheus")
def test_all_else_is_read_from_protobuf_as_well(ask: Callable[[str], Any]) -> None:
    assert number(ask('claxon_attempts_total{app="chat", category="ok"}')) == len(TOOK_MS)
    assert number(ask("process_open_fds")) > 0
    assert number(ask('claxon_build_info{version!=""}')) == 1
