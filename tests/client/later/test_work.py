"""What becomes of a deferred call, by what the API and the app's own function do; sync and async."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import anthropic
import claxon
import pytest
from claxon import Event, counting
from claxon.later import DeferredCalls, Job, Patience, Pauses, State

from tests.client.later.working import Api, Client, arguments, defer, work, work_until


class Handled:
    """Remembers what was handed over."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.jobs: list[Job] = []
        self.answers: list[Any] = []

    def __call__(self, job: Job, answer: Any) -> None:
        self.keys.append(job.key)
        self.jobs.append(job)
        self.answers.append(answer)


@pytest.fixture
def handled() -> Handled:
    return Handled()


async def test_a_deferred_call_is_made_and_its_answer_handed_over(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    ticket = await defer(queue, caller, "hello", key="order-17")

    worked = await work(queue, caller, handled)

    assert (worked.done, worked.again, worked.dead) == (1, 0, 0)
    assert api.seen == ["hello"]
    assert handled.keys == ["order-17"]
    assert handled.answers[0].content[0].text == "Hello!"
    assert queue.find(ticket.id).state == State.DONE
    assert b"hello" not in queue.find(ticket.id).content


async def test_events_say_which_job_and_run_a_call_was_and_what_the_app_said_of_it(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled, events: list[Event]
) -> None:
    api.plan("hello", "529", "200")
    with claxon.context(path="checkout/summary", tenant="acme"):
        ticket = await defer(queue, caller, "hello", context={"app": "shop", "order": 17})

    await work_until(queue, caller, handled, enough=lambda: handled.keys != [])

    said = {"tenant": "acme", "order": "17", "deferred": ticket.id}
    assert [event.category for event in events] == ["overloaded", "ok"]
    assert [(event.app, event.path) for event in events] == [("shop", "checkout/summary")] * 2
    assert [event.attributes for event in events] == [{**said, "run": "1"}, {**said, "run": "2"}]


async def test_the_beta_resource_is_called_where_it_is_named(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    await defer(queue, caller, "hello", resource="beta.messages.create")

    await work(queue, caller, handled)

    assert type(handled.answers[0]).__name__ == "BetaMessage"


@pytest.mark.parametrize("step", ["529", "500", "429:retry_after_ms=1", "408", "409", "reset", "html"])
async def test_what_may_pass_is_run_again_and_each_run_is_one_request(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled, step: str
) -> None:
    """The SDK's own retries are off: they would wait in the worker for what the queue remembers by itself."""
    api.plan("hello", step, step, "200")
    await defer(queue, caller, "hello")

    worked = await work_until(queue, caller, handled, enough=lambda: handled.keys != [])

    assert (worked.done, worked.again, worked.dead) == (1, 2, 0)
    assert len(api.seen) == 3
    assert handled.jobs[0].runs == 3


@pytest.mark.parametrize(
    ("step", "category", "kind"),
    [
        ("400", "invalid_request", "invalid_request_error"),
        ("403", "permission", "permission_error"),
        ("404", "not_found", "not_found_error"),
        ("413", "too_large", "request_too_large"),
    ],
)
async def test_what_cannot_pass_goes_to_the_dead_letters_at_once_with_its_reason(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled, step: str, category: str, kind: str
) -> None:
    api.plan("hello", f"{step}:message=the prompt was hello")
    ticket = await defer(queue, caller, "hello")

    worked = await work(queue, caller, handled)

    reason = queue.find(ticket.id).reason
    assert (worked.dead, len(api.seen), handled.keys) == (1, 1, [])
    assert (reason.category, reason.type, reason.status, reason.limit) == (category, kind, int(step), None)
    assert reason.request_id.startswith("req_")
    assert "hello" not in str(reason)


async def test_after_its_last_run_a_job_is_dead_and_driven_again_it_is_done(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    api.plan("hello", "529")
    ticket = await defer(queue, caller, "hello")
    three = Patience(first_s=0.001, most_runs=3)

    await work_until(queue, caller, handled, enough=lambda: queue.stats().dead == 1, patience=three)
    dead = queue.find(ticket.id)
    api.plan("hello", "200")
    queue.retry(ticket.id)
    await work(queue, caller, handled, patience=three)

    assert (dead.runs, dead.reason.category, dead.reason.limit) == (3, "overloaded", "most_runs")
    assert queue.find(ticket.id).state == State.DONE
    assert handled.jobs[0].runs == 1


async def test_retry_after_is_obeyed_however_short_the_own_backoff_is(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    api.plan("hello", "429:retry_after=90")
    ticket = await defer(queue, caller, "hello")

    worked = await work(queue, caller, handled)

    job = queue.find(ticket.id)
    assert worked.again == 1
    assert 89 < job.due_at - time.time() <= 90.5


async def test_a_job_that_would_be_due_too_late_is_given_up_instead(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    api.plan("hello", "429:retry_after=3600")
    ticket = await defer(queue, caller, "hello")

    await work(queue, caller, handled, patience=Patience(most_age_s=600))

    assert queue.find(ticket.id).reason.limit == "most_age_s"


@pytest.mark.parametrize("step", ["401", "402", "429:error_code=enforced_spend_limit_reached"])
async def test_a_refused_key_or_account_pauses_the_worker_and_no_job_pays_for_it(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled, step: str
) -> None:
    for number in range(40):
        api.plan(f"prompt {number}", step)
        await defer(queue, caller, f"prompt {number}")

    worked = await work(queue, caller, handled, concurrency=4, patience=Patience(most_runs=2))
    asked = len(api.seen)
    for number in range(40):
        api.plan(f"prompt {number}", "200")
    after = await work(queue, caller, handled)

    assert 1 <= asked <= 4
    assert (worked.blocked, worked.dead, worked.again) == (asked, 0, 0)
    assert (after.done, after.dead) == (40, 0)
    assert {job.runs for job in handled.jobs} == {1}


async def test_a_paused_worker_goes_on_by_itself_and_says_why_it_paused(
    queue: DeferredCalls, caller: Client, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.plan("hello", "401", "401", "200")
    await defer(queue, caller, "hello")

    with caplog.at_level(logging.WARNING, "claxon"):
        worked = await work(queue, caller, lambda _job, _answer: queue.stop(), until_empty=False, concurrency=1)

    said = [text for record in caplog.records if "pausing" in (text := record.getMessage())]
    assert (worked.blocked, worked.done) == (2, 1)
    assert len(said) == 2
    assert said[0].startswith("later: authentication: no call can succeed: pausing for 0.0 s. The API key was rejected")


async def test_in_an_outage_the_worker_pauses_instead_of_running_every_job_in_vain(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    """Each job backs off by itself; but a thousand jobs would be a thousand calls to an API that is down."""
    for number in range(60):
        api.plan(f"prompt {number}", "529")
        await defer(queue, caller, f"prompt {number}")
    stop = threading.Timer(0.3, queue.stop)
    stop.start()

    slow = Patience(first_s=100, most_s=100)
    await work(queue, caller, handled, until_empty=False, concurrency=4, pauses=Pauses(failing_s=30), patience=slow)

    assert 5 <= len(api.seen) <= 8
    stop.join()


async def test_a_handle_that_raises_gets_the_job_again_with_the_same_key(
    queue: DeferredCalls, caller: Client, api: Api
) -> None:
    await defer(queue, caller, "hello", key="order-17")
    seen: list[tuple[str, int]] = []

    def handle(job: Job, _answer: object) -> None:
        seen.append((job.key, job.runs))
        if len(seen) < 3:
            raise OSError("the app's database is away: hello")

    worked = await work_until(queue, caller, handle, enough=lambda: len(seen) == 3)

    assert seen == [("order-17", 1), ("order-17", 2), ("order-17", 3)]
    assert (worked.done, worked.again) == (1, 2)


async def test_a_handle_that_always_raises_ends_in_a_dead_letter_that_names_its_exception(
    queue: DeferredCalls, caller: Client, api: Api
) -> None:
    ticket = await defer(queue, caller, "hello")

    def handle(_job: Job, _answer: object) -> None:
        raise OSError("hello")

    await work_until(
        queue, caller, handle, enough=lambda: queue.stats().dead == 1, patience=Patience(first_s=0.001, most_runs=2)
    )

    assert str(queue.find(ticket.id).reason) == "handle: OSError, past most_runs"


async def test_as_many_jobs_run_at_once_as_may(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    for number in range(8):
        api.plan(f"prompt {number}", "200:delay=0.15")
        await defer(queue, caller, f"prompt {number}")

    begun = time.monotonic()
    worked = await work(queue, caller, handled, concurrency=8)

    assert worked.done == 8
    assert time.monotonic() - begun < 0.9  # one after another they take 1.2 s


async def test_a_long_call_keeps_its_lease(queue: DeferredCalls, caller: Client, api: Api, handled: Handled) -> None:
    api.plan("hello", "200:delay=0.6")
    ticket = await defer(queue, caller, "hello")

    worked = await work(queue, caller, handled, lease_s=0.15)

    assert (worked.done, worked.lost) == (1, 0)
    assert queue.find(ticket.id).lost == 0


async def test_a_stopped_worker_finishes_what_runs_and_takes_nothing_more(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    for number in range(4):
        api.plan(f"prompt {number}", "200:delay=0.2")
        await defer(queue, caller, f"prompt {number}")
    stop = threading.Timer(0.1, queue.stop)
    stop.start()

    worked = await work(queue, caller, handled, until_empty=False, concurrency=2)

    assert (worked.done, worked.released) == (2, 0)
    assert queue.stats().waiting == 2
    stop.join()


async def test_a_stopped_worker_gives_back_what_does_not_end_in_time_and_it_can_run_at_once(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    api.plan("hello", "200:delay=1.5", "200")
    await defer(queue, caller, "hello")
    stop = threading.Timer(0.15, queue.stop)
    stop.start()

    worked = await work(queue, caller, handled, until_empty=False, grace_s=0.05)
    after = queue.stats()
    again = await work(queue, caller, handled)

    assert (worked.done, worked.released) == (0, 1)
    assert (after.waiting, after.running) == (1, 0)
    assert again.done == 1
    assert handled.jobs[-1].runs == 1
    stop.join()


async def test_a_job_whose_runs_end_without_a_word_is_given_up_as_it_seems_to_kill_its_worker(
    queue: DeferredCalls, caller: Client, api: Api, handled: Handled
) -> None:
    ticket = await defer(queue, caller, "hello")
    for _ in range(3):  # what three killed workers leave behind
        (lease,) = queue.store.take(lease_s=0.0, most=1)
    assert lease.job.lost == 2

    worked = await work(queue, caller, handled, patience=Patience(most_lost=3))

    assert (worked.dead, api.seen) == (1, [])
    assert str(queue.find(ticket.id).reason) == "lost: lease ran out, past most_lost"


async def test_what_the_queue_did_is_counted(queue: DeferredCalls, caller: Client, api: Api, handled: Handled) -> None:
    counting.forget()
    api.plan("bad", "400")
    await defer(queue, caller, "hello", key="one")
    await defer(queue, caller, "hello", key="one")
    await defer(queue, caller, "bad")

    await work(queue, caller, handled)

    counted = counting.counted()
    assert {name: counted[name] for name in counted if name.startswith("deferred")} == {
        "deferred": 2,
        "deferred_done": 1,
        "deferred_dead": 1,
    }


async def test_a_coroutine_may_handle(queue: DeferredCalls, api: Api) -> None:
    seen = []

    async def handle(job: Job, _answer: object) -> None:
        seen.append(job.key)

    async with anthropic.AsyncAnthropic(api_key="k", base_url=api.url) as client:
        await queue.adefer(model="m", max_tokens=1, messages=[{"role": "user", "content": "hello"}], key="a")
        await work(queue, client, handle)

    assert seen == ["a"]


async def test_a_handle_that_ends_the_process_ends_the_worker_and_its_job_runs_again(
    queue: DeferredCalls, api: Api, handled: Handled
) -> None:
    with anthropic.Anthropic(api_key="k", base_url=api.url) as client:
        await defer(queue, client, "hello")

        def handle(_job: Job, _answer: object) -> None:
            raise SystemExit(3)

        with pytest.raises(SystemExit):
            await work(queue, client, handle)
        await work(queue, client, handled)

    assert len(handled.keys) == 1


async def test_a_worker_waits_for_jobs_that_are_not_due_yet(queue: DeferredCalls, caller: Client, api: Api) -> None:
    await defer(queue, caller, "hello", after_s=0.15)
    begun = time.monotonic()

    await work(queue, caller, lambda _job, _answer: queue.stop(), until_empty=False)

    assert time.monotonic() - begun >= 0.15


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"concurrency": 0}, "work: concurrency: 0: give a number above 0"),
        ({"lease_s": -1}, "work: lease_s: -1: give a number above 0"),
        ({"grace_s": -1}, "work: grace_s: -1: give seconds from 0"),
    ],
)
async def test_settings_that_make_no_sense_are_refused_at_once(
    queue: DeferredCalls, caller: Client, handled: Handled, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        await work(queue, caller, handled, **settings)


async def test_a_cancelled_worker_gives_its_jobs_back_at_once(queue: DeferredCalls, api: Api, handled: Handled) -> None:
    entered = asyncio.Event()

    async def handle(_job: Job, _answer: object) -> None:
        entered.set()
        await asyncio.sleep(30)

    async with anthropic.AsyncAnthropic(api_key="k", base_url=api.url) as client:
        await defer(queue, client, "hello", key="order-17")
        worker = asyncio.create_task(work(queue, client, handle, until_empty=False))
        await entered.wait()
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
        after = queue.stats()
        await work(queue, client, handled)

    assert (after.waiting, after.running) == (1, 0)
    assert [(job.key, job.runs) for job in handled.jobs] == [("order-17", 1)]


async def test_a_client_of_the_other_kind_is_refused(queue: DeferredCalls, caller: Client, handled: Handled) -> None:
    prompt, said = arguments("hello"), r"use a?(work|call), or an? (a?)sync client"

    if isinstance(caller, anthropic.AsyncAnthropic):
        with pytest.raises(TypeError, match=said):
            queue.work(caller, handled)
        with pytest.raises(TypeError, match=said):
            queue.call(caller, **prompt)
    else:
        with pytest.raises(TypeError, match=said):
            await queue.awork(caller, handled)
        with pytest.raises(TypeError, match=said):
            await queue.acall(caller, **prompt)
