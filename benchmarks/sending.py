"""The load: a process of its own that sends prebuilt requests over raw keep-alive connections.

Closed loop, without a rate: each connection sends its next request when it has the answer to the last. Open loop:
request k is due at k / rate, whatever became of those before it, and its latency counts from then. So a service that
stands still for a second is charged for all that should have been sent in that second, not for one request a
connection.
"""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.connection
import re
import resource
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

_CHUNK = 65_536
_FEW = (
    256  # connections up to which select(2) is asked, which waits to the microsecond; epoll rounds up to milliseconds
)
PATIENCE_S = 60.0
"""How long answers are waited for after the last request."""

_LENGTH = re.compile(rb"content-length: *(\d+)")


class Answer(NamedTuple):
    """One request, by `time.perf_counter()`.

    Attributes:
        due: When it should have been sent; as `sent` in a closed loop.
        sent: When its first byte was.
        ended: When its answer was complete.
        status: Of the answer; 0: the connection broke.
        retry_after: Whether the answer had that header.
    """

    due: float
    sent: float
    ended: float
    status: int
    retry_after: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be sent.

    Attributes:
        port: Of 127.0.0.1.
        requests: Whole HTTP requests, sent in turn, from the first again after the last.
        connections: At most so many at once; that many requests are on their way.
        seconds: Nothing is begun later.
        rate: Requests per second, on a schedule; None: as fast as they are answered.
        once: End after the last request instead.
    """

    port: int
    requests: Sequence[bytes]
    connections: int = 4
    seconds: float = 5.0
    rate: float | None = None
    once: bool = False


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What became of a plan.

    Attributes:
        answers: In the order in which they came.
        unsent: Due, but no connection was free before the end.
        began_at: By `time.perf_counter()`.
        cpu_s: What the sending itself took.
    """

    answers: list[Answer] = field(default_factory=list)
    unsent: int = 0
    began_at: float = 0.0
    cpu_s: float = 0.0

    @property
    def taken(self) -> list[Answer]:
        """Those with a 2xx."""
        return [answer for answer in self.answers if 200 <= answer.status < 300]

    @property
    def took_s(self) -> float:
        """From the first request to the last answer."""
        return max((answer.ended for answer in self.answers), default=self.began_at) - self.began_at

    @property
    def per_second(self) -> float:
        """Requests that got a 2xx, per second."""
        return len(self.taken) / self.took_s if self.answers else 0.0

    def statuses(self) -> dict[int, int]:
        """Return how many answers had each status."""
        found: dict[int, int] = {}
        for answer in self.answers:
            found[answer.status] = found.get(answer.status, 0) + 1
        return dict(sorted(found.items()))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of sorted values that so large a share is not above; 0 without any."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def latencies_ms(answers: Sequence[Answer]) -> list[float]:
    """Return the sorted milliseconds from when each was due to its answer."""
    return sorted((answer.ended - answer.due) * 1000 for answer in answers)


