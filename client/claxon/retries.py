"""retries: `RetryPolicy`, which tries again as the app says, in place of the SDK's own loop.

The middleware chain runs inside the SDK's loop. Two loops multiply, so a policy
belongs into a client with `max_retries=0` (1 where the client refreshes its own
token: the first 401 is the SDK's business). Where the SDK's loop is around it
all the same, the policy ends it: a failed answer is marked as not to be retried,
and a failure without an answer is raised again without a request.
"""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx2
from anthropic import APIConnectionError, APIStatusError, Middleware

from . import guard, loops
from .attempt import Call
from .budgets import CostLimit, RetryBudget, process_budget
from .calls import client_of
from .counting import count
from .deadlines import current_deadline, shortened, until
from .errors import CallParked, DeadlineExceeded, parked, request_of, status_error
from .marking import mark, parse_and_mark, parse_and_mark_async
from .outcome import Outcome, http_of, outcome_of, outcome_of_async, outcome_of_error
from .retry_rules import Backoff, Course, Decision, RetryRule, decide, read_rules
from .steering import absorbed, altered, noted, steering, unsent
from .taxonomy import Category

if TYPE_CHECKING:
    from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

MOST_REMEMBERED = 64
MAY_BE_BILLED = frozenset({Category.TIMEOUT, Category.CONNECTION, Category.STREAM})
SHOULD_RETRY = "x-should-retry"

R = TypeVar("R")

_SHARED: Any = object()


