"""Fallbacks: when a model is out of order for good, the next one is asked, and all that is said of it is true."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import claxon
import httpx2
import pytest
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext, Middleware
from anthropic.lib.middleware import BetaFallbackState, BetaRefusalFallbackMiddleware
from claxon import Category, Event, Fallback, Fallbacks
from claxon.counting import counted

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS
from tests.client.steered import BOTH, client_of, quick

FIRST, SECOND, THIRD = "claude-first", "claude-second", "claude-third"
SOON = "retry_after_ms=1"


class Api(FakeClaude):
    """A fake API that does as is said of each model."""

    def __init__(self) -> None:
        super().__init__(lambda request: self.steps.get(request.model))
        self.steps: dict[str, str] = {}

    @property
    def asked(self) -> list[str]:
        """The models asked, in order."""
        return [request.model for request in self.seen]


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as server:
        yield server


async def ask(client: Any, **more: Any) -> Any:
    """Return the answer, or what was raised."""
    try:
        made = client.messages.create(**{**ARGUMENTS, "model": FIRST, **more})
        return await made if isinstance(client, anthropic.AsyncAnthropic) else made
    except anthropic.AnthropicError as error:
        return error


HELPED = ["429", "529", "500", "503", "504", "429:error_code=ramp_limit_exceeded"]
NOT_HELPED = {
    "429:error_code=enforced_spend_limit_reached": anthropic.EnforcedSpendLimitReachedError,
    "402": anthropic.PaymentRequiredError,
    "401": anthropic.AuthenticationError,
    "403": anthropic.PermissionDeniedError,
    "400": anthropic.BadRequestError,
    "404": anthropic.NotFoundError,
    "413": anthropic.ContentTooLargeError,
    "reset": anthropic.APIConnectionError,
}


@BOTH
@pytest.mark.parametrize("step", HELPED)
async def test_the_next_model_answers_for_one_that_is_out_of_order(
    step: str, kind: str, api: Api, events: list[Event]
) -> None:
    api.steps = {FIRST: step}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        message = await ask(client)

    marks = claxon.marks(message)
    assert message.model == SECOND
    assert (marks.model, marks.fallback_from, marks.attempts) == (SECOND, (FIRST,), 2)
    assert [(event.model, event.final, event.exhausted, event.fallback_from) for event in events] == [
        (FIRST, False, False, None),
        (SECOND, True, False, FIRST),
    ]
    assert len({event.call_id for event in events}) == 1
    assert counted()["fallbacks"] == 1


@BOTH
@pytest.mark.parametrize(("step", "expected"), NOT_HELPED.items())
async def test_what_another_model_would_meet_too_is_given_to_the_app(
    step: str, expected: type[Exception], kind: str, api: Api, events: list[Event]
) -> None:
    """A spend limit, a key, a bad request: another model of the same account meets the same."""
    api.steps = {FIRST: step}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        error = await ask(client)

    assert isinstance(error, expected)
    assert api.asked == [FIRST]
    assert [event.final for event in events] == [True]
    assert counted().get("fallbacks") is None


@BOTH
@pytest.mark.parametrize(("step", "cause"), [("reset", "connection"), ("404", "not_found"), ("hang", "timeout")])
async def test_an_app_may_ask_for_another_model_for_more(step: str, cause: str, kind: str, api: Api) -> None:
    api.steps = {FIRST: "429:delay=0.5" if step == "hang" else step}
    async with client_of(kind, api, [Fallbacks(SECOND, on=[cause])], timeout=0.1) as client:
        message = await ask(client)

    assert message.model == SECOND


@BOTH
async def test_only_the_last_try_of_the_sdks_own_loop_is_answered_by_another_model(
    kind: str, api: Api, events: list[Event]
) -> None:
    api.steps = {FIRST: f"529:{SOON}"}
    async with client_of(kind, api, [Fallbacks(SECOND)], max_retries=2) as client:
        message = await ask(client)

    assert api.asked == [FIRST, FIRST, FIRST, SECOND]
    assert claxon.marks(message).attempts == 4
    assert [(event.attempt, event.final) for event in events] == [(1, False), (2, False), (3, False), (4, True)]


@BOTH
async def test_what_the_sdk_will_not_retry_is_final_at_once(kind: str, api: Api) -> None:
    api.steps = {FIRST: "500:should_retry=false"}
    async with client_of(kind, api, [Fallbacks(SECOND)], max_retries=2) as client:
        await ask(client)

    assert api.asked == [FIRST, SECOND]


@BOTH
async def test_a_bound_of_one_call_counts_for_its_last_try(kind: str, api: Api) -> None:
    """The client's own is 2; the copy's is 0, and nobody observes it."""
    api.steps = {FIRST: "529"}
    async with client_of(kind, api, [Fallbacks(SECOND)], max_retries=2) as client:
        await ask(client.with_options(max_retries=0))

    assert api.asked == [FIRST, SECOND]


@BOTH
async def test_a_retry_policy_inside_ends_before_another_model_is_asked(
    kind: str, api: Api, events: list[Event]
) -> None:
    """And the next model has a course of retries of its own."""
    api.steps = {FIRST: "529"}
    async with client_of(kind, api, [Fallbacks(SECOND), quick(most_attempts=3)]) as client:
        api.steps[SECOND] = "500"
        api.respond = lambda request: (
            "200" if request.model == SECOND and api.asked.count(SECOND) == 2 else api.steps.get(request.model)
        )
        message = await ask(client)

    assert api.asked == [FIRST, FIRST, FIRST, SECOND, SECOND]
    assert claxon.marks(message).attempts == 5
    assert [(event.attempt, event.model, event.final, event.fallback_from) for event in events] == [
        (1, FIRST, False, None),
        (2, FIRST, False, None),
        (3, FIRST, False, None),
        (4, SECOND, False, FIRST),
        (5, SECOND, True, FIRST),
    ]


@BOTH
async def test_a_retry_policy_outside_tries_the_whole_chain_again(kind: str, api: Api, events: list[Event]) -> None:
    api.steps = {FIRST: "529", SECOND: "529"}
    async with client_of(kind, api, [quick(most_attempts=2), Fallbacks(SECOND)]) as client:
        error = await ask(client)

    assert isinstance(error, anthropic.OverloadedError)
    assert api.asked == [FIRST, SECOND, FIRST, SECOND]
    assert [event.fallback_from for event in events] == [None, FIRST, None, FIRST]


@BOTH
@pytest.mark.parametrize("step", ["529", "reset"])
async def test_the_sdks_loop_around_a_policy_asks_no_model_twice(step: str, kind: str, api: Api) -> None:
    """A client whose max_retries was left as it is: neither retries nor hops are multiplied."""
    api.steps = {FIRST: step, SECOND: step}
    chain = [Fallbacks(SECOND, on=["overloaded", "connection"]), quick(most_attempts=2)]
    async with client_of(kind, api, chain, max_retries=1) as client:
        error = await ask(client)

    assert isinstance(error, anthropic.OverloadedError if step == "529" else anthropic.APIConnectionError)
    assert api.asked == [FIRST, FIRST, SECOND, SECOND]
    assert counted()["fallbacks"] == 1


@BOTH
async def test_a_parked_call_is_answered_by_another_model(kind: str, api: Api, events: list[Event]) -> None:
    api.steps = {FIRST: "429:retry_after=3600"}
    async with client_of(kind, api, [Fallbacks(SECOND), quick(most_retry_after_s=10)]) as client:
        message = await ask(client)

    assert message.model == SECOND
    assert [(event.model, event.final, event.stopped_by) for event in events] == [
        (FIRST, False, None),
        (SECOND, True, None),
    ]


class Open(Middleware):
    """A breaker that is open for one model."""

    def __init__(self, model: str, category: Category = Category.OVERLOADED) -> None:
        self.model = model
        self.category = category

    def _check(self, request: APIRequest) -> None:
        body = request.json
        assert isinstance(body, dict)
        if body["model"] == self.model:
            raise claxon.CircuitOpen(
                httpx2.Request("POST", "http://api/v1/messages"),
                model=self.model,
                app="shop",
                retry_in_s=5,
                category=self.category,
            )

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        self._check(request)
        return call_next(request)

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        self._check(request)
        return await call_next(request)


@BOTH
@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("policy", [True, False])
async def test_an_open_circuit_is_passed_by_without_a_request(policy: bool, retries: int, kind: str, api: Api) -> None:
    middleware = [Fallbacks(SECOND), *([quick()] if policy else []), Open(FIRST)]
    async with client_of(kind, api, middleware, max_retries=retries) as client:
        message = await ask(client)

    assert api.asked == [SECOND]
    assert claxon.marks(message).fallback_from == (FIRST,)


@BOTH
async def test_when_all_models_fail_the_app_gets_the_first_failure(kind: str, api: Api, events: list[Event]) -> None:
    """It asked that model, and its handler knows that error."""
    api.steps = {FIRST: "429:retry_after=7", SECOND: "529", THIRD: "500"}
    async with client_of(kind, api, [Fallbacks(SECOND, THIRD)]) as client:
        error = await ask(client)

    marks = claxon.marks(error)
    assert isinstance(error, anthropic.RateLimitError)
    assert error.response.headers["retry-after"] == "7"
    assert (marks.model, marks.fallback_from, marks.attempts) == (THIRD, (FIRST, SECOND), 3)
    assert [(event.model, event.final, event.exhausted) for event in events] == [
        (FIRST, False, False),
        (SECOND, False, False),
        (THIRD, True, True),
    ]


@BOTH
async def test_an_error_of_ours_stays_what_it_is_and_names_the_others(kind: str, api: Api) -> None:
    api.steps = {FIRST: "529:retry_after=3600", SECOND: "500"}
    async with client_of(kind, api, [Fallbacks(SECOND), quick(most_attempts=1, most_retry_after_s=1)]) as client:
        error = await ask(client)
    async with client_of(kind, api, [Fallbacks(SECOND), quick(most_retry_after_s=1)]) as client:
        parked = await ask(client)

    assert isinstance(error, anthropic.OverloadedError)
    assert isinstance(parked, claxon.CallParked)
    assert isinstance(parked, anthropic.OverloadedError)
    assert parked.__notes__ == [f"claxon.Fallbacks: {SECOND}: 500 api_error"]


@BOTH
async def test_a_hop_patches_the_first_request_and_never_a_hops(kind: str, api: Api) -> None:
    def shorter(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "messages": body["messages"][-1:]}

    api.steps = {FIRST: "529", SECOND: "529"}
    chain = [
        Fallback(SECOND, max_tokens=32, thinking=None, temperature=0.5, headers={"anthropic-beta": None, "x-hop": "1"}),
        Fallback(THIRD, patch=shorter),
    ]
    messages = [{"role": "user", "content": text} for text in ("One", "Two")]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    async with client_of(kind, api, [Fallbacks(*chain)]) as client:
        await ask(client, messages=messages, thinking=thinking, extra_headers={"anthropic-beta": "long"})

    first, second, third = api.seen
    assert (first.body["max_tokens"], second.body["max_tokens"], third.body["max_tokens"]) == (64, 32, 64)
    assert "thinking" not in second.body
    assert second.body["temperature"] == 0.5
    assert third.body["thinking"] == thinking
    assert "temperature" not in third.body
    assert [len(request.body["messages"]) for request in api.seen] == [2, 2, 1]
    assert [request.headers.get("anthropic-beta") for request in api.seen] == ["long", None, "long"]
    assert [request.headers.get("x-hop") for request in api.seen] == [None, "1", None]


@BOTH
async def test_a_patch_outranks_extra_body(kind: str, api: Api) -> None:
    api.steps = {FIRST: "529"}
    async with client_of(kind, api, [Fallbacks(Fallback(SECOND, top_k=None))]) as client:
        await ask(client, extra_body={"top_k": 5, "future": True})

    assert (api.seen[0].body["top_k"], api.seen[0].body["future"]) == (5, True)
    assert "top_k" not in api.seen[1].body
    assert api.seen[1].body["future"] is True


@BOTH
async def test_a_patch_that_fails_is_told_and_its_model_passed_by(
    kind: str, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.steps = {FIRST: "529"}
    broken = [
        Fallback(SECOND, patch=lambda body: {}[body["model"]]),
        Fallback("claude-list", patch=lambda body: [body]),  # type: ignore[arg-type,return-value]
    ]
    with caplog.at_level(logging.WARNING, "claxon"):
        async with client_of(kind, api, [Fallbacks(*broken, THIRD)]) as client:
            message = await ask(client)

    assert message.model == THIRD
    assert api.asked == [FIRST, THIRD]
    assert [record.message.split(":")[1] for record in caplog.records] == [f" {SECOND}", " claude-list"]


@BOTH
async def test_a_hop_that_is_refused_for_its_request_is_passed_by_and_told(
    kind: str, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """A parameter that this model does not know: the next may."""
    api.steps = {FIRST: "529", SECOND: "400"}
    with caplog.at_level(logging.WARNING, "claxon"):
        async with client_of(kind, api, [Fallbacks(SECOND, THIRD)]) as client:
            message = await ask(client)

    assert message.model == THIRD
    assert claxon.marks(message).fallback_from == (FIRST, SECOND)
    assert f"Fallbacks: {SECOND}: 400 invalid_request_error" in caplog.text


@BOTH
@pytest.mark.parametrize("step", ["401", "429:error_code=enforced_spend_limit_reached"])
async def test_a_hop_that_meets_a_blocked_account_is_the_last(step: str, kind: str, api: Api) -> None:
    api.steps = {FIRST: "529", SECOND: step}
    async with client_of(kind, api, [Fallbacks(SECOND, THIRD)]) as client:
        error = await ask(client)

    assert isinstance(error, anthropic.OverloadedError)
    assert api.asked == [FIRST, SECOND]


@BOTH
async def test_a_call_to_a_model_of_the_chain_goes_on_from_its_place(kind: str, api: Api) -> None:
    api.steps = {FIRST: "529", SECOND: "529", THIRD: "529"}
    async with client_of(kind, api, [Fallbacks(FIRST, SECOND, THIRD)]) as client:
        await ask(client, model=SECOND)
        await ask(client, model=THIRD)

    assert api.asked == [SECOND, THIRD, THIRD]


@BOTH
async def test_each_model_may_have_a_chain_of_its_own(kind: str, api: Api) -> None:
    chains: dict[str, Any] = {FIRST: Fallback(THIRD, max_tokens=8), "claude-alone": []}
    api.steps = {FIRST: "529", "claude-alone": "529", "claude-other": "529"}
    async with client_of(kind, api, [Fallbacks(SECOND, chains=chains)]) as client:
        for model in (FIRST, "claude-alone", "claude-other"):
            await ask(client, model=model)

    assert api.asked == [FIRST, THIRD, "claude-alone", "claude-other", SECOND]


@BOTH
async def test_no_other_model_is_asked_after_the_deadline(kind: str, api: Api, events: list[Event]) -> None:
    api.steps = {FIRST: "529:delay=0.1"}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        with claxon.deadline(0.05):
            error = await ask(client)

    assert isinstance(error, anthropic.OverloadedError)
    assert claxon.marks(error).stopped_by == "deadline"
    assert api.asked == [FIRST]
    assert [(event.final, event.stopped_by) for event in events] == [(True, "deadline")]


@BOTH
async def test_a_policys_own_deadline_ends_the_chain_with_the_first_failure(
    kind: str, api: Api, events: list[Event]
) -> None:
    """The next model is not asked, and says so; its `DeadlineExceeded` would hide why the first one failed."""
    api.steps = {FIRST: "529"}
    policy = quick(most_attempts=1, deadline_s=100, clock=lambda: time.perf_counter() + (1000 if api.seen else 0))
    async with client_of(kind, api, [Fallbacks(SECOND, THIRD), policy]) as client:
        error = await ask(client)

    assert isinstance(error, anthropic.OverloadedError)
    assert api.asked == [FIRST]
    assert [(event.model, event.error_type, event.final) for event in events] == [
        (FIRST, "overloaded_error", False),
        (SECOND, "DeadlineExceeded", True),
    ]


async def read(client: Any, **more: Any) -> Any:
    """Stream an answer to its end, and return it."""
    arguments = {**ARGUMENTS, "model": FIRST, **more}
    if isinstance(client, anthropic.AsyncAnthropic):
        async with client.messages.stream(**arguments) as stream:
            return claxon.marks(stream), await stream.get_final_message()
    with client.messages.stream(**arguments) as stream:
        return claxon.marks(stream), stream.get_final_message()


@BOTH
async def test_a_stream_hops_before_its_headers_have_come(kind: str, api: Api, events: list[Event]) -> None:
    api.steps = {FIRST: "529"}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        marks, message = await read(client)

    assert (message.model, marks.model, marks.fallback_from) == (SECOND, SECOND, (FIRST,))
    assert [(event.model, event.stream_end, event.fallback_from) for event in events] == [
        (FIRST, None, None),
        (SECOND, "complete", FIRST),
    ]


@BOTH
async def test_an_error_inside_a_stream_is_no_hop(kind: str, api: Api) -> None:
    """The reader has half an answer of another model by then."""
    api.steps = {FIRST: "stream-error"}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        with pytest.raises(anthropic.APIStatusError):
            await read(client)

    assert api.asked == [FIRST]


@BOTH
async def test_a_partial_answer_says_which_model_served(kind: str, api: Api) -> None:
    api.steps = {FIRST: "529", SECOND: "stream-cut"}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        stream = client.messages.stream(**{**ARGUMENTS, "model": FIRST})  # type: ignore[misc]
        if isinstance(client, anthropic.AsyncAnthropic):
            answer = await claxon.aread_stream(stream)  # type: ignore[arg-type]
        else:
            answer = claxon.read_stream(stream)  # type: ignore[arg-type]

    assert answer.message is not None
    assert (answer.message.model, answer.text) == (SECOND, "Hel")
    assert claxon.marks(answer.message).fallback_from == (FIRST,)


@BOTH
async def test_raw_responses_are_marked_too(kind: str, api: Api) -> None:
    api.steps = {FIRST: "529"}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        made = client.messages.with_raw_response.create(**{**ARGUMENTS, "model": FIRST})
        raw: Any = await made if isinstance(client, anthropic.AsyncAnthropic) else made  # type: ignore[misc]

    assert claxon.marks(raw).model == SECOND


@BOTH
async def test_the_beta_surface_hops_as_the_other_does(kind: str, api: Api) -> None:
    api.steps = {FIRST: "529"}
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        made = client.beta.messages.create(**{**ARGUMENTS, "model": FIRST, "betas": ["x-2026-01-01"]})
        message: Any = await made if isinstance(client, anthropic.AsyncAnthropic) else made  # type: ignore[misc]

    assert message.model == SECOND
    assert [request.headers["anthropic-beta"] for request in api.seen] == ["x-2026-01-01"] * 2


def test_bedrock_is_asked_for_the_models_as_it_names_them(api: Api, events: list[Event]) -> None:
    first, second = "eu.anthropic.claude-first-v1:0", "eu.anthropic.claude-second-v1:0"
    api.respond = lambda request: "529" if "first" in request.path else None
    client = anthropic.AnthropicBedrock(
        api_key="x", aws_region="x", base_url=api.url, max_retries=0, middleware=[Fallbacks(second)]
    )
    with client:
        client.messages.create(**{**ARGUMENTS, "model": first})

    assert [request.path for request in api.seen] == [f"/model/{name}/invoke" for name in (first, second)]
    assert [event.model for event in events] == [first, second]


@BOTH
async def test_other_requests_pass_through(kind: str, api: Api) -> None:
    api.respond = lambda request: "529"
    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        counting: dict[str, Any] = {"model": FIRST, "messages": ARGUMENTS["messages"]}

        async def count_tokens() -> None:
            made = client.messages.count_tokens(**counting)
            if isinstance(client, anthropic.AsyncAnthropic):
                await made  # type: ignore[misc]

        with pytest.raises(anthropic.OverloadedError):
            await count_tokens()

    assert [request.path for request in api.seen] == ["/v1/messages/count_tokens"]


REFUSAL_CHAIN: Any = [{"model": "claude-lenient"}]
ORDERS = {
    "fallbacks outside": lambda: [Fallbacks(SECOND), BetaRefusalFallbackMiddleware(REFUSAL_CHAIN)],
    "fallbacks inside": lambda: [BetaRefusalFallbackMiddleware(REFUSAL_CHAIN), Fallbacks(SECOND)],
}


async def ask_beta(client: Any, *, stream: bool) -> Any:
    arguments: dict[str, Any] = {**ARGUMENTS, "model": FIRST}
    with BetaFallbackState():
        if isinstance(client, anthropic.AsyncAnthropic):
            if not stream:
                return await client.beta.messages.create(**arguments)
            async with client.beta.messages.stream(**arguments) as asynchronous:
                return await asynchronous.get_final_message()
        if not stream:
            return client.beta.messages.create(**arguments)
        with client.beta.messages.stream(**arguments) as synchronous:
            return synchronous.get_final_message()


@BOTH
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("order", ORDERS)
async def test_refusals_stay_with_the_sdks_own_middleware_in_either_order(
    order: str, stream: bool, kind: str, api: Api
) -> None:
    """Overloaded: ours hops. Refused by the next: the SDK's does. A refusal alone: the SDK's alone."""
    async with client_of(kind, api, ORDERS[order]()) as client:
        api.steps = {FIRST: "529", SECOND: "refusal:blocks="}
        both = await ask_beta(client, stream=stream)
        api.steps = {FIRST: "refusal:blocks="}
        refused = await ask_beta(client, stream=stream)
        api.steps = {FIRST: "529"}
        overloaded = await ask_beta(client, stream=stream)

    assert (both.model, refused.model, overloaded.model) == ("claude-lenient", "claude-lenient", SECOND)
    assert api.asked == [FIRST, SECOND, "claude-lenient", FIRST, "claude-lenient", FIRST, SECOND]


async def test_a_refusal_is_an_answer(api: Api) -> None:
    api.steps = {FIRST: "refusal"}
    async with client_of("sync", api, [Fallbacks(SECOND)]) as client:
        message = await ask(client)

    assert message.stop_reason == "refusal"
    assert api.asked == [FIRST]


async def test_a_cancelled_call_asks_no_other_model(api: Api) -> None:
    api.steps = {FIRST: "529:delay=0.3"}
    async with client_of("async", api, [Fallbacks(SECOND)]) as client:
        task = asyncio.create_task(ask(client))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert api.asked == [FIRST]


async def test_a_client_that_is_watched_numbers_the_hops_of_one_call(api: Api, events: list[Event]) -> None:
    claxon.uninstrument()
    api.steps = {FIRST: "529"}
    async with client_of("sync", api, [Fallbacks(SECOND)], max_retries=1) as client:
        api.steps = {FIRST: f"529:{SOON}"}
        await ask(claxon.watch(client, url=""))

    assert [(event.attempt, event.model, event.final) for event in events] == [
        (1, FIRST, False),
        (2, FIRST, False),
        (3, SECOND, True),
    ]
    assert len({event.call_id for event in events}) == 1


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Fallbacks(), "Fallbacks: chain: empty: name the models"),
        (lambda: Fallbacks(chains={FIRST: []}), "Fallbacks: chain: empty: name the models"),
        (lambda: Fallbacks(SECOND, on=["account"]), "Fallbacks: on: 'account': another model does not help"),
        (lambda: Fallbacks(SECOND, on=["authentication"]), r"The API key was rejected"),
        (lambda: Fallbacks(SECOND, on=["nonsense"]), "Fallbacks: on: 'nonsense'"),
        (lambda: Fallbacks(""), "Fallback: model: '': give the name"),
        (lambda: Fallback(SECOND, stream=True), "Fallback: stream: True: leave it out"),
        (lambda: Fallback(SECOND, model=THIRD), "Fallback: model: 'claude-third': leave it out"),
    ],
)
def test_a_chain_that_makes_no_sense_is_refused_at_once(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


FAULTS = [
    "claxon.fallbacks.is_call_for_answer",
    "claxon.fallbacks.marks",
    "claxon.fallbacks.current_deadline",
    "claxon.fallbacks.count",
    "claxon.fallbacks.absorbed",
    "claxon.fallbacks.was_last",
    "claxon.fallback_chain.altered",
    "claxon.marking.replace",
]


@BOTH
@pytest.mark.parametrize("place", FAULTS)
async def test_a_fault_of_ours_costs_the_app_neither_answer_nor_error(
    place: str, kind: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError("ours")

    async with client_of(kind, api, [Fallbacks(SECOND)]) as client:
        monkeypatch.setattr(place, fail)
        answer = await ask(client)
        api.steps = {FIRST: "529", SECOND: "500"}
        error = await ask(client)

    assert answer.model == FIRST
    assert isinstance(error, anthropic.OverloadedError)


def test_a_chain_says_what_it_does() -> None:
    chain = Fallbacks(SECOND, THIRD, chains={FIRST: THIRD})

    assert chain.describe() == (
        "the next model when a call fails for good (rate_limit, server, overloaded): "
        "claude-first > claude-third; claude-second > claude-third"
    )
