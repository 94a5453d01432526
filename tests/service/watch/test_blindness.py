"""ClaxonBlind: told past the outbox when Claxon cannot do its work, by whatever part it is that fails."""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.receivers import Receiver
from service.receivers.webhook import WebhookReceiver
from service.watch.blindness import REPEAT_S, RETRY_S, Blindness, Ways
from service.watch.tally import WatchTally
from tests.support.pager import HANG, Pager
from tests.support.running import Process, Running, until
from tests.support.watching import HASTY, busy_core, full_disk, two_receivers

URL = "http://127.0.0.1:5290"


# ── what is told, by a clock of the test ──────────────────────────────────────


@contextmanager
def telling(*pagers: Pager) -> Iterator[tuple[Callable[..., None], WatchTally]]:
    """Yield what looks at an instant, each look ended before it returns."""
    loop = asyncio.new_event_loop()
    tally = WatchTally()
    blindness = Blindness(tally)
    receivers: dict[str, Receiver] = {f"r{i}/webhook/0": webhook(pager.url) for i, pager in enumerate(pagers)}

    def look(now: float, *wrong: str, calm: bool = False) -> None:
        ways = Ways(receivers=receivers, external_url=URL)
        loop.run_until_complete(blindness.look(list(wrong), calm=calm, now=now, wall=1e9 + now, ways=ways))

    try:
        yield look, tally
    finally:
        for receiver in receivers.values():
            loop.run_until_complete(receiver.close())
        loop.close()


def webhook(url: str) -> WebhookReceiver:
    from service.receivers import build

    built = build("webhook_configs", {"url": url, "timeout": "1s"}, where="test", folder=Path())
    assert isinstance(built, WebhookReceiver)
    return built


def statuses(pager: Pager) -> list[str]:
    return [one.json["status"] for one in pager.received]


def test_it_is_told_once_and_again_every_half_hour() -> None:
    with Pager() as pager, telling(pager) as (look, _):
        for second in range(int(REPEAT_S)):
            look(float(second), "core: no answer")
        assert statuses(pager) == ["firing"]

        look(REPEAT_S, "core: no answer")

        assert [one.json["notification_reason"] for one in pager.received] == [
            "first notification",
            "repeat interval elapsed",
        ]
        keys = [one.headers["idempotency-key"] for one in pager.received]
        assert keys[0] != keys[1]


def test_its_end_is_told_when_it_has_seen_for_a_while_to_those_who_know() -> None:
    with Pager() as pager, Pager(500) as down, telling(pager, down) as (look, tally):
        look(0.0, "core: no answer")
        assert tally.blind
        look(1.0)
        assert (tally.blind, statuses(pager)) == (True, ["firing"])

        look(40.0, calm=True)

        assert not tally.blind
        assert statuses(pager) == ["firing", "resolved"]
        assert set(statuses(down)) == {"firing"}
        look(1000.0, calm=True)
        assert len(pager.received) == 2


def test_who_did_not_take_it_is_tried_again_and_keeps_nobody_waiting() -> None:
    with Pager(503, 200) as down, Pager() as pager, telling(down, pager) as (look, tally):
        look(0.0, "core: no answer")
        look(RETRY_S - 1, "core: no answer")
        assert (len(down.received), len(pager.received)) == (1, 1)

        look(RETRY_S, "core: no answer")

        assert (len(down.received), len(pager.received)) == (2, 1)
        assert tally.blind_pages == {"delivered": 2, "failed": 1}


def test_an_end_that_nobody_took_is_told_again() -> None:
    with Pager(200, 500, 200) as pager, telling(pager) as (look, _):
        look(0.0, "core: no answer")
        look(10.0, calm=True)
        look(10.0 + RETRY_S, calm=True)

        assert statuses(pager) == ["firing", "resolved", "resolved"]


def test_a_blindness_before_the_last_end_was_taken_goes_on_with_the_same_page() -> None:
    with Pager(200, 500, 200) as pager, telling(pager) as (look, _):
        look(0.0, "core: no answer")
        look(10.0, calm=True)
        look(11.0, "writes: full")
        look(50.0, calm=True)

        assert statuses(pager) == ["firing", "resolved", "firing", "resolved"]
        assert len({one.json["groupKey"] for one in pager.received}) == 1
        assert len({one.json["alerts"][0]["fingerprint"] for one in pager.received}) == 1


# ── a service that breaks ─────────────────────────────────────────────────────


@contextmanager
def dead_core(claxon: Running) -> Iterator[None]:
    """Have the core's thread end as a fault would end it; nothing brings it back."""
    claxon.service.core._queue.put(None)
    claxon.service.core._thread.join(timeout=5)
    yield


@contextmanager
def blocked_loop(claxon: Running) -> Iterator[None]:
    """Have a function of the event loop not return."""
    go_on = threading.Event()
    [worker, _] = claxon.service.deliverer._workers.values()
    worker.task.get_loop().call_soon_threadsafe(go_on.wait)
    try:
        yield
    finally:
        go_on.set()


