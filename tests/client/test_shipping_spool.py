"""Shipping with a spool: a long outage, the way back, the end of the process, and who sends what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import claxon
import pytest
from claxon import outgoing
from claxon import spool as spool_module
from claxon.exporter import DROPPED_HEADER

from tests.client.ingest import Ingest, Reply
from tests.client.spooling import FAST, closed_port, files, make, note, shipper, spool_in, until

DOWN = Reply(status=503)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "LOOK_S", 0.02)
    monkeypatch.setattr(outgoing, "DRAIN_S", 0.02)


def away(ingest: Ingest) -> None:
    """Have the service refuse everything until `back`."""
    ingest.script = [DOWN] * 100_000


def back(ingest: Ingest) -> None:
    ingest.script = []
    ingest.posts.clear()


def test_an_outage_longer_than_memory_loses_nothing(tmp_path: Path, ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, spool=str(tmp_path), batch_size=20, queue_size=100, **FAST)
    away(ingest)
    for number in range(1, 501):
        note(number, failed=number % 10 == 0)
        if number % 20 == 0:
            until(lambda: claxon.stats().queued <= 60)
    until(lambda: claxon.stats().spooled >= 420)
    before = claxon.stats()
    assert (before.sent, before.dropped) == (0, {})
    assert before.spool_waiting == before.spooled

    back(ingest)
    until(lambda: claxon.stats().sent == 500)

    stats = claxon.stats()
    assert (stats.spool_sent, stats.spool_waiting, stats.queued, stats.dropped) == (stats.spooled, 0, 0, {})
    assert sorted(numbers(ingest)) == list(range(1, 501))
    assert files(tmp_path) == []


def test_on_the_way_back_what_happens_now_goes_before_the_spool_and_that_by_event_time(
    tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody can still be woken for what happens now; and what lies on disk must not make it wait."""
    monkeypatch.setattr(outgoing, "DRAIN_S", 0.2)
    writer = spool_in(tmp_path, ingest.url)
    for number in range(5):
        writer.write(make(number + 10, failed=number == 4, at=time.time() - 100 + number))
    claxon.instrument(url=ingest.url, spool=str(tmp_path), **FAST)
    note(1, failed=True)
    ingest.wait_for_posts(3)
    note(2, failed=True)
    until(lambda: len(ingest.events) == 7)

    order = numbers(ingest)
    assert order[0] == 1
    assert [number for number in order if number >= 10] == [10, 11, 12, 13, 14]
    assert order.index(2) < order.index(14)


def test_the_spool_is_sent_at_a_bounded_rate(tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "DRAIN_S", 0.05)
    writer = spool_in(tmp_path, ingest.url)
    for number in range(8):
        writer.write(make(number + 1))
    claxon.instrument(url=ingest.url, spool=str(tmp_path), **FAST)
    began = time.monotonic()
    note(100)
    until(lambda: len(ingest.events) == 9)

    assert time.monotonic() - began >= 7 * 0.05


def test_a_batch_that_was_answered_but_not_heard_keeps_its_key_on_disk(tmp_path: Path, ingest: Ingest) -> None:
    """The service has it already: with the same key it counts once."""
    ingest.script = [Reply(close=True), Reply(close=True)]
    claxon.instrument(url=ingest.url, spool=str(tmp_path), **FAST | {"backoff_s": 60})
    note(1, failed=True)
    ingest.wait_for_posts(1)
    until(lambda: shipper()._out.delivery.away)

    assert claxon.shutdown(2), "nothing is lost"
    (path,) = files(tmp_path)
    assert {post.headers["idempotency-key"] for post in ingest.posts} == {path.stem.split("-")[3]}

    claxon.instrument(url=ingest.url, spool=str(tmp_path), **FAST)
    note(2)
    until(lambda: claxon.stats().spool_sent == 1)
    assert ingest.posts[-1].headers["idempotency-key"] == path.stem.split("-")[3]
    assert ingest.posts[-1].body == ingest.posts[0].body


