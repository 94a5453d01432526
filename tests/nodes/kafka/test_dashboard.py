"""A real Prometheus scrapes each of several nodes: every panel of their dashboard has data, and says who is elected."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from service.storage.kafka_url import parse_kafka_url
from tests.dashboards.queries import load, panels, with_values
from tests.nodes.conftest import CONFIG, RULES
from tests.support.kafka import Kafka
from tests.support.pager import Pager
from tests.support.peers import require, start_prometheus
from tests.support.postgres import Postgres
from tests.support.running import until

from .world import World

pytestmark = [pytest.mark.peer("postgres"), pytest.mark.peer("kafka"), pytest.mark.peer("prometheus")]

BOARD = load("nodes.json")
POST_FOR_S = 8
SCRAPE = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: claxon
    static_configs: [{{targets: [{targets}]}}]
"""


class Scene(NamedTuple):
    """What the tests look at.

    Attributes:
        world: The nodes.
        prometheus: Has read them.
        begin, end: From when to when, Unix seconds.
    """

    world: World
    prometheus: str
    begin: float
    end: float

    def ask(self, expr: str, *, instant: bool = True) -> list[dict[str, Any]]:
        """Return the series of a query, each with its `values`."""
        span = {"start": self.begin, "end": self.end, "step": 1}
        path, when = ("query", {"time": self.end}) if instant else ("query_range", span)
        url = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode({'query': expr, **when})}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return [one | {"values": [one["value"]] if instant else one["values"]} for one in found]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, server: Postgres, cluster: Kafka) -> Iterator[Scene]:
    require("prometheus")
    folder = tmp_path_factory.mktemp("nodes")
    cluster.create_topic("claxon-dashboard", partitions=6)
    log = parse_kafka_url(f"kafka://{cluster.bootstrap()}/claxon-dashboard")
    (folder / "rules.yml").write_text(RULES)
    with Pager() as pager:
        config = CONFIG.format(rules=folder / "rules.yml", url=pager.url)
        with World(folder, server, log, config=config) as world:
            targets = ", ".join(f'"{node.url.removeprefix("http://")}"' for node in (*world.evaluating, world.door))
            with start_prometheus(SCRAPE.format(targets=targets), folder) as prometheus:
                begin = time.time()
                while time.time() < begin + POST_FOR_S:
                    world.post(status=401)
                    time.sleep(0.5)
                scene = Scene(world, prometheus.url, begin, math.nan)

                def read() -> bool:
                    return len(scene._replace(end=time.time()).ask("up == 1")) == 3

                assert until(read, 20), prometheus.folder
                yield scene._replace(end=time.time())


def asked(panel: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield the queries of a panel: where, PromQL, and whether it asks for now only."""
    for target in panel["targets"]:
        where = f"{panel['title']} {target['refId']}"
        yield where, with_values(target["expr"], rate_interval="5s"), bool(target["instant"])


def test_every_query_has_data(scene: Scene) -> None:
    empty = [
        where
        for panel in panels(BOARD)
        for where, expr, instant in asked(panel)
        if not any(math.isfinite(float(n)) for one in scene.ask(expr, instant=instant) for _, n in one["values"])
    ]

    assert empty == []


def test_it_says_who_is_elected_and_who_does_what(scene: Scene) -> None:
    def last(title: str) -> dict[str, float]:
        [panel] = [one for one in panels(BOARD) if one["title"] == title]
        [(_, expr, instant)] = asked(panel)
        return {
            f"http://{one['metric'].get('instance', '')}": float(one["values"][-1][1])
            for one in scene.ask(expr, instant=instant)
        }

    world = scene.world
    assert last("Elected node") == {world.elected.url: 1}
    assert list(last("Elected").values()) == [1]
    assert last("Partitions by node") == dict.fromkeys((one.url for one in world.evaluating), 3)
    assert set(last("Events written")) == {world.door.url}
    assert set(last("Sent by node")) == {one.url for one in world.evaluating}
    assert list(last("Nodes that deliver").values()) == [2]


def test_a_take_over_is_counted(scene: Scene) -> None:
    """Last in this file: the scene has one node less afterwards."""
    elected, other = scene.world.elected, scene.world.other
    elected.kill()
    other.elect()

    def counted() -> float:
        [panel] = [one for one in panels(BOARD) if one["title"] == "Take-overs"]
        [(_, expr, _)] = asked(panel)
        return float(scene._replace(end=time.time()).ask(expr)[0]["values"][0][1])

    assert until(lambda: counted() == 1, 20), counted()
    now = scene._replace(end=time.time())
    assert [one["metric"]["instance"] for one in now.ask("claxon_elected == 1")] == [other.url.removeprefix("http://")]
    assert len(now.ask("up == 1")) == 2
