"""The heartbeat: a ping to a real dead man's switch, only while everything works."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from service.config_file import ConfigFileError, load_config
from tests.support.pager import HANG, Pager, Reply
from tests.support.running import Process, Running, until
from tests.support.watching import HASTY, busy_core, full_disk

REJECTED = {"app": "shop", "model": "claude-test", "status": 401}


def config(switch: str, pager: str, *, more: str = "") -> str:
    return (
        f"heartbeat: {{url: '{switch}/ping/s3cr3t-token', interval: 1s{more}}}\n"
        "route: {receiver: pager}\n"
        f"receivers: [{{name: pager, webhook_configs: [{{url: '{pager}'}}]}}]\n"
    )


@pytest.fixture
def switch() -> Iterator[Pager]:
    with Pager() as found:
        yield found


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as found:
        yield found


def hasty(folder: Path, text: str) -> Running:
    claxon = Running(folder, config=text)
    claxon.service.watch_limits = HASTY
    return claxon


def pings(claxon: Running) -> dict[str, int]:
    return claxon.service.watch_tally.pings


def is_silent(switch: Pager, *, within: float) -> bool:
    """Whether nothing comes for so long, after what may be on its way."""
    until(lambda: False, 0.3)
    seen = len(switch.received)
    return not until(lambda: len(switch.received) > seen, within)


def test_while_all_works_a_get_comes_each_interval(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    with hasty(tmp_path, config(switch.url, pager.url)) as claxon:
        first, second = (one.arrived_at for one in switch.wait_for(2))

        assert {one.path for one in switch.received} == {"/ping/s3cr3t-token"}
        assert {one.body for one in switch.received} == {b""}
        assert 0.9 < second - first < 2.0
        assert until(lambda: pings(claxon)["sent"] >= 2, 2)
        assert time.time() - claxon.service.watch_tally.pinged_at < 2.0


def test_a_post_is_sent_where_one_is_wanted(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    switch.answer_with(Reply(body="OK"))
    with hasty(tmp_path, config(switch.url, pager.url, more=", method: POST")) as claxon:
        switch.wait_for(1)

        assert until(lambda: pings(claxon)["sent"] >= 1, 2)


@pytest.mark.parametrize("break_it", [busy_core, full_disk], ids=["the core is stuck", "nothing can be written"])
def test_it_is_silent_while_something_does_not_work_and_goes_on_after(
    tmp_path: Path, switch: Pager, pager: Pager, break_it: Callable[[Running], AbstractContextManager[None]]
) -> None:
    with hasty(tmp_path, config(switch.url, pager.url)) as claxon:
        switch.wait_for(1)

        with break_it(claxon):
            assert until(lambda: pings(claxon)["withheld"] >= 1, 5)
            assert is_silent(switch, within=2.5)

        seen = len(switch.received)
        switch.wait_for(seen + 2)


def test_it_is_silent_when_a_worker_of_the_delivery_has_ended(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    with hasty(tmp_path, config(switch.url, pager.url)) as claxon:
        switch.wait_for(1)
        [worker] = claxon.service.deliverer._workers.values()
        worker.task.get_loop().call_soon_threadsafe(worker.task.cancel)

        assert until(lambda: pings(claxon)["withheld"] >= 1, 5)
        assert is_silent(switch, within=2.5)


def test_it_is_silent_when_nobody_can_be_paged(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    pager.answer_with(401)
    with hasty(tmp_path, config(switch.url, pager.url)) as claxon:
        switch.wait_for(1)
        claxon.post([REJECTED])
        pager.wait_for(1)

        assert until(lambda: pings(claxon)["withheld"] >= 1, 10)
        assert is_silent(switch, within=2.5)


def test_one_receiver_that_fails_does_not_stop_it_while_another_takes_pages(tmp_path: Path, switch: Pager) -> None:
    with Pager(401) as bad, Pager() as good:
        text = (
            f"heartbeat: {{url: '{switch.url}', interval: 1s}}\n"
            "route: {receiver: bad}\n"
            "fallback_receiver: good\n"
            f"receivers: [{{name: bad, webhook_configs: [{{url: '{bad.url}'}}]}},"
            f" {{name: good, webhook_configs: [{{url: '{good.url}'}}]}}]\n"
        )
        with hasty(tmp_path, text) as claxon:
            claxon.post([REJECTED])
            good.wait_for(1)
            assert until(lambda: bool(claxon.core(claxon.service.deliverer.failing)), 5)
            seen = len(switch.received)

            switch.wait_for(seen + 2)

        assert pings(claxon)["withheld"] == 0


def test_a_ping_that_nobody_takes_is_tried_again_within_the_interval_and_harms_nothing(
    tmp_path: Path, switch: Pager, pager: Pager
) -> None:
    switch.answer_with(500, 200)
    text = config(switch.url, pager.url).replace("interval: 1s", "interval: 6s")
    with hasty(tmp_path, text) as claxon:
        first, second = (one.arrived_at for one in switch.wait_for(2))

        assert second - first < 3.0
        assert until(lambda: pings(claxon) == {"sent": 1, "failed": 1, "withheld": 0}, 2)
        assert claxon.request("GET", "/-/ready")[0] == 200


def test_a_redirect_is_not_followed(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    with Pager() as elsewhere:
        switch.answer_with(Reply(status=302, headers={"Location": f"{elsewhere.url}/steal"}))
        with hasty(tmp_path, config(switch.url, pager.url)) as claxon:
            assert until(lambda: pings(claxon)["failed"] >= 1, 5)

        assert elsewhere.received == []


def test_a_switch_that_hangs_delays_nothing_else(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    switch.answer_with(HANG)
    with hasty(tmp_path, config(switch.url, pager.url)) as claxon:
        switch.wait_for(1)
        claxon.post([REJECTED])

        assert len(pager.wait_for(1, within=3)) == 1


def test_the_address_is_a_secret_that_no_log_holds(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    switch.answer_with(Reply(status=404, body="no switch at /ping/s3cr3t-token"))
    with Process(tmp_path, config=config(switch.url, pager.url)) as claxon:
        switch.wait_for(2)
        assert until(lambda: "heartbeat.failed" in claxon.log.read_text(), 5)

    assert "s3cr3t" not in claxon.log.read_text()


def test_the_address_may_be_in_a_file(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    (tmp_path / "switch").write_text(f"{switch.url}/from-a-file\n")
    text = config("", pager.url).replace("url: '/ping/s3cr3t-token'", "url_file: switch")
    with hasty(tmp_path, text):
        assert switch.wait_for(1)[0].path == "/from-a-file"


def test_a_file_without_an_address_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "switch").write_text("not an address, but secret\n")
    path = tmp_path / "claxon.yml"
    path.write_text("heartbeat: {url_file: switch}\n")

    with pytest.raises(ConfigFileError) as refused:
        load_config(path)

    assert "heartbeat" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_another_method_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "claxon.yml"
    path.write_text("heartbeat: {url: 'https://example.org/x', method: PUT}\n")

    with pytest.raises(ConfigFileError, match="method: 'PUT': write GET or POST"):
        load_config(path)


def test_a_reload_changes_who_is_pinged(tmp_path: Path, switch: Pager, pager: Pager) -> None:
    with Pager() as other, hasty(tmp_path, config(switch.url, pager.url)) as claxon:
        switch.wait_for(1)
        (tmp_path / "claxon.yml").write_text(config(other.url, pager.url))
        assert claxon.request("POST", "/-/reload")[0] == 200

        other.wait_for(1)
        assert is_silent(switch, within=1.5)
