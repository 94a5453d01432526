"""Shipping: from a call to the service's 202, through refusals, outages and the end of the process."""

from __future__ import annotations

import threading
import time
from typing import Any

import anthropic
import claxon
import pytest
from claxon import Stats
from claxon.exporter import DROPPED_HEADER

from tests.client.calling import ARGUMENTS, PROMPT, SOON, ask
from tests.client.conftest import KEY
from tests.client.ingest import Ingest, Reply

FAST: dict[str, Any] = {"interval_s": 0.02, "backoff_s": 0.005, "read_timeout_s": 0.5}


def closed_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def test_an_event_arrives_as_a_compressed_json_array_with_key_and_idempotency_key(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    claxon.instrument(url=ingest.url, key="ingest-key", app="shop", environment="production", **FAST)
    client.messages.create(**ARGUMENTS)

    assert claxon.flush(5)
    (post,) = ingest.posts
    assert post.path == "/v1/events"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["content-encoding"] == "zstd"
    assert post.headers["authorization"] == "Bearer ingest-key"
    assert len(post.headers["idempotency-key"]) == 32
    (event,) = post.events
    assert (event["app"], event["environment"], event["status"]) == ("shop", "production", 200)
    assert not any(name.startswith("_") for name in event)
    assert claxon.stats() == Stats(sent=1, batches=1)


async def test_nothing_that_was_said_and_no_secret_is_sent(client: anthropic.Anthropic, ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, **FAST)
    client.messages.create(**ARGUMENTS)
    with client.messages.stream(**ARGUMENTS) as stream:
        answer = stream.get_final_text()
    await ask(client, f"400:message=no such key {KEY}")

    assert claxon.flush(5)
    sent = str(ingest.events)
    assert len(ingest.events) == 3
    for secret in (PROMPT, answer, KEY, "00000000-0000"):
        assert secret not in sent


async def test_what_a_client_ships_is_what_the_service_decodes(client: anthropic.Anthropic, ingest: Ingest) -> None:
    import msgspec
    from claxon.event import Event, complete

    claxon.instrument(url=ingest.url, **FAST)
    with claxon.context(path="checkout/summary", tenant="acme"):
        await ask(client, f"429:{SOON},500:{SOON},200")
    with client.messages.create(**ARGUMENTS, stream=True) as stream:
        list(stream)

    assert claxon.flush(5)
    decoded = msgspec.convert(ingest.events, list[Event])
    ended = [complete(event, received_at=time.time()) for event in decoded]
    assert [event.category for event in ended] == ["rate_limit", "server", "ok", "ok"]
    assert ended[0].path == "checkout/summary"
    assert ended[0].attributes == {"tenant": "acme"}
    assert ended[3].stream_end == "complete"


async def test_an_error_is_sent_at_once_and_a_success_may_wait(client: anthropic.Anthropic, ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, interval_s=60)
    client.messages.create(**ARGUMENTS)
    assert ingest.posts == []

    await ask(client, "401")

    ingest.wait_for_posts(1)
    assert [event["status"] for event in ingest.posts[0].events] == [200, 401]


async def test_a_full_batch_is_sent_before_its_time(client: anthropic.Anthropic, ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, interval_s=60, batch_size=3)
    for _ in range(3):
        client.messages.create(**ARGUMENTS)

    ingest.wait_for_posts(1)
    assert len(ingest.posts[0].events) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=503),
        Reply(status=500),
        Reply(status=408),
        Reply(status=425),
        Reply(status=429, headers=(("Retry-After", "0.01"),)),
        Reply(hang=2),
        Reply(close=True),
    ],
    ids=["503", "500", "408", "425", "429", "hangs", "closes"],
)
async def test_a_batch_that_was_not_taken_is_sent_again_with_the_same_key_and_bytes(
    trouble: Reply, client: anthropic.Anthropic, ingest: Ingest
) -> None:
    ingest.script = [trouble]
    claxon.instrument(url=ingest.url, **FAST)
    await ask(client, "401")

    assert claxon.flush(5)
    first, second = ingest.posts
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    assert claxon.stats() == Stats(sent=1, batches=1, retries=1)


