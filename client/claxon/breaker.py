"""breaker: `CircuitBreaker`, which leaves a model alone that mostly fails, and asks it again after a while.

When a circuit opens and closes is decided in circuits.py; here are the calls.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from anthropic import Middleware

from . import guard
from .calls import client_of
from .circuits import HEALTH, Circuit, Pass, Refusal, Terms, Verdict, give_back, verdict_of
from .counting import count
from .errors import CircuitOpen, request_of
from .event import Circuit as State
from .marking import mark
from .outcome import outcome_of_error, outcome_of_read, read_body, read_body_async
from .steering import app_of, is_call_for_answer, model_of, noted, steering, unsent
from .taxonomy import Category

if TYPE_CHECKING:
    from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

    from .attempt import Call

MOST_CIRCUITS = 256
"""Apps times models of which a breaker remembers something."""


class Leave(NamedTuple):
    """A pass, and of which circuit."""

    circuit: Circuit
    given: Pass


class CircuitBreaker(Middleware):
    """Refuses calls at once while a model mostly fails, for each app and model apart.

    Opens when `share` of at least `least_attempts` attempts within `window_s`
    failed with a server error, an overload, a timeout or a broken connection.
    Never by what the app, its key or its account got wrong. After `open_s` a few
    probes are let through: if they succeed it closes, if one fails it opens for
    twice as long. While it is open, calls raise `claxon.CircuitOpen` and nothing
    is sent.

    Args:
        window_s: The seconds that are looked back on.
        least_attempts: In the window, below which nothing is judged.
        share: Of the attempts that failed, from which on it opens; in (0, 1].
        open_s: Seconds until the first probe; of each time a random half to all of it.
        most_open_s: To which `open_s` doubles at most.
        probes: Calls that are let through half-open, and must succeed.
        probe_s: After which a probe that has not come back is replaced by another.
        count_rate_limits: Whether 429s count as failures, too.
        clock: Monotonic seconds.
        random: Uniform in [0, 1).

    Raises:
        ValueError: An argument that makes no sense: *CircuitBreaker: name: value: remedy*.
    """

    def __init__(
        self,
        *,
        window_s: float = 30.0,
        least_attempts: int = 10,
        share: float = 0.5,
        open_s: float = 5.0,
        most_open_s: float = 10.0,
        probes: int = 2,
        probe_s: float = 30.0,
        count_rate_limits: bool = False,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"CircuitBreaker: share: {share!r}: give a share above 0, up to 1, such as 0.5 for half")
        for name, number in (("least_attempts", least_attempts), ("probes", probes)):
            if not 1 <= number <= 10_000:
                raise ValueError(f"CircuitBreaker: {name}: {number!r}: give a number from 1 to 10000")
        seconds = {"window_s": window_s, "open_s": open_s, "most_open_s": most_open_s, "probe_s": probe_s}
        for name, value in seconds.items():
            if not 0 < value <= 86_400:
                raise ValueError(f"CircuitBreaker: {name}: {value!r}: give seconds above 0, up to 86400")
        if most_open_s < open_s:
            raise ValueError(f"CircuitBreaker: most_open_s: {most_open_s!r}: give at least open_s, {open_s:g}")
        self.terms = Terms(least_attempts=least_attempts, share=share, probes=probes, **seconds)
        self._counted = HEALTH | {Category.RATE_LIMIT} if count_rate_limits else HEALTH
        self._clock = clock
        self._random = random
        self._renew()
        _breakers.add(self)

    def _renew(self) -> None:
        # Re-entrant: what runs in a finalizer may fail with an exception of its own, which is judged, too.
        self._lock = threading.RLock()
        self._circuits: dict[tuple[str, str], Circuit] = {}

    def describe(self) -> str:
        """Return in one sentence what it does."""
        terms = self.terms
        return (
            f"opens when {terms.share:.0%} of at least {terms.least_attempts} attempts in {terms.window_s:g} s fail; "
            f"{terms.probes} probes after {terms.open_s:g} s, at most {terms.most_open_s:g} s"
        )

    def states(self) -> dict[tuple[str, str], State]:
        """Return the state by (app, model), of those that have been called."""
        with self._lock:
            return {key: circuit.state for key, circuit in self._circuits.items()}

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send the request, or raise `CircuitOpen`."""
        if not is_call_for_answer(request):
            return call_next(request)
        with steering(request, call_next) as call:
            leave = self._ask(call, request, call_next)
            try:
                result = call_next(request)
                read_body(result)
            except Exception as error:
                self._judge(leave, call, error)
                raise
            except BaseException:
                _cancelled(leave)
                raise
            self._judge(leave, call, result)
            return result

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, for the async client."""
        if not is_call_for_answer(request):
            return await call_next(request)
        with steering(request, call_next) as call:
            leave = self._ask(call, request, call_next)
            try:
                result = await call_next(request)
                await read_body_async(result)
            except Exception as error:
                self._judge(leave, call, error)
                raise
            except BaseException:
                _cancelled(leave)
                raise
            self._judge(leave, call, result)
            return result

    def _ask(self, call: Call, request: APIRequest, call_next: object) -> Leave | None:
        """Return leave to send; raise `CircuitOpen` if it is not given."""
        try:
            key = (app_of(call), model_of(request))
            circuit = self._circuits.get(key) or self._open(key)
            with self._lock:
                answer = circuit.ask(self._clock())
            if isinstance(answer, Pass):
                call.circuit = None if answer.news is None else answer.news.value
                return Leave(circuit, answer)
            error = self._refused(answer, call, request, call_next, key)
        except Exception as fault:  # noqa: BLE001 - the call is sent
            guard.fault("breaker", fault)
            return None
        raise error

    def _refused(
        self, refusal: Refusal, call: Call, request: APIRequest, call_next: object, key: tuple[str, str]
    ) -> CircuitOpen:
        count("circuit_refused")
        app, model = key
        because = refusal.because
        unsent(
            call,
            request,
            error_type=because.error_type or because.category.value,
            error_code="circuit_open",
            stopped_by="circuit",
            circuit=refusal.state.value,
        )
        error = CircuitOpen(
            request_of(client_of(call_next), request.url),
            model=model,
            app=app,
            retry_in_s=refusal.retry_in_s,
            category=because.category,
        )
        mark(error, model=model, stopped_by="circuit")
        return error

    def _judge(self, leave: Leave | None, call: Call, became: object) -> None:
        """Tell the circuit what an attempt became, answer or exception, and the event what became of the circuit."""
        if leave is None:
            return
        try:
            circuit, given = leave
            call.circuit = None  # taken, unless nothing was sent
            outcome = outcome_of_error(became) if isinstance(became, Exception) else outcome_of_read(became)
            verdict = verdict_of(outcome, counted=self._counted)
            if verdict is Verdict.NOTHING:
                give_back(given)
                return
            with self._lock:
                opened = circuit.judge(given, verdict, outcome, self._clock())
                state = circuit.state
            if opened:
                count("circuit_opened")
            if given.probe or state is not State.CLOSED:
                noted(call, circuit=state.value)
        except Exception as fault:  # noqa: BLE001 - the app gets its answer, or its own error
            _cancelled(leave)
            guard.fault("breaker", fault)

    def _open(self, key: tuple[str, str]) -> Circuit:
        """Return a new circuit; a closed one that was used least recently goes for it, where there are too many."""
        with self._lock:
            circuit = self._circuits.get(key)
            if circuit is None:
                while len(self._circuits) >= MOST_CIRCUITS:
                    kept = self._circuits
                    del kept[min(kept, key=lambda each: (kept[each].state is not State.CLOSED, kept[each].used))]
                circuit = self._circuits[key] = Circuit(self.terms, now=self._clock(), chance=self._random)
            return circuit


def _cancelled(leave: Leave | None) -> None:
    if leave is not None:
        give_back(leave.given)


_WORST = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
_breakers: weakref.WeakSet[CircuitBreaker] = weakref.WeakSet()


def circuit_states() -> list[tuple[str, str, State]]:
    """Return (app, model, state) of all breakers of this process; of several for the same, the worst."""
    found: dict[tuple[str, str], State] = {}
    for breaker in list(_breakers):
        for key, state in breaker.states().items():
            if _WORST[state] >= _WORST[found.get(key, State.CLOSED)]:
                found[key] = state
    return [(app, model, state) for (app, model), state in sorted(found.items())]


def _renew_all() -> None:
    for breaker in list(_breakers):
        breaker._renew()  # noqa: SLF001 - the lock may have been held when the process forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
