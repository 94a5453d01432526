"""Where apps run: servers that fork, workers that end by os._exit, what is frozen, notebooks. As real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import claxon
import pytest
from claxon.state import STATE

from tests.client.ingest import Ingest, Reply
from tests.client.spooling import FAST, closed_port, note
from tests.client.test_shipping_exit import PATHS, run

APP = """
import os, sys
import claxon
from tests.client.spooling import note
claxon.instrument(url=os.environ["INGEST"], interval_s=60)

def answer():
    note(1, path=f"worker-{os.getpid()}")
    return str(os.getpid()).encode()

def wsgi(environ, start_response):
    body = answer()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        async with claxon.flushed(timeout=2):
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = answer()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
"""


@contextlib.contextmanager
def server(tmp_path: Path, ingest: Ingest, *arguments: str) -> Iterator[str]:
    """A server with the app above, at the address that is yielded; ended by SIGTERM."""
    (tmp_path / "app.py").write_text(APP)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"INGEST": ingest.url, "PYTHONPATH": os.pathsep.join([str(tmp_path), *PATHS])}
    command = [sys.executable, "-m", *(argument.replace("PORT", str(port)) for argument in arguments)]
    with subprocess.Popen(command, env=environment, cwd=tmp_path) as process:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            finally:
                process.kill()


def get(url: str) -> int:
    """Return the process that answered; wait for a server that is starting."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.read())
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


# A worker that is told to end while it still starts does not hear it, with Claxon or without: so a short grace.
GUNICORN = (
    *("gunicorn", "--preload", "--workers", "2", "--bind", "127.0.0.1:PORT"),
    *("--log-level", "error", "--graceful-timeout", "5"),
)


@pytest.mark.parametrize(
    "more", [(), ("--max-requests", "3"), ("--threads", "3")], ids=["sync", "max_requests", "threads"]
)
def test_gunicorn_workers_that_were_forked_after_loading_send_their_last_events(
    tmp_path: Path, ingest: Ingest, more: tuple[str, ...]
) -> None:
    with server(tmp_path, ingest, *GUNICORN, *more, "app:wsgi") as url:
        workers = [get(url) for _ in range(12)]

    paths = sorted(event["path"] for event in ingest.events)
    assert paths == sorted(f"worker-{worker}" for worker in workers)


def test_uvicorn_workers_send_their_last_events_from_the_lifespan(tmp_path: Path, ingest: Ingest) -> None:
    """They end by the signal itself, which runs no `atexit`."""
    arguments = ("uvicorn", "--workers", "2", "--port", "PORT", "--log-level", "error", "app:asgi")
    with server(tmp_path, ingest, *arguments) as url:
        workers = [get(url) for _ in range(8)]

    assert sorted(event["path"] for event in ingest.events) == sorted(f"worker-{worker}" for worker in workers)


CHILDREN = """
    import multiprocessing, os
    import claxon
    from tests.client.spooling import note

    def work(number):
        note(1, path=f"child-{number}")

    if __name__ == "__main__":
        claxon.instrument(url=URL, interval_s=60)
        if BEFORE:
            note(1)
        context = multiprocessing.get_context("fork")
        if POOL:
            pool = context.Pool(2)
            pool.map(work, range(4), chunksize=1)
            pool.close()
            pool.join()
        else:
            children = [context.Process(target=work, args=(number,)) for number in range(4)]
            for child in children: child.start()
            for child in children: child.join(10)
            assert [child.exitcode for child in children] == [0] * 4
"""


@pytest.mark.parametrize("before", [True, False], ids=["parent called before", "parent never called"])
@pytest.mark.parametrize("pool", [True, False], ids=["Pool", "Process"])
def test_children_of_multiprocessing_send_their_last_events(ingest: Ingest, pool: bool, before: bool) -> None:
    """They end by os._exit, which runs no `atexit` up to Python 3.12."""
    run(CHILDREN, URL=ingest.url, POOL=pool, BEFORE=before)

    paths = sorted(event["path"] for event in ingest.events if "path" in event)
    assert paths == [f"child-{number}" for number in range(4)]


