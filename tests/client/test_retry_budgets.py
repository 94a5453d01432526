"""How many retries there may be, what they may cost, and who loops around them."""

from __future__ import annotations

from collections.abc import Callable

import anthropic
import claxon
import pytest
from claxon import CostLimit, Event, Price, Prices, RetryBudget, RetryPolicy, RetryRule, counting
from claxon.budgets import process_budget

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, ask, script
from tests.client.steered import BOTH, client_of, quick


@BOTH
async def test_no_retry_is_made_when_the_budget_is_spent(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    budget = RetryBudget(ratio=0.1, reserve=2)
    async with client_of(kind, fake, [quick(budget=budget)]) as client:
        errors = [await ask(client, "500") for _ in range(3)]

    assert all(isinstance(error, anthropic.InternalServerError) for error in errors)
    assert [event.stopped_by for event in events] == [None, None, "retry_budget", "retry_budget", "retry_budget"]
    assert all(event.exhausted for event in events if event.stopped_by)
    assert claxon.stats().resilience == {"calls": 3, "retries": 2, "retries_denied_by_budget": 3}


async def test_calls_fill_the_budget_that_all_policies_of_a_process_share(fake: FakeClaude) -> None:
    assert quick().budget is quick().budget is process_budget()
    budget = RetryBudget(ratio=0.1, reserve=1)
    assert budget.spend()
    async with client_of("sync", fake, [quick(budget=budget)]) as client:
        for _ in range(9):
            await ask(client, "200")
        assert not budget.spend()
        await ask(client, "200")
        assert budget.spend()


@BOTH
async def test_a_retry_that_helps_costs_the_budget_nothing(kind: str, fake: FakeClaude) -> None:
    """Else a fifth of the requests failing by chance fails a tenth of the calls, which the SDK alone saves."""
    budget = RetryBudget(ratio=0.0, reserve=2)
    async with client_of(kind, fake, [quick(budget=budget)]) as client:
        assert [await ask(client, "500,200") for _ in range(5)] == [None] * 5
        assert budget.left == 2
        assert await ask(client, "500,500,200") is None
        assert budget.left == 1


async def test_a_budget_may_count_every_retry(fake: FakeClaude) -> None:
    budget = RetryBudget(ratio=0.1, reserve=1, gives_back=False)
    async with client_of("sync", fake, [quick(budget=budget)]) as client:
        before = len(fake.seen)
        failed = sum([await ask(client, "500,200") is not None for _ in range(31)])

    assert len(fake.seen) - before == 31 + 31 - failed
    assert 31 - failed == 1 + 3, "the reserve, and one for ten calls"


@BOTH
async def test_no_retry_is_made_that_could_cost_too_much(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    """A refused attempt costs nothing, one that timed out may."""
    prices = Prices({"claude-test": Price(input=0, output=1_000_000)})  # a dollar a token: 64 for each attempt
    async with client_of(kind, fake, [quick(cost=CostLimit(100, prices=prices))]) as client:
        assert await ask(client, "500,500,200") is None
        error = await ask(client, "504,200")

    assert isinstance(error, anthropic.APIStatusError)
    assert events[-1].stopped_by == "cost"
    assert claxon.stats().resilience["retries_denied_by_cost"] == 1


async def test_an_apps_loop_around_retried_calls_is_warned_of_once(
    client: anthropic.Anthropic, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    """Four rounds of three attempts are twelve requests."""
    for _ in range(4):
        await ask(client, "529:retry_after_ms=1")

    assert len(events) == 12
    warned = [record.getMessage() for record in caplog.records if "multiplies" in record.getMessage()]
    assert len(warned) == 1
    assert warned[0].startswith("client/calling.py:")
    assert "3 times" in warned[0]
    assert "9 requests" in warned[0]


async def test_a_worker_of_deferred_calls_is_no_loop(
    client: anthropic.Anthropic, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    with claxon.context(attributes={"deferred": "j1", "run": 2}):
        for _ in range(4):
            await ask(client, "529:retry_after_ms=1")

    assert len(events) == 12
    assert "multiplies" not in caplog.text


async def test_different_calls_that_fail_are_no_loop(
    client: anthropic.Anthropic, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        with pytest.raises(anthropic.OverloadedError):
            client.messages.create(**{**script("529:retry_after_ms=1"), "max_tokens": number + 1})

    assert len(events) == 15
    assert "multiplies" not in caplog.text


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RetryPolicy(most_attempts=0), "RetryPolicy: most_attempts: 0: give a number from 1 to 100"),
        (lambda: RetryPolicy(base_s=-1), "RetryPolicy: base_s: -1:"),
        (lambda: RetryPolicy(rules={"rate_limits": 1}), "RetryPolicy: rules: 'rate_limits': no such category: use one"),
        (lambda: RetryPolicy(rules={"account": 1}), "RetryPolicy: rules: account: cannot be retried"),
        (lambda: RetryRule(retries=-1), "RetryRule: retries: -1:"),
        (lambda: RetryRule(retries=1, within_s=0), "RetryRule: within_s: 0:"),
        (lambda: RetryBudget(ratio=-0.1), "RetryBudget: ratio: -0.1:"),
        (lambda: CostLimit(-1), "CostLimit: most_usd: -1:"),
        (lambda: Price(input=-1, output=0), "Price: input: -1:"),
        (lambda: claxon.deadline(0), "deadline: 0: give seconds above 0"),
    ],
)
def test_a_bad_argument_is_refused_when_the_app_starts(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        make()


def test_prices_are_found_by_all_names_of_a_model() -> None:
    prices = Prices()
    known = ("claude-opus-5-5", "anthropic.claude-opus-5-5", "us.anthropic.claude-opus-5-5-v1:0", "claude-opus-5-5@1")

    assert {prices.of(name) for name in known} == {Price(input=4, output=20, cache_read=0.2)}
    assert prices.of("claude-opus-5") == Price(input=5, output=25)
    assert prices.of("gpt-x") is None
    assert prices.of_request({**ARGUMENTS, "model": "claude-opus-5", "max_tokens": 1_000_000}) == pytest.approx(
        25, abs=0.01
    )
    assert prices.of_usage("claude-opus-5-5", input=1_000_000, output=1_000_000, read=1_000_000) == pytest.approx(24.2)
    assert Prices(extra={"gpt": Price(input=1, output=1)}).of("gpt-x") == Price(input=1, output=1)


def test_a_forked_child_has_a_budget_and_counts_of_its_own() -> None:
    import os

    budget = RetryBudget(reserve=1)
    assert budget.spend()
    counting.count("retries")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if budget.spend() and not counting.counted() else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert not budget.spend()