@contextmanager
def failing_evaluation(claxon: Running) -> Iterator[None]:
    """Have every tick raise, as on a bug."""
    engine = claxon.service.core.engine
    tick = engine.tick

    def fault(now: float) -> Any:
        raise KeyError("a bug")

    engine.tick = fault  # type: ignore[method-assign]
    try:
        yield
    finally:
        engine.tick = tick  # type: ignore[method-assign]


@contextmanager
def stopped_timer(claxon: Running) -> Iterator[None]:
    """Have the scheduler not call any job."""
    scheduler = claxon.service.scheduler._scheduler
    [worker, _] = claxon.service.deliverer._workers.values()
    loop = worker.task.get_loop()
    loop.call_soon_threadsafe(scheduler.pause)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(scheduler.resume)


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (busy_core, "core: no answer"),
        (blocked_loop, "event loop: no answer"),
        (full_disk, "writes: attempt to write a readonly database"),
        (failing_evaluation, "evaluation"),
        (stopped_timer, "evaluation"),
    ],
    ids=["core", "loop", "disk", "evaluation", "timer"],
)
def test_a_part_that_stops_is_paged_to_both_and_its_end_too(
    tmp_path: Path, break_it: Callable[[Running], AbstractContextManager[None]], why: str
) -> None:
    with Pager() as pager, Pager() as backup:
        claxon = Running(tmp_path, config=two_receivers(pager.url, backup.url))
        claxon.service.watch_limits = HASTY
        with claxon:
            with break_it(claxon):
                for one in (pager, backup):
                    [told] = one.wait_for(1, within=8)
                    assert told.json["commonLabels"] == {"alertname": "ClaxonBlind", "severity": "page"}
                    assert told.json["receiver"] == ("pager" if one is pager else "backup")
                    assert why in told.json["commonAnnotations"]["summary"]
                assert claxon.service.watch_tally.blind

            for one in (pager, backup):
                assert statuses_of(one.wait_for(2, within=8)) == ["firing", "resolved"]
            assert not claxon.service.watch_tally.blind


def statuses_of(received: list[Any]) -> list[str]:
    return [one.json["status"] for one in received]


def test_a_dead_core_is_paged_at_once(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup:
        claxon = Running(tmp_path, config=two_receivers(pager.url, backup.url))
        claxon.service.watch_limits = HASTY
        with claxon, dead_core(claxon):
            [told] = pager.wait_for(1, within=5)

    assert "core's thread: has ended" in told.json["commonAnnotations"]["summary"]


def test_a_receiver_that_hangs_keeps_the_other_from_nothing(tmp_path: Path) -> None:
    with Pager(HANG) as pager, Pager() as backup:
        claxon = Running(tmp_path, config=two_receivers(pager.url, backup.url))
        claxon.service.watch_limits = HASTY
        with claxon, busy_core(claxon):
            backup.wait_for(1, within=5)


def test_a_service_that_works_and_is_stopped_tells_nothing(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup:
        claxon = Running(tmp_path, config=two_receivers(pager.url, backup.url))
        claxon.service.watch_limits = HASTY
        with claxon:
            assert not until(lambda: pager.received, 3)

    assert (pager.received, backup.received) == ([], [])


# ── a process, with the patience it really has ────────────────────────────────


def test_a_process_whose_disk_is_full_pages_and_closes_its_page(tmp_path: Path) -> None:
    """No file may grow any more, the log neither."""
    with Pager() as pager, Pager() as backup, Process(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon:
        assert claxon._process is not None
        pid = claxon._process.pid
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
        began_at = time.time()

        [told] = pager.wait_for(1, within=45)
        backup.wait_for(1, within=5)
        assert 29 < told.arrived_at - began_at < 42
        assert told.json["commonAnnotations"]["summary"].startswith("Claxon cannot see")
        assert claxon.post([{"app": "shop", "model": "m", "status": 200}])[0] in (503, 507)

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        # As its sender does: until then nobody knows that batches are taken again.
        assert claxon.post([{"app": "shop", "model": "m", "status": 200}])[0] == 202
        assert statuses_of(pager.wait_for(2, within=45)) == ["firing", "resolved"]


HASTY_SERVICE = """
import sys
from pathlib import Path
from tests.support.running import Running
from tests.support.watching import HASTY

claxon = Running(Path(sys.argv[1]), config=sys.argv[2])
claxon.service.watch_limits = HASTY
with claxon:
    (Path(sys.argv[1]) / "ready").touch()
    sys.stdin.read()
"""


def test_a_process_that_was_stopped_for_a_while_does_not_call_itself_blind(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup:
        command = [sys.executable, "-c", HASTY_SERVICE, str(tmp_path), two_receivers(pager.url, backup.url)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert until((tmp_path / "ready").exists, 20)
            process.send_signal(signal.SIGSTOP)
            assert not until(lambda: pager.received, 4)
            process.send_signal(signal.SIGCONT)

            assert not until(lambda: pager.received or backup.received, 2)
            assert process.poll() is None
            process.communicate()
