"""A service that is killed, as by kill -9, at a chosen point between an event and its page; then started again.

The service does not know of it: a process of ours wraps one of its functions, and runs it.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import importlib
import inspect
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.support.pager import Pager, Received, Reply
from tests.support.running import Client, until

BATCHES = 3
"""Of each trial: one rejected key each, of an app of its own. The process dies in the 1st, 2nd or 3rd."""

CONFIG = "route: {{receiver: on-call}}\nreceivers:\n  - {{name: on-call, webhook_configs: [{{url: '{url}'}}]}}\n"

FELL = (OSError, http.client.HTTPException)
"""What a request meets when the process dies under it."""

# One that has imported everything, and forks: a start takes a tenth of the time.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["service.cli", "service.serve", "tests.support.crashes"])


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where the process dies.

    Attributes:
        where: For people.
        function: "module:name" of what is wrapped; "" if the receiver kills, when it has read the request.
        before: Whether it dies when the function begins; else when it has returned.
        twice: Whether the page may come twice: it was sent, and nobody could note it.
    """

    where: str
    function: str = ""
    before: bool = False
    twice: bool = False


_EVALUATE = "alerts.evaluator:Engine.observe"
_KEEP = "service.storage.state:save_episode"
_ADD = "service.storage.outbox:add"
_SEND = "service.receivers.webhook:WebhookReceiver.send"

POINTS = (
    Point(where="after the batch is committed, before it is evaluated", function=_EVALUATE, before=True),
    Point(where="after the state is written, before the commit", function=_KEEP),
    Point(where="after the outbox has its row, before the commit", function=_ADD),
    Point(where="after the commit, before the send", function=_SEND, before=True),
    Point(where="after the send, before the answer", twice=True),
    Point(where="after the answer, before it is noted", function=_SEND, twice=True),
)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one crash did.

    Attributes:
        killed: Whether the process died of the signal.
        lost: Apps whose page never came.
        repeated: Pages that came again.
        other_keys: Apps whose pages did not all have the same key.
    """

    killed: bool
    lost: int
    repeated: int
    other_keys: int


class Doomed(Client):
    """A service in a process of its own; `point` is where it dies at the n-th pass, None if it does not."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "serve.log"
        self._command = ["serve", "--listen", f"127.0.0.1:{port}", "--data", str(folder / "data")]
        self._command += ["--config", str(folder / "claxon.yml")]
        self.process: BaseProcess | None = None

    def start(self, point: Point | None, *, at_pass: int) -> None:
        """Start, and wait until it is ready."""
        self.process = _FORKS.Process(target=run, args=(self._command, str(self._log), point, at_pass))
        self.process.start()
        if not until(self._ready, 30):
            raise AssertionError(self._log.read_text())

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.is_alive()

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)

    def join(self, seconds: float) -> bool:
        """Return whether it died of the signal within so many seconds."""
        assert self.process is not None
        self.process.join(seconds)
        return self.process.exitcode == -signal.SIGKILL

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.is_alive(), self._log.read_text()
        try:
            return self.request("GET", "/-/ready")[0] == 200
        except FELL:
            return False


def run(command: list[str], log: str, point: Point | None, at_pass: int) -> None:
    """Be the service, until the point is passed for the n-th time."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if point is not None and point.function:
        arm(point, at_pass)
    sys.exit(importlib.import_module("service.cli").main(command))


def arm(point: Point, at_pass: int) -> None:
    """Wrap the function of a point; a name that is not there any more is an error."""
    module, _, path = point.function.partition(":")
    owner: Any = importlib.import_module(module)
    *owners, name = path.split(".")
    for one in owners:
        owner = getattr(owner, one)
    passes = Passes(at_pass, _die)
    setattr(owner, name, _wrapped(getattr(owner, name), passes, before=point.before))


class Passes:
    """Calls a function at the n-th pass."""

    def __init__(self, at_pass: int, then: Callable[[], None]) -> None:
        self._left = at_pass
        self._then = then

    def __call__(self) -> None:
        """Count one."""
        self._left -= 1
        if self._left == 0:
            self._then()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _wrapped(function: Callable[..., Any], passes: Passes, *, before: bool) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*arguments: Any, **named: Any) -> Any:
            if before:
                passes()
            answer = await function(*arguments, **named)
            if not before:
                passes()
            return answer

        return later

    @functools.wraps(function)
    def now(*arguments: Any, **named: Any) -> Any:
        if before:
            passes()
        answer = function(*arguments, **named)
        if not before:
            passes()
        return answer

    return now


def attempt(point: Point, *, at_pass: int) -> Trial:
    """Have a service die at a point, start it again, and return what became of the pages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        claxon = Doomed(folder)
        requests = Passes(0 if point.function else at_pass, claxon.kill)

        def answer(_: Received) -> Reply:
            requests()
            return Reply()

        with Pager(answer=answer) as pager:
            (folder / "claxon.yml").write_text(CONFIG.format(url=pager.url))
            claxon.start(point, at_pass=at_pass)
            unanswered = _post_one_by_one(claxon)
            killed = claxon.join(10)
            claxon.start(None, at_pass=0)
            try:
                assert all(_post(claxon, app) for app in unanswered)
                until(lambda: _is_quiet(claxon) and len(_pages(pager)) == BATCHES, 15)
                assert _is_quiet(claxon), claxon.get("/v1/deliveries")
            finally:
                claxon.kill()
                claxon.join(10)
            return _told(_pages(pager), killed=killed)


def _post_one_by_one(claxon: Doomed) -> list[str]:
    """Post the batches, each when the page of the one before is noted; return those that were not acknowledged."""
    unanswered = []
    for app in _apps():
        if not _post(claxon, app):
            unanswered.append(app)
        with contextlib.suppress(*FELL):
            until(lambda: _is_quiet(claxon) or not claxon.alive, 10)
    return unanswered


def _apps() -> list[str]:
    return [f"app-{i}" for i in range(BATCHES)]


def _post(claxon: Client, app: str) -> bool:
    """Return whether a batch was acknowledged; what was not is posted again under the same key, as the client does."""
    event = {"model": "m", "app": app, "status": 401, "error_type": "authentication_error"}
    try:
        return claxon.post([event], Idempotency_Key=f"batch-{app}")[0] == 202
    except FELL:
        return False


def _is_quiet(claxon: Client) -> bool:
    return all(row["state"] == "delivered" for row in claxon.get("/v1/deliveries")["deliveries"])


def _pages(pager: Pager) -> dict[str, list[str]]:
    """Return the keys of the pages that came, by app."""
    found: dict[str, list[str]] = {}
    for received in list(pager.received):
        app = received.json["groupLabels"]["app"]
        found.setdefault(app, []).append(received.headers["idempotency-key"])
    return found


def _told(pages: dict[str, list[str]], *, killed: bool) -> Trial:
    return Trial(
        killed=killed,
        lost=len(set(_apps()) - pages.keys()),
        repeated=sum(len(keys) - 1 for keys in pages.values()),
        other_keys=sum(len(set(keys)) > 1 for keys in pages.values()),
    )
