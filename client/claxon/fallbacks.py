"""fallbacks: `Fallbacks`, which asks another model when one is out of order.

Limits and overload are per model, so the next one may well answer at once. What
is wrong with the key, the account or the request is wrong with every model of
the same account, and is given to the app as it is. A refusal is an answer: for
those the SDK has a middleware of its own, and both work together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from anthropic import Middleware

from . import guard
from .attempt import Call
from .counting import count
from .deadlines import current_deadline
from .errors import CallParked, CircuitOpen, DeadlineExceeded
from .fallback_chain import Chain, Fallback, names_of, read_chain
from .marking import mark, marks, parse_and_mark, parse_and_mark_async
from .outcome import NEVER, Outcome, outcome_of, outcome_of_async, outcome_of_error
from .steering import absorbed, is_call_for_answer, model_of, noted, steering, was_last
from .taxonomy import KINDS, Category

if TYPE_CHECKING:
    from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

__all__ = ["Fallback", "Fallbacks"]

USUAL = frozenset({Category.RATE_LIMIT, Category.OVERLOADED, Category.SERVER})
"""What is asked of another model unless the app says otherwise."""

POSSIBLE = USUAL | {Category.TIMEOUT, Category.CONNECTION, Category.NOT_FOUND}
"""What may be; a model that is not found may have come to its end of life."""

ONE_MODELS = frozenset({Category.INVALID_REQUEST, Category.TOO_LARGE, Category.NOT_FOUND, Category.PERMISSION})
"""What is wrong with one hop only, when the model before it took the same request."""


class Fallbacks(Middleware):
    """Asks the next model of a chain when one fails for good.

    Args:
        *chain: The models to ask, best first, for every call. A call that is made to one of them goes on from there.
        chains: The same by the model that the app asks; in place of `chain` for that model.
        on: The categories of failure that are answered by another model, in place of 429, 529 and 5xx (`rate_limit`,
            `overloaded`, `server`); also `timeout`, `connection`, `not_found`.
        clock: Monotonic seconds, as `time.perf_counter`.

    Raises:
        ValueError: An argument that makes no sense: *Fallbacks: name: value: remedy*.
    """

    def __init__(
        self,
        *chain: str | Fallback,
        chains: Mapping[str, Chain] | None = None,
        on: Iterable[Category | str] = USUAL,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.chain = read_chain(chain)
        self.chains = {model: read_chain(given) for model, given in (chains or {}).items()}
        if not self.chain and not any(self.chains.values()):
            raise ValueError("Fallbacks: chain: empty: name the models to ask next")
        self.on = _read_categories(on)
        self._clock = clock

    def describe(self) -> str:
        """Return in one sentence what it does."""
        parts = [f"{model} > {names_of(chain)}" for model, chain in self.chains.items()]
        if self.chain:
            parts.append(names_of(self.chain))
        causes = ", ".join(category for category in Category if category in self.on)
        return f"the next model when a call fails for good ({causes}): {'; '.join(parts)}"

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send the request, and where it fails for good, to the next model."""
        chain = self._chain_of(request)
        if not chain:
            return call_next(request)
        with steering(request, call_next) as call:
            course = _Course(request, chain)
            while True:
                result: APIResponse[Any] | None = None
                try:
                    result = call_next(course.sent)
                except Exception as error:  # noqa: BLE001 - raised again unless another model is asked
                    outcome = outcome_of_error(error)
                else:
                    outcome = outcome_of(result)
                    if outcome.ok:
                        if course.failed:
                            course.mark(result)
                            parse_and_mark(result)
                        return result
                if not self._hops(course, call, outcome, result):
                    failed: APIResponse[Any] = course.give_up()
                    return failed

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, for the async client."""
        chain = self._chain_of(request)
        if not chain:
            return await call_next(request)
        with steering(request, call_next) as call:
            course = _Course(request, chain)
            while True:
                result: AsyncAPIResponse[Any] | None = None
                try:
                    result = await call_next(course.sent)
                except Exception as error:  # noqa: BLE001 - as above
                    outcome = outcome_of_error(error)
                else:
                    outcome = await outcome_of_async(result)
                    if outcome.ok:
                        if course.failed:
                            course.mark(result)
                            await parse_and_mark_async(result)
                        return result
                if not self._hops(course, call, outcome, result):
                    failed: AsyncAPIResponse[Any] = course.give_up()
                    return failed

    def _chain_of(self, request: APIRequest) -> Sequence[Fallback]:
        """Return the models to ask after this request's; none for what is no call for an answer."""
        try:
            return self._after(request)
        except Exception as fault:  # noqa: BLE001 - the call goes on, with one model
            guard.fault("fallbacks", fault)
            return ()

    def _after(self, request: APIRequest) -> Sequence[Fallback]:
        if not is_call_for_answer(request) or not isinstance(request.options.json_data, dict):
            return ()
        model = model_of(request)
        chain = self.chains.get(model)
        if chain is not None:
            return chain
        for place, fallback in enumerate(self.chain):
            if fallback.model == model:
                return self.chain[place + 1 :]
        return self.chain

    def _hops(self, course: _Course, call: Call, outcome: Outcome, result: Any) -> bool:
        """Note a failure, and prepare the request for the next model; False if there is to be none."""
        try:
            return self._judge(course, call, outcome, outcome.error if result is None else result)
        except Exception as fault:  # noqa: BLE001 - the app gets its answer or its error
            guard.fault("fallbacks", fault)
            return False

    def _judge(self, course: _Course, call: Call, outcome: Outcome, thing: Any) -> bool:
        hopped = bool(course.failed)
        course.fail(outcome, thing, call)
        if not self._another_helps(outcome, after_hop=hopped) or not (hopped or was_last(outcome, call)):
            return False
        if outcome.error is not None and marks(outcome.error).fallback_from:
            return False  # the SDK's own loop brings it back: all models were asked before
        deadline = current_deadline()
        if deadline is not None and self._clock() >= deadline:
            noted(call, stopped_by="deadline")
            mark(thing, stopped_by="deadline")
            return False
        if not course.advance():
            return False
        count("fallbacks")
        absorbed(call)
        return True

    def _another_helps(self, outcome: Outcome, *, after_hop: bool) -> bool:
        category = outcome.category
        if isinstance(outcome.error, DeadlineExceeded):
            return False
        if isinstance(outcome.error, (CallParked, CircuitOpen)):
            return category not in NEVER
        if category in self.on or (Category.SERVER in self.on and (outcome.status or 0) >= 500):
            return True
        return after_hop and category in ONE_MODELS


