"""From an event at an ingest node to a page, over a real Kafka and PostgreSQL, whoever dies on the way."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.storage.kafka_url import KafkaUrl
from tests.nodes.conftest import CONFIG, RULES
from tests.support.kafka import Kafka
from tests.support.nodes import run_claxon
from tests.support.pager import Pager
from tests.support.postgres import Postgres
from tests.support.running import until

from .world import APPS, WITHIN_S, World

pytestmark = [pytest.mark.peer("postgres"), pytest.mark.peer("kafka")]


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


@pytest.fixture
def world(tmp_path: Path, server: Postgres, cluster: Kafka, log: KafkaUrl, pager: Pager) -> Iterator[World]:
    assert cluster
    (tmp_path / "rules.yml").write_text(RULES)
    with World(tmp_path, server, log, config=CONFIG.format(rules=tmp_path / "rules.yml", url=pager.url)) as world:
        yield world


def paged(pager: Pager) -> Counter[tuple[str, str]]:
    """Return how often each app's alert was told of, by status."""
    return Counter(
        (alert["labels"]["app"], alert["status"]) for one in list(pager.received) for alert in one.json["alerts"]
    )


def told_once(pager: Pager, status: str) -> bool:
    return {key: n for key, n in paged(pager).items() if key[1] == status} == dict.fromkeys(
        [(a, status) for a in APPS], 1
    )


def test_an_event_at_an_ingest_node_pages_once_and_its_end_too(world: World, pager: Pager) -> None:
    world.post(status=401)
    assert until(lambda: told_once(pager, "firing"), WITHIN_S), world.elected.log
    world.post(status=200)
    assert until(lambda: told_once(pager, "resolved"), WITHIN_S), world.elected.log
    assert paged(pager) == Counter({(app, status): 1 for app in APPS for status in ("firing", "resolved")})
    assert int(world.sql("SELECT count(*) FROM transitions")) == 0
    assert world.counted("claxon_partitions_owned") == 6
    assert world.counted("claxon_partition_events_total") == 2 * len(APPS)
    assert world.counted("claxon_partition_waiting_messages") == 0


def test_what_calls_take_is_measured_by_who_evaluates_them(world: World) -> None:
    """Each node has the apps of its own partitions, elected or not; together they have all, once."""
    limits = {"requests_limit": 50, "requests_remaining": 7}
    for n in range(3):
        events = [
            {"model": "m", "app": app, "status": 529 if n else 200, "duration_ms": 40.0, "ratelimit": limits}
            | {"event_id": f"{app}-{n}", "circuit": "open", "stopped_by": "deadline", "input_tokens": 9}
            for app in APPS
        ]
        assert world.door.post(events)[0] == 202

    def counted(metric: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for node in world.evaluating:
            for family in text_string_to_metric_families(node.get("/metrics")):
                for one in family.samples:
                    if one.name == metric and one.value:
                        found[one.labels["app"]] += int(one.value)
        return found

    expected = {
        "claxon_attempt_duration_seconds_count": 3,
        "claxon_wasted_tokens_total": 18,
        "claxon_stopped_calls_total": 3,
        "claxon_ratelimit_remaining": 7,
        "claxon_circuit_state": 2,
        "claxon_attempts_total": 3,
    }
    # The elected node hears of models a few seconds later.
    for metric, n in expected.items():
        assert until(lambda metric=metric, n=n: counted(metric) == dict.fromkeys(APPS, n), 15), (
            metric,
            counted(metric),
        )


def test_a_node_that_only_evaluates_says_what_it_owns_to_who_may_know(world: World, tmp_path: Path) -> None:
    key = "r" * 24
    with world.one_more(tmp_path, {"CLAXON_READ_KEY": key}) as node:

        def owned() -> int:
            said = node.request("GET", "/metrics", None, {"Authorization": f"Bearer {key}"})[1]
            lines = [line for line in str(said).splitlines() if line.startswith("claxon_partitions_owned ")]
            return int(float(lines[0].split()[1])) if lines else 0

        assert until(lambda: owned() == 2, WITHIN_S), node.log
        assert node.request("GET", "/metrics")[0] == 401


def test_the_page_comes_once_when_an_evaluator_that_is_not_elected_is_killed(world: World, pager: Pager) -> None:
    world.post(status=200, n=20)
    world.other.kill()
    world.post(status=401)

    assert until(lambda: told_once(pager, "firing"), WITHIN_S), world.evaluating[0].log
    assert until(lambda: world.owned() == 6, WITHIN_S)
    world.post(status=401)
    time.sleep(3)
    assert told_once(pager, "firing")


def test_the_page_comes_once_when_the_elected_node_is_killed(world: World, pager: Pager) -> None:
    elected, other = world.elected, world.other
    world.post(status=401)
    elected.kill()

    other.elect()
    assert until(lambda: told_once(pager, "firing"), WITHIN_S), other.log
    world.post(status=200)
    assert until(lambda: told_once(pager, "resolved"), WITHIN_S), other.log
    assert told_once(pager, "firing")

    verified = run_claxon("verify", "--data", world.database, "--log", world.log, "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    said = json.loads(verified.stdout)
    assert (said["same"], sorted(one["partition"] for one in said["partitions"])) == (True, [0, 1, 2, 3, 4, 5])
    assert sum(one["lost"] for one in said["partitions"]) == 0


def test_a_partition_that_was_decided_otherwise_is_found(world: World, pager: Pager) -> None:
    world.post(status=401)
    assert until(lambda: told_once(pager, "firing"), WITHIN_S), world.elected.log
    for node in world.evaluating:
        node.end(signal.SIGTERM)
    world.sql("UPDATE partitions SET hash = repeat('0', length(hash)) WHERE partition = 3")

    verified = run_claxon("verify", "--data", world.database, "--log", world.log)

    assert verified.returncode == 1, verified.stdout + verified.stderr
    wrong = [line.split(":")[0] for line in verified.stdout.splitlines() if "NOT the same" in line]
    assert wrong == ["partition 3"]
