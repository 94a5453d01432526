"""What a process sees: a light import, a missing SDK, a fork, an exit, our own faults."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import anthropic
import claxon
import pytest
from claxon import Event, guard

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, MODEL, ask
from tests.client.ingest import Ingest


def run(code: str, **given: str) -> str:
    """Run a program and return what it printed; `NAME` in it becomes the given value."""
    code = textwrap.dedent(code)
    for name, value in given.items():
        code = code.replace(name, repr(value))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_importing_claxon_imports_no_library() -> None:
    said = run("""
        import sys
        import claxon
        heavy = ("anthropic", "msgspec", "structlog", "http", "httpx2", "opentelemetry", "ssl", "asyncio")
        print([name for name in heavy if name in sys.modules], sorted(claxon.__all__) == dir(claxon))
    """)

    assert said.strip() == "[] True"


def test_importing_claxon_costs_less_than_a_tenth_of_importing_json() -> None:
    """As a ratio, for a machine may be busy: the bound is 50 ms, and this is far below."""
    said = run("""
        import sys, time
        began = time.perf_counter()
        import decimal, logging.config, sqlite3, unittest.mock
        middle = time.perf_counter()
        import claxon
        print((time.perf_counter() - middle) / (middle - began), time.perf_counter() - middle)
    """)

    ratio, seconds = map(float, said.split())
    assert ratio < 0.5
    assert seconds < 0.05


def test_every_public_name_is_there() -> None:
    for name in claxon.__all__:
        assert getattr(claxon, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        claxon.nothing  # noqa: B018


def test_without_the_sdk_instrument_warns_once_and_the_app_goes_on() -> None:
    said = run("""
        import sys
        sys.modules["anthropic"] = None
        import claxon
        client = object()
        for _ in range(2):
            claxon.instrument()
            assert claxon.watch(client) is client
        with claxon.context(path="x"):
            pass
        assert claxon.flush(1) and claxon.shutdown(1)
        claxon.uninstrument()
        print(claxon.stats().faults, "faults")
    """)

    assert said.count("anthropic>=2.0") == 1
    assert "0 faults" in said


CHILD = """
    import os, sys
    import anthropic, claxon
    ARGUMENTS = {"model": "claude-test", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    claxon.instrument(url=INGEST, interval_s=60)
    def call(path):
        # A client of its own: forked processes must not talk on one connection.
        with claxon.context(path=path), anthropic.Anthropic(api_key="x", base_url=FAKE) as client:
            client.messages.create(**ARGUMENTS)
"""


def test_a_forked_child_sends_its_own_events_and_not_its_parents(fake: FakeClaude, ingest: Ingest) -> None:
    run(
        CHILD
        + """
    call("parent")
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            call(f"child-{number}")
            sent = claxon.flush(10) and claxon.stats().sent == 1
            os._exit(0 if sent else 1)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    call("parent")
    assert codes == [0, 0, 0] and claxon.flush(10), codes
    assert claxon.stats().sent == 2
""",
        INGEST=ingest.url,
        FAKE=fake.url,
    )

    paths = sorted(event["path"] for event in ingest.events)
    assert paths == ["child-0", "child-1", "child-2", "parent", "parent"]
    assert len({event["call_id"] for event in ingest.events}) == 5


def test_a_fork_while_an_answer_is_read_leaves_a_child_that_goes_on(fake: FakeClaude, ingest: Ingest) -> None:
    """The parent's thread holds the lock of the connection's buffer then, and is not there in the child."""
    from tests.client.ingest import Reply

    ingest.script = [Reply(slow=1.0)]
    run(
        CHILD.replace("interval_s=60", "interval_s=0.01")
        + """
    import signal, time
    call("parent")
    time.sleep(0.2)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        call("child")
        os._exit(0 if claxon.flush(8) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert claxon.flush(5)
""",
        INGEST=ingest.url,
        FAKE=fake.url,
    )

    assert sorted(event["path"] for event in ingest.events) == ["child", "parent"]


def test_at_exit_what_is_queued_is_sent(fake: FakeClaude, ingest: Ingest) -> None:
    run(CHILD + '    call("last words")\n', INGEST=ingest.url, FAKE=fake.url)

    assert [event["path"] for event in ingest.events] == ["last words"]


def test_the_exit_waits_no_longer_than_allowed_for_a_service_that_hangs(fake: FakeClaude, ingest: Ingest) -> None:
    from tests.client.ingest import Reply

    ingest.script = [Reply(hang=30)]
    said = run(
        CHILD.replace("interval_s=60", "exit_timeout_s=0.2")
        + """
    import atexit, time
    call("last words")
    began = time.perf_counter()
    claxon.client._at_exit()
    print(time.perf_counter() - began, flush=True)
    os._exit(0)
""",
        INGEST=ingest.url,
        FAKE=fake.url,
    )

    assert 0.15 < float(said) < 2


def _raise(*args: Any, **kwargs: Any) -> Any:
    raise ZeroDivisionError("ours")


FAULTS = [
    "claxon.calls.begin_call",
    "claxon.calls.ready",
    "claxon.calls.close",
    "claxon.middleware._path",
    "claxon.middleware.Attempt",
    "claxon.middleware._answered",
    "claxon.middleware._judge",
    "claxon.middleware.allowed_headers",
    "claxon.middleware.read_answer",
    "claxon.middleware.read_error_body",
    "claxon.middleware.retryable_error",
    "claxon.middleware.scanner_for",
    "claxon.state.needs_somebody",
    "claxon.scanners.SSEScanner.feed",
    "claxon.middleware._conclude",
    "claxon.batch.Shipper.put",
    "claxon.outgoing.to_event",
    "claxon.outgoing.Outgoing._pack",
    "claxon.exporter.Exporter._connect",
]


@pytest.mark.parametrize("place", FAULTS)
async def test_a_fault_of_ours_at_any_place_never_reaches_the_app(
    place: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
    ingest: Ingest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    claxon.instrument(url=ingest.url, interval_s=60)
    monkeypatch.setattr(place, _raise)

    for _ in range(2):
        assert client.messages.create(**ARGUMENTS).model == MODEL
        assert (await async_client.messages.create(**ARGUMENTS)).model == MODEL
        with client.messages.stream(**ARGUMENTS) as stream:
            assert stream.get_final_text() == "Hello!"
        async with async_client.messages.stream(**ARGUMENTS) as astream:
            assert await astream.get_final_text() == "Hello!"
        for chosen in (client, async_client):
            assert isinstance(await ask(chosen, "401"), anthropic.AuthenticationError)
            reset = await ask(chosen, "reset", max_retries=0)
            assert isinstance(reset, anthropic.APIConnectionError)
    claxon.flush(0.2)

    places = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert len(places) == len(set(places)), "each is logged once"


def test_a_broken_log_handler_of_the_app_is_no_reason_to_break_the_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard.log, "warning", _raise)
    before = guard.faults.value()

    guard.fault("somewhere", ValueError())
    guard.warn_once("something", "text")

    assert guard.faults.value() == before + 1


def test_capture_events_leaves_the_process_as_it_was(client: anthropic.Anthropic) -> None:
    from anthropic._base_client import SyncAPIClient
    from claxon.testing import capture_events

    before: Callable[..., Any] = SyncAPIClient.request
    with capture_events() as outer, capture_events() as inner:
        client.messages.create(**ARGUMENTS)
    client.messages.create(**ARGUMENTS)

    assert SyncAPIClient.request is before
    assert [len(outer), len(inner)] == [1, 1]
    assert isinstance(outer[0], Event)
    assert outer[0].category == "ok"


def test_an_event_may_be_made_by_a_finalizer_in_the_middle_of_anything(ingest: Ingest) -> None:
    """A lock here would wait for its own thread."""
    from claxon.attempt import Attempt, Call
    from claxon.state import STATE, emit

    claxon.instrument(url=ingest.url, interval_s=60)
    assert STATE.shipper is not None
    call = Call(id="c", max_retries=2, refreshes_token=False, started=0.0)

    class Dies:
        def __del__(self) -> None:
            attempt = Attempt(call=call, number=1, started=0.0, status=500)
            attempt.end()
            emit(attempt)

    STATE.shipper.ensure_started()
    with STATE.shipper._starting:
        for _ in range(100):
            Dies()

    assert claxon.flush(5)
    assert claxon.stats().sent == 100
