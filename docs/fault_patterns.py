"""The clients that docs.fault_matrix puts before each fault: the SDK as it is, and with one pattern after the other.

All of it is written once for both of the SDK's clients: `settled` awaits where there is something to wait for, and a
coroutine of the sync client never does.
"""

from __future__ import annotations

import contextlib
import inspect
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import claxon
from claxon.later import DeferredCalls

from docs.fault_cases import MODEL, OTHER_MODEL, Fault

Client = Any
"""`anthropic.Anthropic` or `anthropic.AsyncAnthropic`."""

ARGUMENTS: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello"}],
}


def longest() -> float:
    """In place of chance: every pause is as long as its jitter allows."""
    return 0.999


async def settled(value: Any) -> Any:
    """Return a value, awaited where it is awaitable."""
    return await value if inspect.isawaitable(value) else value


@dataclass(slots=True)
class Streamed:
    """What an app that reads a stream itself has in the end."""

    text: str = ""
    stop_reason: str | None = None
    error: BaseException | None = None
    marks: Any = None


async def ask(client: Client, fault: Fault, **more: Any) -> Any:
    """Make a call as an app without any pattern does, and read what it gives."""
    if not fault.stream:
        return await settled(client.messages.create(**ARGUMENTS, **more))
    stream = await settled(client.messages.create(**ARGUMENTS, stream=True, **more))
    return await _read(stream)


async def _read(stream: Any) -> Streamed:
    got = Streamed(marks=stream)
    try:
        if isinstance(stream, anthropic.Stream):
            for event in stream:
                _add(got, event)
        else:
            async for event in stream:
                _add(got, event)
    except Exception as error:
        got.error = error
    return got


def _add(got: Streamed, event: Any) -> None:
    if event.type == "content_block_delta":
        got.text += event.delta.text
    elif event.type == "message_delta":
        got.stop_reason = event.delta.stop_reason


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One client.

    Attributes:
        title: In the first column.
        dressed: Returns the client with the pattern.
        ask: Makes the call.
        before: Makes calls that are not looked at, such as those that open a circuit; by the client and the fault.
        observed: Whether its attempts make events.
        serves: Which faults it is put before.
    """

    title: str
    dressed: Callable[[Client], Client] = lambda client: client
    ask: Callable[[Client, Fault], Awaitable[Any]] = ask
    before: Callable[[Client, Fault], Awaitable[None]] | None = None
    observed: bool = True
    serves: Callable[[Fault], bool] = lambda _: True


def retrying(**more: Any) -> Callable[[Client], Client]:
    """Return what gives a client a retry policy, and takes the SDK's own retries away."""

    def dressed(client: Client) -> Client:
        more.setdefault("budget", None)
        policy = claxon.RetryPolicy(random=longest, **more)
        return client.with_middleware(policy).with_options(max_retries=0)

    return dressed


def spent() -> claxon.RetryBudget:
    """Return a retry budget that has nothing left."""
    budget = claxon.RetryBudget(ratio=0.0)
    while budget.spend():
        pass
    return budget


async def read(client: Client, _: Fault) -> Any:
    """Read a stream by `read_stream`, which raises nothing once it has begun."""
    stream = await settled(client.messages.create(**ARGUMENTS, stream=True))
    return await settled((claxon.read_stream if isinstance(stream, anthropic.Stream) else claxon.aread_stream)(stream))


async def calls_before(client: Client, fault: Fault, *, calls: int = 10) -> None:
    """Make calls that meet the fault already, without any retry."""
    for _ in range(calls):
        with contextlib.suppress(anthropic.APIError, claxon.CircuitOpen):
            await ask(client.with_options(max_retries=0), fault)


async def two_calls_before(client: Client, fault: Fault) -> None:
    """Make two such calls."""
    await calls_before(client, fault, calls=2)


async def low_before(client: Client, fault: Fault) -> None:
    """Make calls where a limit is nearly spent, which has to be known to slow down the next."""
    if fault.name == "low":
        await two_calls_before(client, fault)


