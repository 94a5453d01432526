"""The demo's apps: threads that call a fake Claude API through the real SDK, as a customer's code would.

≠ what Claxon decides.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import Self

import anthropic
import claxon

from .fake_claude import FakeClaude, Request, Step

SONNET = "claude-sonnet-5"
HAIKU = "claude-haiku-5"


@dataclass(slots=True)
class App:
    """One app.

    Attributes:
        name: As Claxon sees it.
        path: Its route.
        model: What it calls.
        retries: The SDK's `max_retries`.
        pause_s: Between two calls.
        fault: What the API does to it; None is all well.
        faults_left: How many attempts the fault still hits; None is all.
        every: The fault hits each so-many-th attempt.
    """

    name: str
    path: str
    model: str = SONNET
    retries: int = 2
    pause_s: float = 0.12
    fault: Step | None = None
    faults_left: int | None = None
    every: int = 1
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def break_with(self, fault: Step, *, times: int | None = None, every: int = 1) -> None:
        """Have the API fail from now on."""
        with self.lock:
            self.fault, self.faults_left, self.every, self.seen = fault, times, every, 0

    def mend(self) -> None:
        """Have the API work again."""
        with self.lock:
            self.fault = None

    def step(self) -> Step:
        """Return what becomes of the next attempt."""
        with self.lock:
            self.seen += 1
            if self.fault is None or self.seen % self.every:
                return Step()
            if self.faults_left is not None:
                if self.faults_left == 0:
                    return Step()
                self.faults_left -= 1
            return self.fault


class Apps:
    """All apps and the API they call; a context manager."""

    def __init__(self, apps: list[App]) -> None:
        self._apps = {app.name: app for app in apps}
        self._fake = FakeClaude(self._respond)
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(app,), daemon=True) for app in apps]

    def __enter__(self) -> Self:
        self._fake.__enter__()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self._fake.close()

    def _respond(self, request: Request) -> Step:
        app = self._apps.get(request.headers.get("x-demo-app", ""))
        return app.step() if app is not None else Step()

    def _run(self, app: App) -> None:
        client = anthropic.Anthropic(
            api_key="demo",
            base_url=self._fake.url,
            max_retries=app.retries,
            default_headers={"x-demo-app": app.name},
        )
        question = [{"role": "user", "content": "Is all well?"}]
        with client, claxon.context(app=app.name, path=app.path, environment="demo"):
            while not self._ending.wait(app.pause_s):
                with contextlib.suppress(anthropic.APIError):
                    client.messages.create(model=app.model, max_tokens=64, messages=question)  # type: ignore[arg-type]
