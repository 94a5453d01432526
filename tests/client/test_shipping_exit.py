"""The end of a process: within its budget whatever the service does, and nothing waits for a lock."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.ingest import Ingest, Reply
from tests.client.spooling import closed_port, files

PATHS = [entry for entry in sys.path if entry]


def run(code: str, *, timeout: float = 30, **given: object) -> tuple[str, str]:
    """Run a program to its end, and return what it printed; `NAME` in it becomes the given value."""
    code = textwrap.dedent(code)
    for name, value in given.items():
        code = code.replace(name, repr(value))
    command = [sys.executable, "-W", "ignore", "-c", f"import sys; sys.path[:0] = {PATHS!r}\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


# What is registered first runs last: it says how long all the others took, without the end of the interpreter.
APP = """
    import atexit, socket, time
    atexit.register(lambda: print(time.monotonic() - began))
    import claxon
    from tests.client.spooling import note
    if SLOW_DNS:
        socket.getaddrinfo = lambda *_, **__: time.sleep(60)
    claxon.instrument(url=URL, spool=SPOOL, exit_timeout_s=0.6, interval_s=60)
    for number in range(1, 1201):
        note(number, failed=number == 1200)
    if BUSY_BEFORE:
        time.sleep(0.3)
    began = time.monotonic()
"""


@contextmanager
def service(kind: str) -> Iterator[str]:
    """A service that is down in some way; yields its address."""
    if kind in ("closed port", "slow DNS"):
        yield f"http://127.0.0.1:{closed_port()}"
    elif kind == "hangs":
        with Ingest() as ingest:
            ingest.script = [Reply(hang=60)] * 10
            yield ingest.url
    else:
        # Its queue of connections is full, so that another one is neither accepted nor refused.
        with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            for waiting in (first, second):
                waiting.setblocking(False)
                waiting.connect_ex(deaf.getsockname())
            yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


@pytest.mark.parametrize("spooling", [True, False], ids=["spool", "memory"])
@pytest.mark.parametrize("kind", ["closed port", "slow DNS", "connect hangs", "hangs"])
def test_the_exit_keeps_its_budget_and_with_a_spool_loses_nothing(kind: str, spooling: bool, tmp_path: Path) -> None:
    with service(kind) as url:
        out, said = run(
            APP,
            URL=url,
            SPOOL=str(tmp_path) if spooling else "",
            SLOW_DNS=kind == "slow DNS",
            BUSY_BEFORE=kind != "closed port",
        )

    assert float(out) < 0.6 + 0.5, "the rest is for a machine that is busy"
    assert "Traceback" not in said
    kept = sum(int(path.name.split("-")[2]) for path in files(tmp_path))
    assert kept == (1200 if spooling else 0)


def test_what_happens_after_the_thread_can_no_longer_start_is_spooled(tmp_path: Path) -> None:
    """From 3.12 on no thread can be started while the interpreter ends."""
    run(
        """
        import threading
        import claxon
        from tests.client.spooling import note
        claxon.instrument(url=URL, spool=SPOOL)
        def never(self):
            raise RuntimeError("can't create new thread at interpreter shutdown")
        threading.Thread.start = never
        note(1)
        """,
        URL=f"http://127.0.0.1:{closed_port()}",
        SPOOL=str(tmp_path),
    )

    assert len(files(tmp_path)) == 1


def test_daemon_threads_that_go_on_calling_do_not_disturb_the_exit(ingest: Ingest) -> None:
    out, said = run(
        """
        import threading, time
        import claxon
        from tests.client.spooling import note
        claxon.instrument(url=URL, interval_s=0.01)
        def work():
            while True:
                note(1)
                time.sleep(0.0005)
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.3)
        print(time.time(), flush=True)
        """,
        URL=ingest.url,
    )

    assert time.time() - float(out) < 3.0
    assert said == ""
    assert len(ingest.events) > 50


# ── a finalizer in the middle of anything ─────────────────────────────────────────────────────────

EVERYWHERE = """
    import gc, os, sys, threading
    import claxon
    from claxon.attempt import Attempt, Call
    from claxon.state import STATE, emit
    from tests.client.spooling import note
    gc.disable()
    claxon.instrument(url=URL, spool=SPOOL, interval_s=0.01, batch_size=5, backoff_s=0.001)
    call = Call(id="c", max_retries=2, refreshes_token=False, started=0.0)
    OURS = os.path.dirname(claxon.__file__)
    made, inside, places = [0], threading.local(), set()

    class Stream:
        # As the SDK's stream that nobody closed: its end is noted when it is collected.
        def __del__(self):
            attempt = Attempt(call=call, number=1, started=0.0, status=500)
            attempt.end()
            emit(attempt, mark=False)
            made[0] += 1

    def finalize(frame, event, argument):
        place = (frame.f_code.co_filename, frame.f_code.co_name, frame.f_lasti)
        # Each instruction once for each of its threads, or this would never end.
        key = (place, threading.get_ident())
        if key not in places and not getattr(inside, "now", False):
            places.add(key)
            inside.now = True
            try:
                Stream()
            finally:
                inside.now = False
        return finalize

    def trace(frame, event, argument):
        name = frame.f_code.co_filename
        if getattr(inside, "now", False) or not (name.startswith(OURS) or name == threading.__file__):
            return None
        frame.f_trace_opcodes = True
        return finalize

    threading.settrace(trace)
    sys.settrace(trace)
    for number in range(1, 31):
        note(number, failed=number % 7 == 0)
    claxon.flush(2)
    claxon.stats()
    child = os.fork()
    if child == 0:
        note(1)
        claxon.flush(2)
        os._exit(0)
    os.waitpid(child, 0)
    for number in range(30):
        note(number + 1)
    ok = claxon.shutdown(2)
    sys.settrace(None)
    threading.settrace(None)
    stats = claxon.stats()
    counted = stats.sent + stats.queued + stats.spooled + stats.rejected + sum(stats.dropped.values())
    print(made[0], len({place for place, _ in places}), counted - 60, stats.faults, flush=True)
    os._exit(0)