async def good_answer_before(client: Client, fault: Fault) -> None:
    """Let an answer be kept, before the fault is there."""
    with claxon.may_be_stale():
        await ask(client, fault, extra_headers={"x-fault": "none"})


def stale_answers() -> claxon.StaleAnswers:
    """Return what takes a call for the same whatever fault it is to meet."""
    return claxon.StaleAnswers(claxon.MemoryStore(), ignore_headers=["x-fault", "x-cell"])


async def ask_marked(client: Client, fault: Fault) -> Any:
    """Make a call whose answer may be an older one."""
    with claxon.may_be_stale():
        return await ask(client, fault)


def production(**more: Any) -> Callable[[Client], Client]:
    """Return what gives a client everything, with a retry budget of its own."""

    def dressed(client: Client) -> Client:
        policy = claxon.RetryPolicy(deadline_s=600.0, budget=claxon.RetryBudget(), random=longest)
        return claxon.production(client, retries=policy, show=False, **more)

    return dressed


async def defer(client: Client, _: Fault) -> Any:
    """Make a call by a queue, which takes it in where it fails in a way that may pass."""
    with tempfile.TemporaryDirectory() as folder:
        queue = DeferredCalls(f"sqlite:///{folder}/later.db")
        try:
            if isinstance(client, anthropic.Anthropic):
                return queue.call(client, **ARGUMENTS)
            return await queue.acall(client, **ARGUMENTS)
        finally:
            queue.close()


CENT = claxon.Prices(table={"claude-": claxon.Price(input=5, output=25)})
"""At which a call of this page costs 0.17 cents at most."""

PATTERNS = {
    "bare": Pattern(title="bare SDK", observed=False),
    "telemetry": Pattern(title="telemetry only"),
    "retries": Pattern(title="`RetryPolicy`", dressed=retrying()),
    "looped": Pattern(
        title="`RetryPolicy` (the SDK's own retries left on)",
        dressed=lambda client: retrying()(client).with_options(max_retries=2),
    ),
    "spent": Pattern(
        title="`RetryPolicy` (its budget is spent)", dressed=lambda client: retrying(budget=spent())(client)
    ),
    "cost": Pattern(
        title="`RetryPolicy` (`CostLimit` of 0.4 cents)", dressed=retrying(cost=claxon.CostLimit(0.004, prices=CENT))
    ),
    "throttle": Pattern(
        title="`Throttle(most_wait_s=1)`",
        dressed=lambda client: client.with_middleware(claxon.Throttle(most_wait_s=1.0)),
        before=two_calls_before,
    ),
    "breaker": Pattern(
        title="`CircuitBreaker` (the first call)",
        dressed=lambda client: client.with_middleware(claxon.CircuitBreaker()),
    ),
    "open": Pattern(
        title="`CircuitBreaker` (after ten such requests)",
        dressed=lambda client: client.with_middleware(claxon.CircuitBreaker(random=longest)),
        before=calls_before,
    ),
    "fallbacks": Pattern(
        title="`Fallbacks`",
        dressed=lambda client: client.with_middleware(claxon.Fallbacks(OTHER_MODEL)),
    ),
    "stale": Pattern(
        title="`StaleAnswers` (the call is marked)",
        dressed=lambda client: client.with_middleware(stale_answers()),
        before=good_answer_before,
        ask=ask_marked,
    ),
    "partial": Pattern(title="`read_stream`", ask=read, serves=lambda fault: fault.stream),
    "later": Pattern(title="`DeferredCalls.call`", ask=defer, serves=lambda fault: not fault.stream),
    "later-retries": Pattern(
        title="`DeferredCalls.call` (with `RetryPolicy`)",
        dressed=retrying(),
        ask=defer,
        serves=lambda fault: not fault.stream,
    ),
    "production": Pattern(title="`production(client)`", dressed=production(), before=low_before),
    "production-two": Pattern(title="`production(client, fallbacks=[...])`", dressed=production(fallbacks=[OTHER_MODEL]), before=low_before),
    "production-stale": Pattern(
        title="`production(client)` (the call is marked)",
        dressed=production(stale=stale_answers()),
        before=good_answer_before,
        ask=ask_marked,
    ),
}
