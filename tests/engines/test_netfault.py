"""Wires: what each mode does to connections that are there, and to those that come."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.netfault import Mode, Wire, Wires, lay_wires

SOON_S = 0.3
LONG_S = 10


class Echo:
    """Says again what it hears; remembers it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        self.news = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def hears(self, wanted: bytes) -> bool:
        with self.news:
            return self.news.wait_for(lambda: self.heard.endswith(wanted), timeout=LONG_S)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            while said := link.recv(65_536):
                with self.news:
                    self.heard = (self.heard + said)[-1000:]
                    self.news.notify_all()
                link.sendall(said)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def wires() -> Iterator[Wires]:
    with lay_wires() as laid:
        yield laid


@pytest.fixture
def wire(wires: Wires, echo: Echo) -> Wire:
    return wires.wire(echo.port)


def _connect(wire: Wire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), timeout=LONG_S)


def _ask(link: socket.socket, said: bytes) -> bytes:
    link.sendall(said)
    answer = b""
    while len(answer) < len(said):
        piece = link.recv(65_536)
        if not piece:
            break
        answer += piece
    return answer


def _is_silent(link: socket.socket) -> bool:
    link.settimeout(SOON_S)
    try:
        return link.recv(1) is None
    except TimeoutError:
        return True
    finally:
        link.settimeout(LONG_S)


def test_a_wire_that_passes_carries_both_ways_whatever_the_size(wire: Wire) -> None:
    with _connect(wire) as link:
        said = bytes(range(256)) * 40_000
        sender = threading.Thread(target=link.sendall, args=(said,))
        sender.start()
        answer = b""
        while len(answer) < len(said):
            answer += link.recv(1 << 20)
        sender.join()

    assert answer == said


def test_the_end_of_one_direction_leaves_the_other_open(wire: Wire) -> None:
    with _connect(wire) as link:
        link.sendall(b"last words")
        link.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := link.recv(100):
            answer += piece

        assert answer == b"last words"

    _until(lambda: wire.open == 0)


def test_a_wire_that_refuses_resets_connections_and_takes_none(wire: Wire) -> None:
    with _connect(wire) as link:
        assert _ask(link, b"a") == b"a"

        wire.mode = Mode.REFUSE

        with pytest.raises(ConnectionResetError):
            link.recv(1)
    with pytest.raises(ConnectionRefusedError):
        _connect(wire)


def test_a_wire_that_refused_takes_connections_on_the_same_port_again(wire: Wire) -> None:
    port = wire.port
    for _ in range(3):
        wire.mode = Mode.REFUSE
        wire.mode = Mode.PASS

        with _connect(wire) as link:
            assert _ask(link, b"a") == b"a"
    assert wire.port == port


def test_what_a_black_hole_took_arrives_when_it_is_over(wire: Wire, echo: Echo) -> None:
    with _connect(wire) as old:
        assert _ask(old, b"a") == b"a"
        wire.mode = Mode.BLACKHOLE
        with _connect(wire) as new:
            old.sendall(b"old")
            new.sendall(b"new")
            assert _is_silent(old)
            assert _is_silent(new)
            assert echo.heard == b"a"

            wire.mode = Mode.PASS

            assert old.recv(10) == b"old"
            assert new.recv(10) == b"new"


def test_a_mute_wire_brings_what_is_asked_and_no_answer(wire: Wire, echo: Echo) -> None:
    """The engine did it, and its client cannot know."""
    with _connect(wire) as link:
        assert _ask(link, b"a") == b"a"

        wire.mode = Mode.MUTE

        link.sendall(b"commit")
        assert echo.hears(b"commit")
        assert _is_silent(link)

        wire.cut()

        with pytest.raises(ConnectionResetError):
            link.recv(1)


def test_a_cut_resets_what_is_there_and_takes_what_comes(wire: Wire) -> None:
    with _connect(wire) as link:
        assert _ask(link, b"a") == b"a"

        wire.cut()

        with pytest.raises(ConnectionResetError):
            link.recv(1)
    with _connect(wire) as link:
        assert _ask(link, b"b") == b"b"
    assert wire.taken == 2


def test_a_slow_wire_is_slow_each_way_and_keeps_the_order(wire: Wire) -> None:
    with _connect(wire) as link:
        assert _ask(link, b"a") == b"a"
        wire.delay_s = 0.1
        began = time.monotonic()

        assert _ask(link, b"b") == b"b"

        assert time.monotonic() - began >= 0.2
        link.sendall(b"slow")
        wire.delay_s = 0.0
        link.sendall(b"fast")
        answer = b""
        while len(answer) < len(b"slowfast"):
            answer += link.recv(10)
        assert answer == b"slowfast"


def test_a_wire_to_nobody_resets_whoever_calls(wires: Wires, echo: Echo) -> None:
    echo.close()
    wire = wires.wire(echo.port)

    # Already while it connects, when the reset is that quick.
    with pytest.raises(ConnectionResetError), _connect(wire) as link:
        link.recv(1)


def test_a_wire_leads_through_a_unix_socket(wires: Wires, echo: Echo, tmp_path: Path) -> None:
    path = tmp_path / "s"
    wires.wire(echo.port, at=path)
    wire = wires.wire(path)

    with _connect(wire) as link:
        assert _ask(link, b"a") == b"a"


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
