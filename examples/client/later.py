"""Calls that fail are deferred, and made when they can be; against a Claude API that fails as it is told to."""

import tempfile

import anthropic
import claxon
from claxon.later import Job, Ticket

from service.demo.fake_claude import FakeClaude

QUESTION = {"model": "claude-opus-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
outage = True


def respond(request: object) -> str:
    """Return how the API answers: overloaded at first, then well, but not to a model that is gone."""
    return "529" if outage else "404" if request.model == "claude-gone" else "200"


def handle(job: Job, answer: anthropic.types.Message) -> None:
    """Take an answer; called at least once for each job, so `job.key` is what the app must know again."""
    print(f"handled {job.key}: {answer.content[0].text}")


with FakeClaude(respond) as fake, tempfile.TemporaryDirectory() as folder:
    client = anthropic.Anthropic(api_key="none", base_url=fake.url, max_retries=0)
    queue = claxon.DeferredCalls(f"sqlite:{folder}/later.db")

    answer = queue.call(client, key="order-17", context={"path": "checkout/summary"}, **QUESTION)
    print("in the outage:", "a ticket" if isinstance(answer, Ticket) else answer.content[0].text)
    print("the same key again is a new job:", queue.defer(key="order-17", **QUESTION).new)
    queue.defer(key="order-18", **{**QUESTION, "model": "claude-gone"})

    outage = False
    worked = queue.work(client, handle, concurrency=1, until_empty=True)
    print(f"{worked.done} done, {worked.dead} dead:", *(f"{job.key} {job.reason.type}" for job in queue.jobs("dead")))
    print(queue.retry_dead(), "driven again;", queue.stats().waiting, "waiting")