async def test_retry_after_is_obeyed(client: anthropic.Anthropic, ingest: Ingest) -> None:
    ingest.script = [Reply(status=429, headers=(("Retry-After", "0.3"),))]
    claxon.instrument(url=ingest.url, **FAST)
    began = time.monotonic()
    await ask(client, "401")

    ingest.wait_for_posts(2)
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 302])
async def test_a_refused_batch_is_counted_and_never_sent_again_nor_to_anywhere_else(
    status: int, client: anthropic.Anthropic, ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    ingest.script = [Reply(status=status, headers=(("Location", ingest.url + "/elsewhere"),))]
    claxon.instrument(url=ingest.url, **FAST)
    await ask(client, "401")

    assert claxon.flush(5)
    assert len(ingest.posts) == 1
    assert claxon.stats() == Stats(dropped={"refused": 1})
    assert [f"HTTP {status}" in record.getMessage() for record in caplog.records] == [True]

    await ask(client, "401")
    assert claxon.flush(5)
    assert ingest.posts[1].headers[DROPPED_HEADER.lower()] == "1", "and the service is told"


async def test_events_that_the_service_rejects_one_by_one_are_counted(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    answer = b'{"accepted": 0, "rejected": [{"index": 0, "error": "time: too far ahead"}]}'
    ingest.script = [Reply(body=answer)]
    claxon.instrument(url=ingest.url, **FAST)
    await ask(client, "401")

    assert claxon.flush(5)
    assert claxon.stats() == Stats(rejected=1, batches=1)


async def test_a_service_that_is_away_costs_no_event_and_no_time(client: anthropic.Anthropic, ingest: Ingest) -> None:
    """The peers lose half of what happens in such an outage."""
    ingest.script = [Reply(hang=5), Reply(status=503), Reply(close=True)]
    claxon.instrument(url=ingest.url, **FAST)
    began = time.monotonic()
    for _ in range(20):
        client.messages.create(**ARGUMENTS)
    took = time.monotonic() - began

    assert claxon.flush(5)
    assert claxon.stats().sent == 20
    assert took < 0.5, "less than one answer of the service was waited for"


async def test_a_kept_connection_that_has_died_is_replaced_without_waiting(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    claxon.instrument(url=ingest.url, interval_s=60, backoff_s=60)
    ingest.script = [Reply(), Reply(close=True)]
    for _ in range(2):
        await ask(client, "401")
        assert claxon.flush(5)

    assert claxon.stats() == Stats(sent=2, batches=2)
    assert len({post.headers["idempotency-key"] for post in ingest.posts}) == 2


async def test_when_the_queue_is_full_successes_go_before_errors_and_the_service_is_told(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    claxon.instrument(url=f"http://127.0.0.1:{closed_port()}", queue_size=10, batch_size=100, **FAST)
    shipper = _shipper()
    for _ in range(8):
        client.messages.create(**ARGUMENTS)
    for _ in range(6):
        await ask(client, "401")

    _until(lambda: not shipper._inbox)
    stats = claxon.stats()
    assert stats.queued <= 10 + 8, "what is being sent is not dropped"
    assert shipper._backlog.size <= 10
    assert stats.queued + sum(stats.dropped.values()) == 14

    sent = shipper._backlog.take(100, 1 << 20)
    assert sum(b"authentication_error" in waiting.event for waiting in sent) + _in_flight_errors(shipper) == 6


def _in_flight_errors(shipper: Any) -> int:
    from tests.client.ingest import decode

    batch = shipper._out.delivery.batch
    return 0 if batch is None else decode(batch.body, batch.encoding).count(b"authentication_error")


def _shipper() -> Any:
    from claxon.state import STATE

    return STATE.shipper


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def test_flush_gives_up_in_time_when_nobody_listens(client: anthropic.Anthropic) -> None:
    claxon.instrument(url=f"http://127.0.0.1:{closed_port()}", **FAST)
    client.messages.create(**ARGUMENTS)
    began = time.monotonic()

    assert not claxon.flush(0.1)
    assert 0.09 < time.monotonic() - began < 1
    assert claxon.stats().queued == 1


async def test_shutdown_gives_up_at_once_when_nobody_listens_and_counts_the_loss(
    client: anthropic.Anthropic,
) -> None:
    claxon.instrument(url=f"http://127.0.0.1:{closed_port()}", interval_s=60)
    client.messages.create(**ARGUMENTS)
    began = time.monotonic()

    assert not claxon.shutdown(5)
    assert time.monotonic() - began < 1
    assert claxon.stats() == Stats(dropped={"shutdown": 1})


async def test_shutdown_sends_what_is_queued_and_instrument_begins_anew(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    claxon.instrument(url=ingest.url, interval_s=60)
    client.messages.create(**ARGUMENTS)

    assert claxon.shutdown(5)
    assert len(ingest.events) == 1
    client.messages.create(**ARGUMENTS)
    claxon.instrument(url=ingest.url, interval_s=60)
    client.messages.create(**ARGUMENTS)
    assert claxon.flush(5)
    assert len(ingest.events) == 2


async def test_nothing_waits_for_a_client_that_was_shut_down(client: anthropic.Anthropic, ingest: Ingest) -> None:
    """An app that shuts it down must not wait once more when its process ends."""
    claxon.instrument(url=ingest.url, interval_s=60)
    client.messages.create(**ARGUMENTS)
    assert claxon.shutdown(5)
    began = time.monotonic()

    assert claxon.shutdown(5)
    assert claxon.flush(5)
    assert time.monotonic() - began < 1


async def test_new_settings_hold_from_then_on_and_nothing_queued_is_lost(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    claxon.instrument(url=ingest.url, app="old", interval_s=60)
    client.messages.create(**ARGUMENTS)
    claxon.instrument(url=ingest.url, app="new", interval_s=60)
    client.messages.create(**ARGUMENTS)

    assert claxon.flush(5)
    ingest.wait_for_posts(2)
    assert {event["app"] for event in ingest.events} == {"old", "new"}


async def test_instrument_without_arguments_keeps_the_settings_that_hold(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    """A library that calls it must not send the app's events elsewhere."""
    claxon.instrument(url=ingest.url, app="shop", interval_s=60)
    claxon.instrument()
    claxon.watch(client).messages.create(**ARGUMENTS)

    assert claxon.flush(5)
    assert [event["app"] for event in ingest.events] == ["shop"]


async def test_under_load_from_many_threads_every_event_is_sent_or_counted(
    client: anthropic.Anthropic, ingest: Ingest
) -> None:
    from claxon.attempt import Attempt, Call
    from claxon.state import STATE, emit, ready

    claxon.instrument(url=ingest.url, queue_size=300, batch_size=50, **FAST)
    ingest.script = [Reply(status=503), Reply(close=True), Reply(hang=0.3)]
    call = Call(id="c", max_retries=2, refreshes_token=False, started=0.0)

    def work() -> None:
        for number in range(500):
            ready()
            attempt = Attempt(call=call, number=1, started=0.0, status=500 if number % 10 == 0 else 200)
            attempt.end()
            emit(attempt)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert STATE.shipper is not None
    assert claxon.flush(5)
    stats = claxon.stats()
    assert stats.sent + sum(stats.dropped.values()) == 2000
    assert stats.dropped.keys() <= {"queue_full"}
    assert stats.sent == sum(len(post.events) for post in _accepted(ingest))
    told = sum(int(post.headers.get(DROPPED_HEADER.lower(), 0)) for post in _accepted(ingest))
    assert told == stats.dropped.get("queue_full", 0)


def _accepted(ingest: Ingest) -> list[Any]:
    """Return each batch once, however often it came."""
    return list({post.headers["idempotency-key"]: post for post in ingest.posts}.values())


async def test_a_disabled_client_does_nothing(client: anthropic.Anthropic, ingest: Ingest) -> None:
    claxon.instrument(url=ingest.url, enabled=False)
    assert claxon.watch(client, enabled=False) is client
    client.messages.create(**ARGUMENTS)

    assert claxon.flush(1)
    assert claxon.stats() == Stats()
    assert not [thread for thread in threading.enumerate() if thread.name == "claxon-shipper"]


async def test_no_thread_runs_before_the_first_call(client: anthropic.Anthropic, ingest: Ingest) -> None:
    """A server that forks its workers after loading the app must not have one by then."""
    claxon.instrument(url=ingest.url)

    assert not [thread for thread in threading.enumerate() if thread.name == "claxon-shipper"]


async def test_large_batches_are_split_by_size(client: anthropic.Anthropic, ingest: Ingest) -> None:
    from claxon.backlog import Backlog

    backlog = Backlog(100)
    for number in range(6):
        backlog.add(b"%d" % number * 40, failed=number % 2 == 0)

    assert [len(backlog.take(10, 100)) for _ in range(4)] == [2, 2, 2, 0]
