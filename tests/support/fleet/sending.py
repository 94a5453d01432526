"""Apps that post to several addresses in turn: batches all the time, and now and then an event that must page.

What is not acknowledged is posted again, the same bytes under the same key, at the next address, as Claxon's client
does behind a load balancer: patience and pauses are its own.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from claxon.settings import Settings

SIZES = (1, 1, 5, 20, 50)
"""Events of a batch; one of these, by chance."""

PAGE_EVERY_S = 0.5
RECEIVERS = 12
"""Over which the apps that must page are spread, by the end of their names."""

LONGEST_PAUSE_S = 30.0

_FELL = (OSError, http.client.HTTPException)
_CLIENT = Settings()


@dataclass(slots=True, kw_only=True)
class Posted:
    """A batch, and what became of it.

    Attributes:
        name: Its Idempotency-Key; its events are `name/0`, `name/1`, ...
        app: Of all of its events.
        must_page: Whether one of them must.
        size: How many events it has.
        at: Unix seconds of the first try.
        tries: How many there were.
        acknowledged_at: Unix seconds of the 202; None before it.
    """

    name: str
    app: str
    must_page: bool
    size: int
    at: float
    tries: int = 0
    acknowledged_at: float | None = None


@dataclass(slots=True)
class Book:
    """What all senders know.

    Attributes:
        batches: By what marked the round in which they were posted.
        refused: What was answered that is neither a yes nor a plea for patience.
    """

    batches: dict[str, list[Posted]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def of(self, mark: str, *, must_page: bool = False) -> list[Posted]:
        """Return the batches of one round; of these those that must page, or all."""
        # A copy at once: senders add to it.
        return [one for one in list(self.batches.get(mark, ())) if one.must_page or not must_page]


class Senders:
    """Post from when they are told to begin until they are held; `mark` is in the name of what they post meanwhile.

    Use as a context manager.

    Attributes:
        book: What was posted.
        mark: Names the present round.
    """

    def __init__(self, ports: Sequence[int], *, each: int = 2, pause_s: float = 0.05, seed: int = 1) -> None:
        """Take the ports of all nodes that take events.

        Args:
            ports: Of 127.0.0.1.
            each: How many senders of batches there are.
            pause_s: Between two batches of one of them.
            seed: Of chance.
        """
        self.book = Book()
        self.mark = "0"
        self._ports = list(ports)
        self._pause_s = pause_s
        self._go = threading.Event()
        self._over = threading.Event()
        self._idle = threading.Condition()
        self._busy = 0
        self._threads = [
            threading.Thread(target=self._send_batches, args=(n, random.Random(f"{seed}/{n}")), daemon=True)
            for n in range(each)
        ]
        self._threads.append(threading.Thread(target=self._send_pages, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._go.set()
        for thread in self._threads:
            thread.join(timeout=LONGEST_PAUSE_S)

    def begin(self, mark: str) -> None:
        """Let all of them post."""
        self.book.batches.setdefault(mark, [])
        self.mark = mark
        self._go.set()

    def hold(self, *, within_s: float) -> bool:
        """Have all of them stop when what they posted is acknowledged; return whether it is."""
        with self._idle:
            self._go.clear()
            return self._idle.wait_for(lambda: not self._busy, timeout=within_s)

    def _send_batches(self, number: int, chance: random.Random) -> None:
        counter = 0
        while self._wait():
            size = chance.choice(SIZES)
            mark = self.mark
            name, app = f"{mark}-load-{number}-{counter}", f"load-{number}"
            events = [{"status": 200 if chance.random() < 0.995 else 500, "path": "/v1/messages"} for _ in range(size)]
            counter += 1
            posted = Posted(name=name, app=app, must_page=False, size=size, at=time.time())
            self._post(posted, mark, events, first=number + counter)
            self._over.wait(self._pause_s)

    def _send_pages(self) -> None:
        counter = 0
        while self._wait():
            # Each is an app of its own: none waits for another.
            threading.Thread(target=self._post_page, args=(self.mark, counter), daemon=True).start()
            counter += 1
            self._over.wait(PAGE_EVERY_S)

    def _post_page(self, mark: str, counter: int) -> None:
        name = f"{mark}-page-{counter}"
        app = f"{name}-r{counter % RECEIVERS}"
        posted = Posted(name=name, app=app, must_page=True, size=1, at=time.time())
        self._post(posted, mark, [{"status": 401, "error_type": "authentication_error"}], first=counter)

    def _wait(self) -> bool:
        """Return when something is to be posted, which `hold` then waits for; False at the end."""
        while True:
            self._go.wait()
            with self._idle:
                if self._over.is_set():
                    return False
                if self._go.is_set():
                    self._busy += 1
                    return True

    def _post(self, posted: Posted, mark: str, events: list[dict[str, Any]], *, first: int) -> None:
        self.book.batches[mark].append(posted)
        try:
            self._post_until_taken(posted, _body(posted, events), first)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _post_until_taken(self, posted: Posted, body: bytes, first: int) -> None:
        failures = 0
        while not self._over.is_set():
            posted.tries += 1
            status, said, retry_after_s = _post_once(
                self._ports[(first + posted.tries) % len(self._ports)], posted, body
            )
            if status == 202:
                posted.acknowledged_at = time.time()
                return
            if status not in (0, 429, 503, 507):
                self.book.refused.append(f"{posted.name}: {status}: {said[:500]}")
            if posted.tries % len(self._ports):
                continue  # the next address, at once
            pause = min(LONGEST_PAUSE_S, _CLIENT.backoff_s * 2.0**failures) * random.uniform(0.5, 1.0)
            failures += 1
            self._over.wait(max(pause, retry_after_s))


def _body(posted: Posted, events: list[dict[str, Any]]) -> bytes:
    for i, event in enumerate(events):
        event |= {"model": "m", "app": posted.app, "event_id": f"{posted.name}/{i}", "request_id": f"{posted.name}/{i}"}
    return json.dumps(events).encode()


def _post_once(port: int, posted: Posted, body: bytes) -> tuple[int, str, float]:
    """Return status, text and Retry-After of one try; status 0 where there was no answer."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=_CLIENT.connect_timeout_s)
    try:
        link.connect()
        link.sock.settimeout(_CLIENT.read_timeout_s)
        link.request("POST", "/v1/events", body, {"Content-Type": "application/json", "Idempotency-Key": posted.name})
        answer = link.getresponse()
        said = answer.read().decode("utf-8", "replace")
        return answer.status, said, float(answer.headers.get("Retry-After") or 0)
    except _FELL as fault:
        return 0, str(fault), 0.0
    finally:
        link.close()