def numbers(ingest: Ingest) -> list[int]:
    """Return the numbers of the events as they arrived."""
    return [event.get("attempt", 1) for event in ingest.events]


@pytest.mark.parametrize("how", ["answers 503", "hangs", "refuses connections"])
def test_shutdown_with_a_spool_loses_nothing_and_is_quick(tmp_path: Path, ingest: Ingest, how: str) -> None:
    url = f"http://127.0.0.1:{closed_port()}" if how == "refuses connections" else ingest.url
    ingest.script = [Reply(hang=30)] if how == "hangs" else [DOWN] * 100
    claxon.instrument(url=url, spool=str(tmp_path), interval_s=60, batch_size=10)
    for number in range(1, 36):
        note(number, failed=number == 35)
    began = time.monotonic()

    assert claxon.shutdown(1.0)

    took = time.monotonic() - began
    assert took < (0.8 if how == "hangs" else 0.4)
    assert sum(int(path.name.split("-")[2]) for path in files(tmp_path)) == 35
    assert (claxon.stats().spooled, claxon.stats().dropped) == (35, {})


def test_after_shutdown_in_place_of_a_stuck_thread_that_thread_touches_nothing(tmp_path: Path, ingest: Ingest) -> None:
    ingest.script = [Reply(hang=0.5)]
    claxon.instrument(url=ingest.url, spool=str(tmp_path), interval_s=60)
    note(1, failed=True)
    ingest.wait_for_posts(1)
    (thread,) = (found for found in threading.enumerate() if found.name == "claxon-shipper")
    assert claxon.shutdown(0.2)
    before = claxon.stats()

    thread.join(5)

    assert not thread.is_alive()
    assert claxon.stats() == before
    assert len(files(tmp_path)) == 1, "though it was answered: the key makes it harmless"


