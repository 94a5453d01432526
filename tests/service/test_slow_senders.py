"""Slow, silent and lying senders, over real sockets: each gets a clear answer in bounded time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from service.slow_senders import MAX_HEADERS, Limits
from tests.support.raw_http import Raw, raw
from tests.support.running import Running, until

GOOD = b'[{"model":"m"}]'
QUICK = Limits(connections=20, headers_s=1, body_s=1, body_rate=1024, idle_s=2, reader_s=1, spare_s=0.5)


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("slow"), patience=QUICK) as running:
        yield running


def ended(claxon: Running, reason: str) -> int:
    return claxon.service.intake.ended[reason]


def test_headers_that_do_not_end_are_a_408(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.send(b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
        status, body = sender.answer()

        assert status == 408
        assert b"headers: not complete after 1 s: send them at once" in body
        assert sender.read() == b""


def test_headers_that_trickle_are_a_408_too(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        begun = time.monotonic()
        sender.send(b"GET / HTTP/1.1\r\n")
        while not ended_by_now(sender):
            sender.send(b"a: b\r\n")

        assert time.monotonic() - begun < 5


def ended_by_now(sender: Raw) -> bool:
    sender.socket.settimeout(0.1)
    try:
        return b"408" in sender.socket.recv(1000)
    except TimeoutError:
        return False


def test_a_body_that_stops_is_a_408_and_its_request_ends(claxon: Running) -> None:
    held = claxon.service.bodies
    with raw(claxon.url) as sender:
        sender.post(b"[", length=5000)
        assert until(lambda: held.held == 5000, 1)
        status, body = sender.answer()

    assert status == 408
    assert b"body: slower than 1024 bytes/s for 1 s" in body
    assert until(lambda: held.held == 0, 2)


def test_a_body_that_is_slow_but_fast_enough_is_taken(claxon: Running) -> None:
    body = b"[" + b",".join([b'{"model":"m"}'] * 300) + b"]"
    with raw(claxon.url) as sender:
        sender.post(length=len(body))
        for place in range(0, len(body), 400):
            sender.send(body[place : place + 400])
            time.sleep(0.2)

        assert sender.answer()[0] == 202


def test_a_connection_that_says_nothing_is_closed_without_an_answer(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        assert sender.read() == b""


def test_a_connection_that_has_been_answered_may_idle_longer(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.post(GOOD)
        assert sender.answer()[0] == 202
        time.sleep(1.3)
        sender.post(GOOD)
        assert sender.answer()[0] == 202
        begun = time.monotonic()

        assert sender.read() == b""
        assert time.monotonic() - begun < 6


def test_empty_lines_do_not_keep_a_connection_open(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        begun = time.monotonic()
        sender.socket.settimeout(0.1)
        closed = False
        while not closed and time.monotonic() - begun < 8:
            sender.send(b"\r\n")
            with contextlib.suppress(TimeoutError):
                closed = sender.socket.recv(100) == b""

        assert closed


@pytest.mark.parametrize("data", [b"GET /" + b"a" * 2 * MAX_HEADERS, b"GET / HTTP/1.1\r\nX: " + b"a" * 2 * MAX_HEADERS])
def test_headers_without_an_end_take_no_memory(claxon: Running, data: bytes) -> None:
    with raw(claxon.url) as sender:
        sender.send(data)

        status, body = sender.answer()
    assert status == 431
    assert b"headers: over 65536 bytes: send fewer" in body


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"HELLO\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_400(claxon: Running, data: bytes) -> None:
    with raw(claxon.url) as sender:
        sender.send(data)

        status, body = sender.answer()
    assert status == 400
    assert b"request: not valid" in body


def test_a_content_length_that_is_too_short_is_a_400(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.post(GOOD, length=5)

        assert sender.read().startswith(b"HTTP/1.1 400 ")


def test_two_lengths_are_a_400(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.post(GOOD, "Transfer-Encoding: chunked")

        assert sender.read().startswith(b"HTTP/1.1 400 ")


def test_a_chunked_body_of_single_bytes_is_taken(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.post(b"", "Transfer-Encoding: chunked", length=-1)
        for byte in GOOD:
            sender.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        sender.send(b"0\r\n\r\n")

        assert sender.answer()[0] == 202


def test_trailers_are_thrown_away(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.post(b"", "Transfer-Encoding: chunked", length=-1)
        sender.send(b"%x\r\n" % len(GOOD) + GOOD + b"\r\n0\r\n" + b"trailer: x\r\n" * 20_000 + b"\r\n")

        assert sender.answer()[0] == 202


def test_a_sender_that_waits_for_100_continue_gets_it(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.post(b"", "Expect: 100-continue", length=len(GOOD))
        assert sender.answer()[0] == 100
        sender.send(GOOD)

        assert sender.answer()[0] == 202


def test_a_sender_that_waits_for_100_continue_is_refused_before_it_sends(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.post(b"", "Expect: 100-continue", length=17 * 1024 * 1024)

        assert sender.answer()[0] == 413


def test_a_sender_that_hangs_up_leaves_nothing(claxon: Running) -> None:
    held = claxon.service.bodies
    for _ in range(50):
        with raw(claxon.url) as sender:
            sender.post(b"[", length=1_000_000)

    assert until(lambda: held.held == 0 and claxon.service.intake.connections == 0, 5)


def test_a_peer_that_does_not_read_its_answer_is_cut_off(claxon: Running) -> None:
    before = ended(claxon, "slow_reader")
    with raw(claxon.url) as reader:
        # More answers than the buffers of two sockets hold.
        for _ in range(1500):
            reader.send(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            if ended(claxon, "slow_reader") > before:
                break

        assert until(lambda: ended(claxon, "slow_reader") > before, 8)


def test_the_newest_connection_is_refused_when_all_are_busy(claxon: Running) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(QUICK.connections):
            open_ones.enter_context(raw(claxon.url)).post(b"[", length=100)
        assert until(lambda: claxon.service.intake.connections == QUICK.connections, 2)
        newest = open_ones.enter_context(raw(claxon.url))
        status, body = newest.answer()

    assert status == 503
    assert b"connections: 20 are open: send again after a second" in body


def test_idle_connections_make_room_for_a_new_one(claxon: Running) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(QUICK.connections):
            idle = open_ones.enter_context(raw(claxon.url))
            idle.post(GOOD)
            assert idle.answer()[0] == 202
        time.sleep(QUICK.spare_s + 0.1)

        assert claxon.post(GOOD)[0] == 202


def test_more_bytes_than_may_be_held_are_a_503_at_once(claxon: Running) -> None:
    budget = claxon.service.bodies
    most, budget.most = budget.most, 10_000
    try:
        with raw(claxon.url) as first, raw(claxon.url) as second:
            first.post(b"[", length=9000)
            assert until(lambda: budget.held == 9000, 2)
            second.post(b"", "Expect: 100-continue", length=2000)
            status, body = second.answer()
    finally:
        budget.most = most

    assert status == 503
    assert b"bodies: 9000 bytes are being read: send again after a second" in body


def test_a_websocket_is_not_spoken(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.send(b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")

        assert sender.answer()[0] == 200


def test_requests_one_behind_another_are_all_answered(claxon: Running) -> None:
    one = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD)
    with raw(claxon.url) as sender:
        sender.send(one * 5 + one.replace(b"\r\nContent", b"\r\nConnection: close\r\nContent"))

        assert sender.read().count(b"HTTP/1.1 202 ") == 6


def test_what_hung_is_seen_in_the_metrics(claxon: Running) -> None:
    with raw(claxon.url) as sender:
        sender.send(b"GET / HTTP/1.1\r\n")
        sender.answer()

    found = claxon.get("/metrics")
    assert 'claxon_connections_ended_total{reason="slow_headers"}' in found
    assert "claxon_connections 1.0" in found or "claxon_connections 2.0" in found


@pytest.mark.parametrize("path", ["/-/ready", "/-/healthy"])
def test_the_health_check_of_a_log_shipper_is_answered(claxon: Running, path: str) -> None:
    assert claxon.request("HEAD", path)[0] == 200