class RetryPolicy(Middleware):
    """Tries a failed call again: how often by what failed, how soon with full jitter, and never past a deadline.

    Args:
        most_attempts: Of one call, whatever fails.
        rules: By category, in place of the usual ones (`RULES`); a number is
            that many retries. Authentication, account, permission and invalid
            requests are never tried again.
        base_s: The most seconds before the first retry; doubles.
        most_backoff_s: The most seconds before any, unless the API asks for more.
        most_retry_after_s: The longest `retry-after` that is slept; beyond it
            the call ends with `CallParked`.
        deadline_s: For a whole call, in seconds; None for no deadline. See also
            `claxon.deadline`.
        budget: How many retries all calls may make; None for no bound. By
            default the process's: retries for 10 % of the calls.
        cost: What retries of one call may cost.
        clock: Monotonic seconds, as `time.perf_counter`.
        random: Uniform in [0, 1).

    Raises:
        ValueError: An argument that makes no sense: *RetryPolicy: name: value: remedy*.
    """

    def __init__(
        self,
        *,
        most_attempts: int = 4,
        rules: Mapping[Category | str, RetryRule | int] | None = None,
        base_s: float = 0.5,
        most_backoff_s: float = 8.0,
        most_retry_after_s: float = 60.0,
        deadline_s: float | None = None,
        budget: RetryBudget | None = _SHARED,
        cost: CostLimit | None = None,
        clock: Callable[[], float] = time.perf_counter,
        random: Callable[[], float] = random.random,
    ) -> None:
        _check("most_attempts", most_attempts, 1, 100)
        _check("base_s", base_s, 0, 3600)
        _check("most_backoff_s", most_backoff_s, 0, 86_400)
        _check("most_retry_after_s", most_retry_after_s, 0, 86_400)
        if deadline_s is not None:
            _check("deadline_s", deadline_s, 0.001, 86_400)
        self.rules = read_rules(rules)
        self.most_attempts = most_attempts
        self.most_retry_after_s = most_retry_after_s
        self.deadline_s = deadline_s
        self.budget = process_budget() if budget is _SHARED else budget
        self.cost = cost
        self.backoff = Backoff(base_s=base_s, most_s=most_backoff_s, random=random)
        self._clock = clock
        self._ended: OrderedDict[str, Exception] = OrderedDict()

    def describe(self) -> str:
        """Return in one sentence what it does."""
        retries = ", ".join(f"{category} {rule.retries}" for category, rule in self.rules.items() if rule.retries)
        parts = [
            f"at most {self.most_attempts} attempts ({retries}); retry-after up to {self.most_retry_after_s:g} s",
            "no deadline" if self.deadline_s is None else f"deadline {self.deadline_s:g} s",
        ]
        if self.budget is not None:
            parts.append(f"retries for {self.budget.ratio:.0%} of calls, {self.budget.reserve:g} in a burst")
        if self.cost is not None:
            parts.append(f"${self.cost.most_usd:g} a call")
        return "; ".join(parts)

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send the request as often as the policy allows."""
        self._raise_again(request)
        with steering(request, call_next) as call:
            course = self._begin(call, request, call_next)
            while True:
                sent = self._attempt(course, request, call_next)
                result: APIResponse[Any] | None = None
                try:
                    with until(course.deadline):
                        result = call_next(sent)
                except Exception as error:  # noqa: BLE001 - raised again unless it is tried again
                    outcome = outcome_of_error(error)
                else:
                    outcome = outcome_of(result)
                    if outcome.ok:
                        if course.attempts > 1:
                            self._helped()
                            mark(result, attempts=course.attempts)
                            parse_and_mark(result)
                        return result
                delay = self._next(course, call, request, outcome)
                if delay is None:
                    return self._give_up(course, call, request, call_next, outcome, result)
                time.sleep(delay)

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, for the async client."""
        self._raise_again(request)
        with steering(request, call_next) as call:
            course = self._begin(call, request, call_next)
            while True:
                sent = self._attempt(course, request, call_next)
                result: AsyncAPIResponse[Any] | None = None
                try:
                    with until(course.deadline):
                        result = await call_next(sent)
                except Exception as error:  # noqa: BLE001 - as above
                    outcome = outcome_of_error(error)
                else:
                    outcome = await outcome_of_async(result)
                    if outcome.ok:
                        if course.attempts > 1:
                            self._helped()
                            mark(result, attempts=course.attempts)
                            await parse_and_mark_async(result)
                        return result
                delay = self._next(course, call, request, outcome)
                if delay is None:
                    return self._give_up(course, call, request, call_next, outcome, result)
                await anyio.sleep(delay)

    def _begin(self, call: Call, request: APIRequest, call_next: object) -> Course:
        count("calls")
        if self.budget is not None:
            self.budget.called()
        if call.policy_retries is None and call.max_retries and not (call.refreshes_token and call.max_retries == 1):
            guard.warn_once(
                "max_retries",
                f"RetryPolicy: max_retries={call.max_retries}: the policy tries again itself: "
                "give the client max_retries=0 (claxon.production does)",
            )
        call.policy_retries = self.most_attempts - 1
        own = None if self.deadline_s is None else call.started + self.deadline_s
        block = current_deadline()
        deadline = min(own, block) if own is not None and block is not None else own if block is None else block
        if deadline is not None and self._clock() >= deadline:
            count("deadline_exceeded")
            unsent(call, request, error_type="DeadlineExceeded", stopped_by="deadline")
            error = DeadlineExceeded(request=request_of(client_of(call_next), request.url))
            mark(error, stopped_by="deadline", attempts=call.attempts)
            self._remember(request, call, error)
            raise error
        return Course(deadline=deadline)

    def _attempt(self, course: Course, request: APIRequest, call_next: object) -> APIRequest:
        """Return the request of the next attempt: numbered, and with no more time than the deadline leaves."""
        retries = course.attempts
        course.attempts += 1
        if course.deadline is None:
            if retries == 0:
                return request
            return altered(request, retries_taken=request.retries_taken + retries)
        left = max(0.001, course.deadline - self._clock())
        timeout = shortened(request.timeout, client_of(call_next), left)
        return altered(request, retries_taken=request.retries_taken + retries, timeout=timeout)

    def _next(self, course: Course, call: Call, request: APIRequest, outcome: Outcome) -> float | None:
        """Return the seconds to sleep before the next attempt; None if there is none, which the event will say."""
        try:
            return self._judge(course, call, request, outcome)
        except Exception as fault:  # noqa: BLE001 - the app gets its answer or its error
            guard.fault("retries", fault)
            return None

    def _judge(self, course: Course, call: Call, request: APIRequest, outcome: Outcome) -> float | None:
        decision = decide(
            outcome,
            course,
            rules=self.rules,
            most_attempts=self.most_attempts,
            most_retry_after_s=self.most_retry_after_s,
            backoff=self.backoff,
            now=self._clock(),
        )
        if decision.delay_s is not None:
            decision = self._afford(decision, course, request, outcome)
        if decision.delay_s is None:
            course.stopped_by = decision.stopped_by
            if decision.stopped_by is not None:
                noted(call, stopped_by=decision.stopped_by)
            elif not outcome.retryable and outcome.status != 401:  # the SDK answers a first 401, where it has a token
                noted(call, exhausted=False)
            return None
        count("retries")
        absorbed(call, retry_after_s=decision.delay_s)
        return decision.delay_s

    def _afford(self, decision: Decision, course: Course, request: APIRequest, outcome: Outcome) -> Decision:
        """Return the decision, or a stop where the next attempt is too dear or the budget spent."""
        if self.cost is not None:
            expected = self.cost.expected(request.options.json_data)
            if outcome.category in MAY_BE_BILLED:
                course.spent_usd += expected
            if course.spent_usd + expected > self.cost.most_usd:
                count("retries_denied_by_cost")
                return Decision(None, "cost")
        if self.budget is not None and not self.budget.spend():
            count("retries_denied_by_budget")
            return Decision(None, "retry_budget")
        return decision

    def _helped(self) -> None:
        if self.budget is not None:
            self.budget.helped()

    def _give_up(
        self, course: Course, call: Call, request: APIRequest, call_next: object, outcome: Outcome, result: R | None
    ) -> R:
        """Return the failed answer, from which the SDK makes its error, or raise what was raised."""
        stopped_by = course.stopped_by
        if stopped_by == "deadline":
            count("deadline_exceeded")
        if outcome.retryable:
            loops.failed_call(request, call.tags, observed=call.held is not None, attempts=course.attempts)
        if outcome.error is not None:
            mark(outcome.error, attempts=course.attempts, stopped_by=stopped_by)
            self._remember(request, call, outcome.error)
            raise outcome.error
        response = http_of(result)
        assert result is not None
        assert response is not None
        response.headers[SHOULD_RETRY] = "false"
        mark(result, attempts=course.attempts, stopped_by=stopped_by)
        if stopped_by == "retry_after":
            error = self._parked(response, call_next, outcome)
            if error is not None:
                raise error
        return result

    def _parked(self, response: httpx2.Response, call_next: object, outcome: Outcome) -> CallParked | None:
        """Return the error of a call that would have to wait too long; None if it cannot be made."""
        try:
            count("parked")
            return parked(status_error(client_of(call_next), response), outcome.retry_after_s or 0.0)
        except Exception as fault:  # noqa: BLE001 - the SDK makes its own error of the answer
            guard.fault("retries", fault)
            return None

    def _remember(self, request: APIRequest, call: Call, error: Exception) -> None:
        """Keep an error that the SDK's own loop would answer with another request."""
        key = request.options.idempotency_key
        sdk_ends = call.max_retries is not None and call.sdk_retries >= call.max_retries
        if key is None or sdk_ends or not _sdk_tries_again(error):
            return
        self._ended[key] = error
        while len(self._ended) > MOST_REMEMBERED:
            self._ended.popitem(last=False)

    def _raise_again(self, request: APIRequest) -> None:
        """Raise what this call already ended with, if the SDK's own loop brings it back."""
        if not self._ended or request.retries_taken == 0:
            return
        error = self._ended.get(request.options.idempotency_key or "")
        if error is not None:
            raise error


def _sdk_tries_again(error: BaseException) -> bool:
    return isinstance(error, APIConnectionError) and not isinstance(error, APIStatusError)


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"RetryPolicy: {name}: {value!r}: give a number from {least} to {most}")