def test_a_worker_of_celery_sends_its_last_events_when_celery_says_that_it_ends(ingest: Ingest) -> None:
    """Its pool ends a child by os._exit, after the signal `worker_process_shutdown`."""
    run(
        """
        import os, sys, types
        class Signal:
            def connect(self, receiver, *, weak, dispatch_uid):
                self.receivers = {dispatch_uid: receiver}
        signals = types.ModuleType("celery.signals")
        signals.worker_process_shutdown = Signal()
        sys.modules["celery.signals"] = signals
        import claxon
        from tests.client.spooling import note
        claxon.instrument(url=URL, interval_s=60)
        child = os.fork()
        if child == 0:
            note(1)
            for receiver in signals.worker_process_shutdown.receivers.values():
                receiver(sender=None, signal=None, pid=os.getpid(), exitcode=0)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        URL=ingest.url,
    )

    assert len(ingest.events) == 1


# ── flushed ───────────────────────────────────────────────────────────────────────────────────────


def test_a_handler_that_is_frozen_afterwards_has_sent_its_events(ingest: Ingest) -> None:
    """AWS Lambda: stopped right after the answer, perhaps for ever."""
    out, _ = run(
        """
        import os
        import claxon
        from tests.client.spooling import note
        claxon.instrument(url=URL, interval_s=60)

        @claxon.flushed
        def handler(event, context):
            note(event)
            return {"status": event}

        for number in (1, 2, 3):
            assert handler(number, None) == {"status": number}
            print(number, flush=True)
        os._exit(0)
        """,
        URL=ingest.url,
    )

    assert out.split() == ["1", "2", "3"]
    assert [event.get("attempt", 1) for event in ingest.events] == [1, 2, 3]


async def test_async_handlers_send_too_and_the_event_loop_goes_on(ingest: Ingest) -> None:
    ingest.script = [Reply(hang=0.2)]
    claxon.instrument(url=ingest.url, interval_s=60)
    ticks = 0

    @claxon.flushed(timeout=2)
    async def handler(number: int) -> int:
        note(number)
        return number

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    assert await handler(7) == 7
    ticking.cancel()

    assert len(ingest.events) == 1
    assert ticks > 5


async def test_as_a_block_sync_and_async(ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, interval_s=60)
    with claxon.flushed():
        note(1)
    assert len(ingest.events) == 1

    async with claxon.flushed(timeout=2):
        note(2)
    assert len(ingest.events) == 2


async def test_what_raises_is_flushed_too_and_goes_on_raising(ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, interval_s=60)

    @claxon.flushed
    def handler() -> None:
        note(1)
        raise KeyError("the app's")

    @claxon.flushed
    async def ahandler() -> None:
        note(2)
        raise KeyError("the app's")

    with pytest.raises(KeyError, match="the app's"):
        handler()
    with pytest.raises(KeyError, match="the app's"):
        await ahandler()
    assert len(ingest.events) == 2


@pytest.mark.parametrize("how", ["hangs", "refuses connections"])
def test_it_waits_no_longer_than_its_budget_and_not_for_a_second_try(ingest: Ingest, how: str) -> None:
    ingest.script = [Reply(hang=5)] * 9
    url = ingest.url if how == "hangs" else f"http://127.0.0.1:{closed_port()}"
    claxon.instrument(url=url, **FAST | {"read_timeout_s": 5.0, "backoff_s": 0.05})

    @claxon.flushed(timeout=0.4)
    def handler() -> None:
        note(1, failed=True)

    began = time.monotonic()
    handler()

    took = time.monotonic() - began
    # The answer would take 5 s, and a second try more.
    assert 0.3 < took < 4.0 if how == "hangs" else took < 3.0
    assert claxon.stats().queued == 1, "it stays queued"


async def test_where_nothing_is_queued_it_costs_nothing_and_starts_nothing(ingest: Ingest) -> None:
    before = set(threading.enumerate())  # one of another test may still be ending
    claxon.instrument(url=ingest.url)

    @claxon.flushed
    async def handler() -> int:
        return 1

    for _ in range(1000):
        await handler()

    assert STATE.shipper is not None
    assert STATE.shipper.pid is None
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "claxon-shipper"]


def test_a_generator_is_refused_with_a_remedy_and_so_is_a_timeout_that_is_none() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"with claxon\.flushed\(\)"):
        claxon.flushed(numbers)
    for bad in (0, -1, float("nan"), float("inf"), "1"):
        given: Any = bad
        with pytest.raises(ValueError, match="give seconds above 0"):
            claxon.flushed(timeout=given)


# ── notebooks ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_cell_that_is_run_again_doubles_nothing_and_works_in_the_notebooks_event_loop(ingest: Ingest) -> None:
    cell = textwrap.dedent(
        f"""
        import claxon
        from tests.client.spooling import note
        claxon.instrument(url={ingest.url!r}, app=name, interval_s=60)
        note(number)
        """
    )
    for number, name in enumerate(["draft", "draft", "final"]):
        exec(cell, {"number": number + 1, "name": name})
    assert claxon.flush(5)
    ingest.wait_for_posts(2)

    sent = sorted((event["app"], event.get("attempt", 1)) for event in ingest.events)
    assert sent == [("draft", 1), ("draft", 2), ("final", 3)]
    alive = [thread for thread in threading.enumerate() if thread.name == "claxon-shipper"]
    for thread in alive[:-1]:
        thread.join(5)
    assert len([thread for thread in alive if thread.is_alive()]) == 1