def request(path: str, body: bytes, headers: dict[str, str], *, port: int) -> bytes:
    """Return a whole POST request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{name}: {said}" for name, said in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def parse_answer(got: bytearray) -> tuple[int, bool, int] | None:
    """Return status, whether it says Retry-After, and the length of a complete answer; None while it is not."""
    head_end = got.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = bytes(got[:head_end]).lower()
    status, retry_after = int(head[9:12]), b"\r\nretry-after:" in head
    if b"transfer-encoding: chunked" in head:
        last = got.find(b"0\r\n\r\n", head_end + 2)
        return (status, retry_after, last + 5) if last >= 0 else None
    length = _LENGTH.search(head)
    end = head_end + 4 + (int(length[1]) if length is not None else 0)
    return (status, retry_after, end) if len(got) >= end else None


class Sending:
    """A plan that is being sent, by a process of its own."""

    def __init__(self, plan: Plan) -> None:
        self._mine, theirs = multiprocessing.Pipe(duplex=False)
        self._process = multiprocessing.Process(target=_send, args=(plan, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def wait(self, seconds: float) -> Sent | None:
        """Return what became of it; None if it goes on for longer."""
        if not self._mine.poll(seconds):
            return None
        sent: Sent = self._mine.recv()
        self._process.join()
        return sent


def send(plan: Plan) -> Sent:
    """Send a plan and wait for its end."""
    with Sending(plan) as sending:
        sent = sending.wait(plan.seconds + PATIENCE_S + 30)
    if sent is None:
        raise TimeoutError("the sender did not end")
    return sent


def _send(plan: Plan, out: multiprocessing.connection.Connection) -> None:
    # Answers are tuples of numbers: the collector would look through hundreds of thousands of them, and find nothing.
    gc.disable()
    out.send(_Sender(plan).run())
    out.close()


class _Line:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.unsent = memoryview(b"")
        self.got = bytearray()
        self.due = self.sent = 0.0


class _Sender:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        few = plan.connections <= _FEW
        self._selector = selectors.SelectSelector() if few else selectors.DefaultSelector()
        self._answers: list[Answer] = []
        self._next = 0
        self._lines = 0
        self._closed = False
        self._free: deque[_Line] = deque()
        for _ in range(plan.connections):
            self._open()

    def run(self) -> Sent:
        self._begin = time.perf_counter()
        self._end = self._begin + self._plan.seconds
        self._give(self._begin)
        while not self._done(now := time.perf_counter()):
            for key, events in self._selector.select(self._pause(now)):
                self._attend(key.data, events)
            self._give(time.perf_counter())
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Sent(
            answers=self._answers,
            unsent=self._overdue(),
            began_at=self._begin,
            cpu_s=used.ru_utime + used.ru_stime,
        )

    def _open(self) -> None:
        try:
            line = _Line(self._plan.port)
        except OSError:
            # Nobody listens any more: what is on its way ends, and nothing is begun.
            self._closed = True
            return
        self._selector.register(line.socket, selectors.EVENT_READ, line)
        self._lines += 1
        self._free.append(line)

    def _due(self, k: int) -> float:
        return self._begin + k / self._plan.rate if self._plan.rate is not None else 0.0

    def _over(self, now: float) -> bool:
        """Whether nothing more is begun."""
        if self._closed or (self._plan.once and self._next >= len(self._plan.requests)):
            return True
        if self._plan.rate is None:
            return now >= self._end
        return self._due(self._next) >= self._end or now >= self._end

    def _done(self, now: float) -> bool:
        return self._over(now) and (len(self._free) >= self._lines or now > self._end + PATIENCE_S)

    def _overdue(self) -> int:
        if self._plan.rate is None:
            return 0
        return max(0, int(self._plan.seconds * self._plan.rate) - self._next)

    def _pause(self, now: float) -> float:
        if self._plan.rate is None or not self._free or self._over(now):
            return 0.5
        return max(0.0, self._due(self._next) - now)

    def _give(self, now: float) -> None:
        """Give free connections what is due."""
        while self._free and not self._over(now):
            due = self._due(self._next) or now
            if due > now:
                return
            line = self._free.popleft()
            line.due, line.sent = due, time.perf_counter()
            line.unsent = memoryview(self._plan.requests[self._next % len(self._plan.requests)])
            self._next += 1
            self._push(line)

    def _push(self, line: _Line) -> None:
        try:
            line.unsent = line.unsent[line.socket.send(line.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._broken(line)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.unsent else 0)
        if self._selector.get_key(line.socket).events != wanted:
            self._selector.modify(line.socket, wanted, line)

    def _attend(self, line: _Line, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._push(line)
        if not events & selectors.EVENT_READ:
            return
        try:
            got = line.socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            self._broken(line)
            return
        line.got += got
        if (answer := parse_answer(line.got)) is not None:
            status, retry_after, length = answer
            self._answers.append(Answer(line.due, line.sent, time.perf_counter(), status, retry_after))
            del line.got[:length]
            # An answer before the request was all sent: a refusal, after which this connection says nothing more.
            if line.unsent:
                self._replace(line)
            else:
                self._free.append(line)

    def _broken(self, line: _Line) -> None:
        if line not in self._free:
            self._answers.append(Answer(line.due, line.sent, time.perf_counter(), 0, retry_after=False))
        else:
            self._free.remove(line)
        self._replace(line)

    def _replace(self, line: _Line) -> None:
        self._selector.unregister(line.socket)
        line.socket.close()
        self._lines -= 1
        self._open()
