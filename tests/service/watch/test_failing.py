"""ClaxonDeliveryFailing: an integration that fails is told of by another way out, and its end too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.watch.failing import HOLD_S
from tests.support.pager import Pager
from tests.support.running import Running, until
from tests.support.watching import two_receivers

REJECTED = {"app": "shop", "model": "claude-test", "status": 401}
NAME = "ClaxonDeliveryFailing"


def of(pager: Pager, name: str) -> list[dict[str, Any]]:
    """Return what a pager got of an alert."""
    return [one.json for one in pager.received if one.json["commonLabels"].get("alertname") == name]


def look(claxon: Running, *, later_s: float = 0.0) -> None:
    """Look at the integrations now, by a clock that is ahead."""
    watch = claxon.service.failing_watch
    watch._clock = lambda: claxon.service.clock() + later_s
    claxon.core(watch.look)


def fails(claxon: Running, target: str) -> bool:
    return target in {one.target for one in claxon.core(claxon.service.deliverer.failing)}


def test_an_integration_that_refuses_is_told_of_by_the_fallback_and_not_by_itself(tmp_path: Path) -> None:
    with (
        Pager(401) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        claxon.post([REJECTED])
        assert until(lambda: fails(claxon, "pager/webhook/0"), 5)
        look(claxon)

        assert until(lambda: of(backup, NAME), 5)
        [told] = of(backup, NAME)
        assert told["status"] == "firing"
        assert told["commonLabels"] == {
            "alertname": NAME,
            "severity": "page",
            "receiver": "pager",
            "integration": "webhook/0",
        }
        assert "answered 401" in told["commonAnnotations"]["summary"]
        assert of(pager, NAME) == []


def test_it_is_told_once_however_often_it_is_looked_at_and_its_end_when_it_has_worked_for_a_while(
    tmp_path: Path,
) -> None:
    with (
        Pager(401) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        claxon.post([REJECTED])
        assert until(lambda: fails(claxon, "pager/webhook/0"), 5)
        for _ in range(3):
            look(claxon)
        assert until(lambda: of(backup, NAME), 5)

        pager.answer_with(200)
        claxon.post([REJECTED | {"app": "cart"}])
        assert until(lambda: not fails(claxon, "pager/webhook/0"), 5)
        look(claxon, later_s=HOLD_S - 10)
        assert [one["status"] for one in of(backup, NAME)] == ["firing"]
        look(claxon, later_s=HOLD_S + 60)

        assert until(lambda: len(of(backup, NAME)) == 2, 5)
        assert [one["status"] for one in of(backup, NAME)] == ["firing", "resolved"]
        assert "answered 401" in of(backup, NAME)[1]["commonAnnotations"]["summary"]
        assert of(pager, NAME) == []


def test_an_integration_that_takes_every_second_message_is_one_page(tmp_path: Path) -> None:
    with (
        Pager(401, 200, 401, 200, 401) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        for i, now_fails in enumerate([True, False, True, False, True]):
            claxon.post([REJECTED | {"app": f"app{i}"}])
            assert until(lambda i=i: len(pager.received) == i + 1, 5)  # type: ignore[misc]
            assert until(lambda now=now_fails: fails(claxon, "pager/webhook/0") is now, 5)  # type: ignore[misc]
            look(claxon, later_s=i * 60.0)

        assert until(lambda: of(backup, NAME), 5)
        assert [one["status"] for one in of(backup, NAME)] == ["firing"]


def test_a_fallback_that_fails_is_told_of_by_the_others(tmp_path: Path) -> None:
    with Pager() as pager, Pager(401) as backup:
        text = two_receivers(pager.url, backup.url).replace("route: {receiver: pager}", "route: {receiver: backup}")
        with Running(tmp_path, config=text) as claxon:
            claxon.post([REJECTED])
            assert until(lambda: fails(claxon, "backup/webhook/0"), 5)
            look(claxon)

            assert until(lambda: of(pager, NAME), 5)
            assert of(backup, NAME) == []


def test_a_receiver_with_two_integrations_tells_by_the_one_that_works(tmp_path: Path) -> None:
    with Pager(401) as bad, Pager() as good:
        text = (
            "route: {receiver: on-call}\n"
            f"receivers: [{{name: on-call, webhook_configs: [{{url: '{bad.url}'}}, {{url: '{good.url}'}}]}}]\n"
        )
        with Running(tmp_path, config=text) as claxon:
            claxon.post([REJECTED])
            assert until(lambda: fails(claxon, "on-call/webhook/0"), 5)
            look(claxon)

            assert until(lambda: of(good, NAME), 5)
            look(claxon)
            assert of(bad, NAME) == []


def test_where_nobody_else_is_there_it_is_counted_and_nobody_is_sent_anything(tmp_path: Path) -> None:
    with Pager(401) as pager:
        text = f"route: {{receiver: pager}}\nreceivers: [{{name: pager, webhook_configs: [{{url: '{pager.url}'}}]}}]\n"
        with Running(tmp_path, config=text) as claxon:
            claxon.post([REJECTED])
            assert until(lambda: fails(claxon, "pager/webhook/0"), 5)
            for _ in range(3):
                look(claxon)

            assert claxon.service.watch_tally.no_way == 1
            assert 'claxon_integration_failing{index="0",kind="webhook",receiver="pager"} 1.0' in claxon.get("/metrics")
            assert of(pager, NAME) == []


def test_a_restart_neither_tells_it_again_nor_forgets_to_end_it(tmp_path: Path) -> None:
    with Pager(401) as pager, Pager() as backup:
        text = two_receivers(pager.url, backup.url)
        with Running(tmp_path, config=text) as claxon:
            claxon.post([REJECTED])
            assert until(lambda: fails(claxon, "pager/webhook/0"), 5)
            look(claxon)
            assert until(lambda: of(backup, NAME), 5)
        pager.answer_with(200)
        with Running(tmp_path, config=text) as claxon:
            claxon.post([REJECTED | {"app": "cart"}])
            assert until(lambda: not fails(claxon, "pager/webhook/0"), 5)
            look(claxon)
            look(claxon, later_s=HOLD_S + 60)

            assert until(lambda: len(of(backup, NAME)) == 2, 5)
        assert [one["status"] for one in of(backup, NAME)] == ["firing", "resolved"]
