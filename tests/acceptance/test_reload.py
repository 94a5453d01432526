"""SIGHUP, with a real process under load: nothing that was acknowledged is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from service.cli import main
from tests.support.pager import Pager
from tests.support.running import Process, until

CONFIG = """
route: {{receiver: on-call}}
rule_files: [rules.yml]
receivers: [{{name: on-call, webhook_configs: [{{url: "{url}/hook"}}]}}]
"""
RULES = "include: defaults\nrules:\n  - {{alert: Ours, error_rate: {{above: {above}%, window: 5m}}, by: [app]}}\n"


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


class Stream:
    """Posts events until it is told to stop, and counts those that were acknowledged."""

    def __init__(self, claxon: Process) -> None:
        self.claxon = claxon
        self.taken = 0
        self.refused: list[int] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._post) for _ in range(3)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _post(self) -> None:
        batch = [{"model": "m", "app": "bulk", "status": 200}] * 50
        while not self._ended.is_set():
            status, answer, _ = self.claxon.post(batch)
            if status == 202:
                self.taken += answer["accepted"]
            else:
                self.refused.append(status)


def in_force(claxon: Process, above: int) -> bool:
    rules = {rule["id"]: rule["definition"] for rule in claxon.get("/v1/rules")["rules"]}
    return bool(rules["Ours/page"]["error_rate"]["above"] == f"{above}%")


def test_a_stream_of_events_goes_through_reloads_good_and_bad_and_none_is_lost(tmp_path: Path, pager: Pager) -> None:
    (tmp_path / "rules.yml").write_text(RULES.format(above=10))
    claxon = Process(tmp_path, config=CONFIG.format(url=pager.url))
    with claxon:
        with Stream(claxon) as stream:
            for above in (21, 31, 41):
                (tmp_path / "rules.yml").write_text(RULES.format(above=above))
                claxon.signal(signal.SIGHUP)
                assert until(partial(in_force, claxon, above), 10)
            (tmp_path / "rules.yml").write_text("rules: [{alert: Ours, any: {}, by: [nothing]}]")
            claxon.signal(signal.SIGHUP)
            assert until(lambda: "config.refused" in claxon.log.read_text(), 10)
        metrics = claxon.request("GET", "/metrics")[1]

    assert stream.refused == []
    assert stream.taken > 0
    assert f'claxon_attempts_total{{app="bulk",category="ok",environment="",model="m"}} {stream.taken}.0' in metrics
    assert claxon.log.read_text().count("config.reloaded") == 3
    assert "rules_changed" in claxon.log.read_text()
    assert main(["verify", "--data", str(claxon.data)]) == 0


def test_many_hangups_at_once_neither_end_the_process_nor_stop_its_pages(tmp_path: Path, pager: Pager) -> None:
    (tmp_path / "rules.yml").write_text(RULES.format(above=10))
    with Process(tmp_path, config=CONFIG.format(url=pager.url)) as claxon:
        for above in range(11, 31):
            (tmp_path / "rules.yml").write_text(RULES.format(above=above))
            claxon.signal(signal.SIGHUP)
        claxon.post([{"model": "m", "app": "shop", "status": 401}])

        assert pager.wait_for(1)[0].json["groupLabels"]["alertname"] == "ClaudeAuthError"
        assert until(partial(in_force, claxon, 30), 10)