"""


@pytest.mark.parametrize("up", [True, False], ids=["service up", "service away"])
def test_a_finalizer_may_run_at_every_single_instruction_of_ours(up: bool, ingest: Ingest, tmp_path: Path) -> None:
    """Of put, flush, stats, fork, shutdown and the shipping thread, with whatever locks are held there."""
    url = ingest.url if up else f"http://127.0.0.1:{closed_port()}"
    out, said = run(EVERYWHERE, timeout=30, URL=url, SPOOL=str(tmp_path))

    made, places, counted, faults = map(int, out.split())
    assert places > 1000, "instructions"
    assert made >= places
    assert (counted, faults) == (made, 0), "each is sent, spooled or counted"
    assert "Traceback" not in said


def test_streams_that_are_collected_anywhere_deadlock_nothing(ingest: Ingest) -> None:
    """As it happens: garbage everywhere, and a collection at nearly every allocation."""
    out, _ = run(
        """
        import gc, threading, time
        import claxon
        from claxon.attempt import Attempt, Call
        from claxon.state import STATE, emit
        from tests.client.spooling import note
        claxon.instrument(url=URL, interval_s=0.01, batch_size=7)
        call = Call(id="c", max_retries=2, refreshes_token=False, started=0.0)
        made = [0] * 4
        class Stream:
            def __init__(self, which):
                self.which, self.me = which, self
            def __del__(self):
                attempt = Attempt(call=call, number=1, started=0.0, status=200)
                attempt.end()
                emit(attempt, mark=False)
                made[self.which] += 1
        gc.set_threshold(1)
        def work(which):
            for number in range(150):
                Stream(which)
                note(number + 1, failed=number % 10 == 0)
                if number % 50 == 0:
                    claxon.flush(2)
                    claxon.stats()
        threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
        began = time.monotonic()
        for thread in threads: thread.start()
        for thread in threads: thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
        gc.set_threshold(700); gc.collect()
        assert any(claxon.flush(5) for _ in range(6))
        stats = claxon.stats()
        print(sum(made), stats.sent + sum(stats.dropped.values()) - 600)
        """,
        URL=ingest.url,
    )

    made, counted = map(int, out.split())
    assert made == 600
    assert counted == made
