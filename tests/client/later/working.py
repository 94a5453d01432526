"""working: workers that do not wait, sync or async, so that one table of tests serves both; and their API."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anthropic
from claxon.later import DeferredCalls, Job, Patience, Pauses, Ticket, Worked

from service.demo.fake_claude import Request

SOON = Patience(first_s=0.001, most_s=0.001)
NO_PAUSE = Pauses(blocked_s=0.01, most_blocked_s=0.02, failing_s=0.001, most_failing_s=0.001)

Client = anthropic.Anthropic | anthropic.AsyncAnthropic


class Api:
    """What the fake API answers, by the prompt: one step per request, the last one for all that follow.

    Attributes:
        seen: The prompts in the order of their requests.
    """

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[str] = []
        self._steps: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def plan(self, prompt: str, *steps: str) -> None:
        """Answer this prompt so."""
        self._steps[prompt] = list(steps)

    def respond(self, request: Request) -> str:
        """Return the next step."""
        prompt = str(request.body["messages"][0]["content"])
        with self._lock:
            self.seen.append(prompt)
            steps = self._steps.get(prompt, ["200"])
            return steps.pop(0) if len(steps) > 1 else steps[0]


def arguments(prompt: str) -> dict[str, Any]:
    """Return the arguments of a call."""
    return {"model": "claude-test", "max_tokens": 16, "messages": [{"role": "user", "content": prompt}]}


async def defer(queue: DeferredCalls, client: Client, prompt: str, **more: Any) -> Ticket:
    """Defer a call, in the way of the client's kind."""
    if isinstance(client, anthropic.AsyncAnthropic):
        return await queue.adefer(**arguments(prompt), **more)
    return queue.defer(**arguments(prompt), **more)


async def work(queue: DeferredCalls, client: Client, handle: Callable[[Job, Any], object], **settings: Any) -> Worked:
    """Work until nothing is due."""
    chosen = {"until_empty": True, "poll_s": 0.01, "patience": SOON, "pauses": NO_PAUSE, "signals": False, **settings}
    if isinstance(client, anthropic.AsyncAnthropic):
        return await queue.awork(client, handle, **chosen)
    return queue.work(client, handle, **chosen)


async def work_until(
    queue: DeferredCalls,
    client: Client,
    handle: Callable[[Job, Any], object],
    *,
    enough: Callable[[], bool],
    **settings: Any,
) -> Worked:
    """Work for as many turns as it takes until `enough`; a job that waits for its next run is none of the due."""
    total = Worked()
    while not enough():
        turn = await work(queue, client, handle, **settings)
        for name in Worked.__slots__:
            setattr(total, name, getattr(total, name) + getattr(turn, name))
    return total
