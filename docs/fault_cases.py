"""What a Claude API may do to a call, for docs.fault_matrix: each fault, and the local API that has it.

A client says in the header `x-fault` which fault it is to meet, and in `x-cell` for whom its requests are counted.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.demo.fake_claude import FakeClaude, Kind, Request, Step

MODEL = "claude-opus-test"
OTHER_MODEL = "claude-haiku-test"
"""The second model of a fallback chain."""

TIMEOUT_S = 0.5
"""The client's timeout in place of the SDK's ten minutes."""

NOT_WAITED_S = 2.0
"""After how long a call that sleeps for an hour is left alone."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that happens.

    Attributes:
        name: In `x-fault`.
        title: The heading of its table.
        says: What the API does, and what to know of it.
        steps: What becomes of a cell's requests; the last one for all that follow.
        stream: Whether the app asks for a stream.
        every_model: Whether the second model of a fallback chain has the fault too.
        bound_s: When to stop waiting for the call; None: it ends.
    """

    name: str
    title: str
    says: str
    steps: tuple[Step | Callable[[], Step], ...]
    stream: bool = False
    every_model: bool = False
    bound_s: float | None = None


def nearly_spent() -> Step:
    """Return an answer whose headers say that little of a limit is left."""
    full_again = datetime.now(UTC) + timedelta(seconds=60)
    named = {"limit": "50", "remaining": "2", "reset": full_again.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return Step(headers={f"anthropic-ratelimit-requests-{name}": value for name, value in named.items()})


FAULTS = (
    Fault(name="none", title="No fault", says="A message, at once.", steps=(Step(),)),
    Fault(
        name="low",
        title="A twentieth of a limit left",
        says="A message, and its headers say that 2 of 50 requests are left, and 50 again in a minute. So did those of two calls before.",
        steps=(nearly_spent,),
    ),
    Fault(
        name="401",
        title="401",
        says="The key is not valid, with any model.",
        steps=(Step(status=401),),
        every_model=True,
    ),
    Fault(
        name="429-once",
        title="429 with `retry-after: 1`, once",
        says="The next request is answered.",
        steps=(Step(status=429, retry_after="1"), Step()),
    ),
    Fault(
        name="429-short",
        title="429 with `retry-after: 1`, again and again",
        says="Of one model; the second one of a fallback chain answers.",
        steps=(Step(status=429, retry_after="1"),),
    ),
    Fault(
        name="429-hour",
        title="429 with `retry-after: 3600`",
        says=f"Of one model. Nobody waits for an hour here: after {NOT_WAITED_S:g} s the call is left alone, asleep.",
        steps=(Step(status=429, retry_after="3600"),),
        bound_s=NOT_WAITED_S,
    ),
    Fault(
        name="429-bare",
        title="429 without `retry-after`",
        says="Of one model.",
        steps=(Step(status=429),),
    ),
    Fault(
        name="spend",
        title="429, spend limit reached",
        says="`error_code` is `enforced_spend_limit_reached`, with any model, until somebody raises the limit.",
        steps=(Step(status=429, error_code="enforced_spend_limit_reached"),),
        every_model=True,
    ),
    Fault(name="500-once", title="500, once", says="The next request is answered.", steps=(Step(status=500), Step())),
    Fault(name="500", title="500, again and again", says="Of one model.", steps=(Step(status=500),)),
    Fault(
        name="529",
        title="529, a storm that does not end",
        says="The model is overloaded for longer than anybody retries.",
        steps=(Step(status=529),),
    ),
    Fault(
        name="529-all",
        title="529 of every model",
        says="As above, and the second model of a fallback chain is overloaded too.",
        steps=(Step(status=529),),
        every_model=True,
    ),
    Fault(
        name="timeout",
        title="No answer in time",
        says=f"The request is taken, and nothing comes. The client's timeout is {TIMEOUT_S:g} s (the SDK's own: 10 min).",
        steps=(Step(kind=Kind.HANG, delay=2 * TIMEOUT_S),),
        every_model=True,
    ),
    Fault(
        name="reset",
        title="Connection reset",
        says="The request is taken, and the connection reset; with any model.",
        steps=(Step(kind=Kind.RESET),),
        every_model=True,
    ),
    Fault(
        name="cut",
        title="Stream cut",
        says="The connection is reset after the first piece of text, `Hel`.",
        steps=(Step(kind=Kind.STREAM_CUT),),
        stream=True,
        every_model=True,
    ),
    Fault(
        name="eof",
        title="Stream that ends too early",
        says="The stream ends cleanly after `Hel`, without `message_stop`.",
        steps=(Step(kind=Kind.STREAM_END),),
        stream=True,
        every_model=True,
    ),
    Fault(
        name="event",
        title="Error event in a stream",
        says="After `Hel` comes an `overloaded_error`, behind the 200 that the stream began with.",
        steps=(Step(kind=Kind.STREAM_ERROR),),
        stream=True,
        every_model=True,
    ),
    Fault(
        name="529-stream",
        title="529 in place of a stream",
        says="The model is overloaded before the stream begins.",
        steps=(Step(status=529),),
        stream=True,
    ),
    Fault(
        name="refusal",
        title="Refusal",
        says='A 200 with `stop_reason: "refusal"`, of any model.',
        steps=(Step(kind=Kind.REFUSAL),),
        every_model=True,
    ),
)


class FaultyApi(FakeClaude):
    """A Claude API that has whatever fault a request asks for, and counts requests by cell."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self._steps = {fault.name: fault for fault in FAULTS}
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()

    def requests(self, cell: str) -> int:
        """Return how many requests came of a cell."""
        return self._counts[cell]

    def _respond(self, request: Request) -> Step:
        cell = request.headers.get("x-cell", "")
        fault = self._steps[request.headers.get("x-fault", "none")]
        with self._lock:
            self._counts[cell] += 1
            if request.model == OTHER_MODEL and not fault.every_model:
                return Step()
            self._failed[cell] += 1
            number = self._failed[cell]
        step = fault.steps[min(number, len(fault.steps)) - 1]
        return step if isinstance(step, Step) else step()