def test_what_cannot_be_written_waits_in_memory_and_is_warned_of_once(
    tmp_path: Path, ingest: Ingest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    away(ingest)
    claxon.instrument(url=ingest.url, spool=str(tmp_path), batch_size=10, **FAST)
    for number in range(1, 101):
        note(number, failed=number % 10 == 0)
    until(lambda: len([r for r in caplog.records if r.getMessage().startswith("spool: ")]) == 1)
    back(ingest)

    assert claxon.flush(5)
    assert (claxon.stats().sent, claxon.stats().spooled, claxon.stats().dropped) == (100, 0, {})
    assert numbers(ingest) == list(range(1, 101)), "in the order in which they happened"
    assert len([r for r in caplog.records if r.getMessage().startswith("spool: ")]) == 1


def test_a_folder_that_cannot_be_made_costs_nothing_but_a_warning(
    tmp_path: Path, ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    claxon.instrument(url=ingest.url, spool=str(tmp_path / "file" / "spool"), batch_size=1, **FAST)
    away(ingest)
    note(1, failed=True)
    note(2, failed=True)
    until(lambda: "spool: " in caplog.text)
    back(ingest)

    assert claxon.flush(5)
    assert claxon.stats().sent == 2


def test_flush_says_that_what_went_to_the_spool_was_not_answered(tmp_path: Path, ingest: Ingest) -> None:
    away(ingest)
    claxon.instrument(url=ingest.url, spool=str(tmp_path), batch_size=2, **FAST)
    for number in range(1, 8):
        note(number)
    until(lambda: claxon.stats().spooled >= 2)

    assert not claxon.flush(0.1)


def test_what_was_dropped_from_a_full_spool_is_counted_and_told(
    tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "BLOCK", 100_000)
    away(ingest)
    claxon.instrument(url=ingest.url, spool=str(tmp_path), spool_size_mb=1, batch_size=5, **FAST)
    for number in range(1, 201):
        note(number, failed=number <= 5)
        if number % 5 == 0:
            until(lambda: claxon.stats().queued <= 10)
    back(ingest)
    until(lambda: claxon.stats().sent + claxon.stats().dropped["spool_full"] == 200)

    assert claxon.stats().dropped.keys() == {"spool_full"}
    assert sorted(numbers(ingest))[:5] == [1, 2, 3, 4, 5], "the errors"
    note(1000)
    assert claxon.flush(5)
    told = sum(int(post.headers.get(DROPPED_HEADER.lower(), 0)) for post in ingest.posts)
    assert told == claxon.stats().dropped["spool_full"]


def test_a_batch_that_the_service_cannot_stomach_does_not_block_those_behind_it(tmp_path: Path, ingest: Ingest) -> None:
    writer = spool_in(tmp_path, ingest.url)
    for number in range(3):
        writer.write(make(number + 1, at=time.time() - 100 + number))
    ingest.script = [Reply()] + [Reply(status=500)] * 10
    claxon.instrument(url=ingest.url, spool=str(tmp_path), **FAST | {"backoff_s": 0.001})
    note(100)
    until(lambda: claxon.stats().sent == 3, 10)

    assert claxon.stats().dropped == {"refused": 1}
    assert files(tmp_path) == []


APP = """
    import os, sys, time
    sys.path[:0] = PATHS
    import claxon
    from claxon import spool
    from tests.client.spooling import note, until
    spool.LOOK_S = 0.05
    claxon.instrument(url=URL, spool=SPOOL, batch_size=10, interval_s=0.02, backoff_s=0.01)
"""


def start(code: str, **given: str) -> subprocess.Popen[str]:
    """Start an app that goes on as `code` says."""
    code = textwrap.dedent(APP) + textwrap.dedent(code)
    for name, value in given.items():
        code = code.replace(name, repr(value))
    code = code.replace("PATHS", repr([entry for entry in sys.path if entry]))
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True)


def say(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_what_a_killed_process_had_spooled_is_sent_once_by_the_processes_that_live(
    tmp_path: Path, ingest: Ingest
) -> None:
    away(ingest)
    victim = start(
        """
        for number in range(1, 101):
            note(number)
        until(lambda: claxon.stats().spooled >= 80)
        print(claxon.stats().spooled, flush=True)
        time.sleep(60)
        """,
        URL=ingest.url,
        SPOOL=str(tmp_path),
    )
    spooled = int(say(victim))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()  # type: ignore[union-attr]
    back(ingest)

    heirs = [
        start(
            f"""
            note({1000 + number})
            until(lambda: not claxon.stats().spool_waiting and claxon.stats().sent, 10)
            print(claxon.stats().spool_sent, flush=True)
            """,
            URL=ingest.url,
            SPOOL=str(tmp_path),
        )
        for number in range(3)
    ]
    for heir in heirs:
        assert heir.wait(20) == 0
        heir.stdout.close()  # type: ignore[union-attr]

    arrived = numbers(ingest)
    assert len(arrived) == len(set(arrived)) == spooled + 3, "each once"
    assert files(tmp_path) == []


def test_an_idle_process_sends_what_another_left(tmp_path: Path, ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, spool=str(tmp_path), **FAST)
    note(1)
    assert claxon.flush(5)

    spool_in(tmp_path, ingest.url).write(make(2))

    until(lambda: len(ingest.events) == 2)


def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path: Path, ingest: Ingest) -> None:
    """A lock that lives on in a child would keep every process from sending, for as long as that child lives."""
    parent = start(
        """
        note(1)
        from tests.client.spooling import make, spool_in
        from pathlib import Path
        spool_in(Path(SPOOL), URL).write(make(2))
        from claxon.state import STATE
        until(lambda: STATE.shipper._out.spool._lock is not None)
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        print(child, flush=True)
        os._exit(0)
        """,
        URL=ingest.url,
        SPOOL=str(tmp_path),
    )
    child = int(say(parent))
    parent.wait(10)
    parent.stdout.close()  # type: ignore[union-attr]
    try:
        writer = spool_in(tmp_path, ingest.url)
        writer.write(make(3))
        deadline = time.monotonic() + 20  # the child sleeps for longer
        while writer.oldest() is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        os.kill(child, signal.SIGKILL)
