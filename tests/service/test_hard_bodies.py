"""Bodies that are meant to hurt, sent to a service of its own: bounded time and memory, and it goes on."""

from __future__ import annotations

import gzip
import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import zstandard

from tests.support.raw_http import raw
from tests.support.running import Process, until

MIB = 1024 * 1024
EVENT = b'{"model":"m"}'


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Process(tmp_path_factory.mktemp("hard")) as process:
        yield process


def memory(claxon: Process) -> int:
    """Return the resident MiB of the process at its highest so far."""
    status = Path(f"/proc/{claxon.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def window_of(size: int) -> bytes:
    """Return a zstd frame that asks for a window of so many bytes, a power of two, and holds nothing."""
    exponent = size.bit_length() - 1 - 10
    return struct.pack("<IBB", 0xFD2FB528, 0, exponent << 3) + b"\x01\x00\x00"


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


BODIES: dict[str, tuple[Callable[[], bytes], dict[str, str], int]] = {
    "a gzip bomb": (lambda: gzip.compress(b" " * 200 * MIB), {"Content_Encoding": "gzip"}, 413),
    "a gzip bomb in its second member": (
        lambda: gzip.compress(b"[]") + gzip.compress(b" " * 200 * MIB),
        {"Content_Encoding": "gzip"},
        413,
    ),
    "gzip in gzip": (lambda: gzip.compress(gzip.compress(EVENT)), {"Content_Encoding": "gzip"}, 400),
    "700,000 empty gzip members": (lambda: gzip.compress(b"") * 700_000, {"Content_Encoding": "gzip"}, 400),
    "a zstd bomb": (lambda: zstandard.compress(b" " * 1000 * MIB), {"Content_Encoding": "zstd"}, 413),
    "a zstd bomb of many frames": (
        lambda: zstandard.compress(b" " * 10 * MIB) * 100,
        {"Content_Encoding": "zstd"},
        413,
    ),
    "a zstd window of 2 GiB": (lambda: window_of(2**31), {"Content_Encoding": "zstd"}, 400),
    "a million empty zstd frames": (lambda: zstandard.compress(b"") * 1_000_000, {"Content_Encoding": "zstd"}, 400),
    "arrays 8 million deep": (lambda: nested(8_000_000), {}, 400),
    "objects 2 million deep": (lambda: b'{"a":' * 2_000_000, {}, 413),
    "20 million lists": (
        lambda: zstandard.compress(b"[" + b"[]," * 20_000_000 + b"1]"),
        {"Content_Encoding": "zstd"},
        413,
    ),
    "20 million numbers": (
        lambda: zstandard.compress(b"[" + b"1," * 20_000_000 + b"1]"),
        {"Content_Encoding": "zstd"},
        413,
    ),
    "4 million good events": (
        lambda: zstandard.compress(b"[" + b",".join([EVENT] * 4_000_000) + b"]"),
        {"Content_Encoding": "zstd"},
        413,
    ),
    "4 million good lines": (
        lambda: zstandard.compress((EVENT + b"\n") * 4_000_000),
        {"Content_Encoding": "zstd", "Content_Type": "application/x-ndjson"},
        413,
    ),
    "one event with 20 million lists": (
        lambda: zstandard.compress(b'{"model":"m","x":[' + b"[]," * 20_000_000 + b"1]}"),
        {"Content_Encoding": "zstd"},
        413,
    ),
    "one event with 7 million fields": (
        lambda: zstandard.compress(b'{"model":"m"' + b"".join(b',"%x":1' % i for i in range(4_000_000)) + b"}"),
        {"Content_Encoding": "zstd"},
        413,
    ),
    "one event of 60 MB": (
        lambda: zstandard.compress(b'{"model":"m","prompt":"' + b"x" * 60_000_000 + b'"}'),
        {"Content_Encoding": "zstd"},
        400,
    ),
    "60 million empty lines": (
        lambda: zstandard.compress(EVENT + b"\n" * 60_000_000 + b"[]"),
        {"Content_Encoding": "zstd", "Content_Type": "application/x-ndjson"},
        202,
    ),
    "10 million digits": (lambda: b'[{"model":"m","tokens":' + b"9" * 10_000_000 + b"}]", {}, 400),
    "1e400": (lambda: b'[{"model":"m","tokens":1e400}]', {}, 400),
    "NaN": (lambda: b'[{"model":"m","duration_ms":NaN}]', {}, 400),
    "Infinity": (lambda: b'[{"model":"m","duration_ms":-Infinity}]', {}, 400),
    "half a surrogate pair": (lambda: b'[{"model":"\\ud800"}]', {}, 400),
    "no UTF-8": (lambda: b'[{"model":"\xff"}]', {}, 400),
    "UTF-16": (lambda: '[{"model":"m"}]'.encode("utf-16"), {}, 400),
    "UTF-32": (lambda: '[{"model":"m"}]'.encode("utf-32-be"), {}, 400),
    "a NUL byte": (lambda: b'[{"model":"m\0"}]', {}, 400),
    "a NUL character": (lambda: b'[{"model":"m\\u0000"}]', {}, 202),
    "a byte order mark": (lambda: b"\xef\xbb\xbf" + EVENT, {}, 202),
    "50,001 events": (lambda: b"[" + b",".join([EVENT] * 50_001) + b"]", {}, 413),
    "50,000 bad events": (lambda: b"[" + b",".join([b"{}"] * 50_000) + b"]", {}, 400),
    "an empty array": (lambda: b"[]", {}, 202),
    "an enormous message": (lambda: b'[{"model":"m","error_message":"' + b"x" * 900_000 + b'"}]', {}, 202),
}


@pytest.mark.parametrize("name", BODIES)
def test_what_is_meant_to_hurt_has_one_clear_answer_in_time(claxon: Process, name: str) -> None:
    make, headers, status = BODIES[name]
    body = make()
    begun = time.monotonic()

    got, answer, _ = claxon.post(body, **headers)

    assert got == status, answer
    assert time.monotonic() - begun < 10
    assert len(json.dumps(answer)) < 10 * MIB
    assert claxon.post(EVENT)[0] == 202


def test_memory_stays_bounded_whatever_was_sent(claxon: Process) -> None:
    """Runs after those above, and sends some of them again, four at a time."""
    bodies = [BODIES[name][0]() for name in ("4 million good lines", "one event of 60 MB", "20 million numbers")]

    def send(body: bytes) -> None:
        for _ in range(2):
            claxon.post(body, Content_Encoding="zstd")

    threads = [threading.Thread(target=send, args=(body,)) for body in (*bodies, bodies[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert memory(claxon) < 600, memory(claxon)


def test_while_a_large_body_is_decoded_the_service_answers(claxon: Process) -> None:
    body = BODIES["4 million good lines"][0]()
    waits = []
    sender = threading.Thread(target=lambda: claxon.post(body, Content_Encoding="zstd"))
    sender.start()
    while sender.is_alive():
        begun = time.monotonic()
        assert claxon.request("GET", "/-/healthy")[0] == 200
        waits.append(time.monotonic() - begun)
    sender.join()

    assert max(waits) < 2


def test_two_thousand_idle_connections_leave_it_working(claxon: Process) -> None:
    idle = []
    try:
        for _ in range(2000):
            connection = raw(claxon.url)
            idle.append(connection)
            connection.__enter__().send(b"GET / HTTP/1.1\r\n")
        assert until(lambda: claxon.request("GET", "/-/healthy")[0] == 200, 30)
    finally:
        for connection in idle:
            connection.__exit__(None, None, None)

    assert until(lambda: psutil.Process(claxon.pid).num_fds() < 100, 30)
    assert memory(claxon) < 600