class _Failure(NamedTuple):
    model: str
    outcome: Outcome
    thing: Any  # the answer, or the exception


class _Course:
    """Where one call stands in its chain.

    Attributes:
        sent: The request that is sent next.
        failed: What came of the requests before it.
    """

    def __init__(self, first: APIRequest, chain: Sequence[Fallback]) -> None:
        self.sent = first
        self.failed: list[_Failure] = []
        self._first = first
        self._left = iter(chain)
        self._model = model_of(first)
        self._requests = 0

    def fail(self, outcome: Outcome, thing: Any, call: Call) -> None:
        """Note how the model that was asked last has failed."""
        hopped = bool(self.failed)
        self.failed.append(_Failure(self._model, outcome, thing))
        self._requests += marks(thing).attempts or (0 if isinstance(thing, CircuitOpen) else 1)
        if not hopped and call.policy_retries is None:
            self._requests += call.sdk_retries
        elif hopped and outcome.category in ONE_MODELS:
            guard.warn_once(
                f"fallback {self._model}",
                f"Fallbacks: {self._model}: {outcome.status} {outcome.error_type}: this model does not take what the "
                "one before it took: patch its parameters, as Fallback(model, thinking=None) does",
            )

    def advance(self) -> bool:
        """Prepare the request for the next model; False if there is none."""
        for fallback in self._left:
            try:
                self.sent = fallback.request(self._first)
            except Exception as error:  # noqa: BLE001 - the app's patch; the next model may do without
                told = f"Fallback: {fallback.model}: patch: {type(error).__name__}: this model was not asked: mend it"
                guard.warn_once(f"patch {fallback.model}", told)
                continue
            self._model = fallback.model
            return True
        return False

    def mark(self, result: Any) -> None:
        """Mark the answer of the model that served."""
        mark(
            result,
            model=self._model,
            fallback_from=tuple(failure.model for failure in self.failed),
            attempts=self._requests + (marks(result).attempts or 1),
        )

    def give_up(self) -> Any:
        """Return the failed answer, or raise what was raised: the first model's, for that is the one the app asked."""
        first, *others = self.failed
        if others:
            before = tuple(failure.model for failure in self.failed[:-1])
            for failure in self.failed:
                mark(failure.thing, model=self._model, fallback_from=before, attempts=self._requests)
        error = first.outcome.error
        if error is None:
            return first.thing
        for failure in others:
            said = failure.outcome
            error.add_note(f"claxon.Fallbacks: {failure.model}: {said.status or ''} {said.error_type}")
        raise error


def _read_categories(given: Iterable[Category | str]) -> frozenset[Category]:
    found: set[Category] = set()
    for name in [given] if isinstance(given, str) else given:
        if name not in POSSIBLE:
            choices = ", ".join(category for category in Category if category in POSSIBLE)
            advice = f". {KINDS[Category(name)].advice}" if name in NEVER else ""
            raise ValueError(
                f"Fallbacks: on: {str(name)!r}: another model does not help: use some of {choices}{advice}"
            )
        found.add(Category(name))
    return frozenset(found)
