"""Open pages are told of what changes, by one look at a number however many they are."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest

from alerts.config import KeyConfig
from service.api import live as live_api
from service.live import LOOK_S, Full, Live
from service.settings import hash_key
from tests.support.running import Running, until

KEY = "claxon_read_0123456789abcdef"


class Stream:
    """A socket that asked for /live, and reads what comes."""

    def __init__(self, url: str, *, authorization: str = "", cookie: str = "") -> None:
        host = urlsplit(url).netloc
        name, _, port = host.partition(":")
        self._socket = socket.create_connection((name, int(port)), timeout=10)
        lines = ["GET /live HTTP/1.1", f"Host: {host}", "Accept: text/event-stream"]
        lines += [f"Authorization: {authorization}"] if authorization else []
        lines += [f"Cookie: {cookie}"] if cookie else []
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self.text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def until(self, words: str, seconds: float) -> float:
        """Read until some words came; return how many seconds it took."""
        began = time.monotonic()
        self._socket.settimeout(seconds)
        while words not in self.text:
            more = self._socket.recv(65_536)
            assert more, f"ended: {self.text[-500:]}"
            self.text += more.decode()
            assert time.monotonic() - began < seconds, self.text[-500:]
        return time.monotonic() - began

    def ended(self, seconds: float) -> float:
        """Read to the end; return how many seconds it took."""
        began = time.monotonic()
        self._socket.settimeout(seconds)
        while not self.text.endswith("\r\n0\r\n\r\n") and (more := self._socket.recv(65_536)):
            self.text += more.decode()
        return time.monotonic() - began


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("live")) as running:
        yield running


def test_what_changes_is_told_within_a_second_to_everybody(claxon: Running) -> None:
    with Stream(claxon.url) as one, Stream(claxon.url) as two:
        for stream in (one, two):
            stream.until("retry: 2000", 5)
        claxon.post([{"app": "told", "model": "m", "status": 401}])

        assert max(one.until("event: changed\ndata: ", 5), two.until("event: changed\ndata: ", 5)) < 1.5
        assert "content-type: text/event-stream" in one.text
        assert "cache-control: no-store" in one.text
    assert until(lambda: len(claxon.service.live) == 0, 5)


def test_what_changes_all_the_time_is_told_twice_a_second_at_most(claxon: Running) -> None:
    with Stream(claxon.url) as stream:
        stream.until("retry: 2000", 5)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            claxon.post([{"app": "busy", "model": "m", "status": 200}])
        stream.until("event: changed", 5)
        told = stream.text.count("event: changed")

    assert 1 <= told <= 2 / LOOK_S + 1


def test_too_many_streams_are_refused_and_the_pages_go_on_without(claxon: Running) -> None:
    live = claxon.service.live
    assert until(lambda: len(live) == 0, 5)
    live._most, before = 1, live._most
    try:
        with Stream(claxon.url) as one:
            one.until("retry: 2000", 5)
            status, said, headers = claxon.request("GET", "/live")
    finally:
        live._most = before

    assert (status, headers["Retry-After"]) == (503, "30")
    assert "too many pages" in said["detail"]


def test_a_stream_needs_a_key_or_a_session_and_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_api, "HEARTBEAT_S", 0.2)
    key = KeyConfig(name="reader", scope="read", sha256=hash_key(KEY))
    with Running(tmp_path, keys=(key,)) as claxon:
        sessions, forms = claxon.service.sessions, claxon.service.forms
        assert claxon.request("GET", "/live")[0] == 401
        name = sessions.begin(key.sha256)
        cookie = f"{forms.cookie('session')}={name}"
        with Stream(claxon.url, cookie=cookie) as mine, Stream(claxon.url, authorization=f"Bearer {KEY}") as other:
            mine.until(": here", 5)
            found = sessions.find(name)
            assert found is not None
            sessions.end(found)
            assert mine.ended(5) < 2
            other.until(": here", 5)
            claxon.service.keys.replace([KeyConfig(name="another", scope="read", sha256="0" * 64)])
            assert other.ended(5) < 2


def test_open_streams_do_not_hold_up_the_end(tmp_path: Path) -> None:
    running = Running(tmp_path)
    with running, Stream(running.url) as stream:
        stream.until("retry: 2000", 5)
        began = time.monotonic()
        running._server.should_exit = True
        assert stream.ended(5) < 1.5
    assert time.monotonic() - began < 5


async def test_nobody_looks_while_nobody_listens() -> None:
    looks = iter(range(1_000_000))
    live = Live(looks.__next__)
    one, two = live.open(), live.open()
    assert await one.changed(within_s=5) == await two.changed(within_s=5)
    live.leave(one)
    live.leave(two)
    before = next(looks)
    await asyncio.sleep(2 * LOOK_S)
    assert next(looks) == before + 1


async def test_what_ends_opens_no_more_and_wakes_who_waits() -> None:
    live = Live(lambda: 0)
    one = live.open()
    waits = asyncio.create_task(one.changed(within_s=60))
    await asyncio.sleep(0)
    live.close()
    assert (await waits, one.closed) == (None, True)
    with pytest.raises(Full):
        live.open()


class _Stuck:
    """A connection whose other end reads nothing."""

    async def send(self, _: object) -> None:
        await asyncio.Event().wait()

    async def receive(self) -> dict[str, str]:
        await asyncio.Event().wait()
        return {}


async def test_whoever_reads_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_api, "READER_S", 0.05)
    live = Live(lambda: 0)
    response = live_api.Streaming(None, live, live.open())  # type: ignore[arg-type]
    stuck, started = _Stuck(), []

    async def send(message: dict[str, str]) -> None:
        if not started:
            started.append(message)
            return
        await stuck.send(message)

    await asyncio.wait_for(response({}, stuck.receive, send), 5)

    assert len(live) == 0
