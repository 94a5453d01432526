"""What is peculiar to SQS: what it refuses, what it hides, and what it moves by itself."""

from __future__ import annotations

import json
import time
from typing import Any

import anthropic
import pytest
from claxon.later import DeferredCalls, Job, LaterError, NotDeferrable, NotPossible, State, StoreUnavailable
from claxon.later.sqs_parcel import early_receipts
from claxon.later.sqs_store import SqsStore

from tests.client.later.stores import add, connect, make_queue
from tests.client.later.working import Api, arguments, work

pytestmark = pytest.mark.peer("moto")


@pytest.fixture
def sqs(sqs_url: str) -> Any:
    client = connect(sqs_url)
    yield client
    client.close()


def store_of(sqs_url: str, name: str) -> SqsStore:
    return SqsStore(lambda: connect(sqs_url), name=name, wait_s=0)


@pytest.fixture
def name(sqs: Any) -> str:
    return make_queue(sqs)


async def test_a_queue_in_sqs_is_worked_by_url(
    sqs_url: str, name: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 finds its keys itself, here in variables."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    queue = DeferredCalls(f"sqs://{name}?region=eu-west-1&endpoint={sqs_url}")
    api.plan("fails", "400")
    for key in ("works", "fails"):
        queue.defer(**arguments(key), key=key)
    seen: list[Job] = []

    with anthropic.Anthropic(api_key="k", base_url=api.url) as client:
        worked = await work(queue, client, lambda job, _answer: seen.append(job))
    (dead,) = queue.jobs("dead")

    assert (worked.done, worked.dead) == (1, 1)
    assert [job.key for job in seen] == ["works"]
    assert (dead.key, dead.reason.type) == ("fails", "invalid_request_error")
    queue.close()


def test_a_ticket_does_not_claim_to_know_whether_its_key_is_new(sqs_url: str, name: str) -> None:
    store = store_of(sqs_url, name)

    first, second = add(store, "order-17"), add(store, "order-17")

    assert first.new is None
    assert first.id == second.id
    assert len(store.take(lease_s=60, most=10)) == 2  # a standard queue knows no keys


def test_a_fifo_queue_knows_a_key_again(sqs_url: str, sqs: Any) -> None:
    store = store_of(sqs_url, make_queue(sqs, fifo=True))

    add(store, "order-17")
    add(store, "order-17")
    add(store, "order-18")

    assert sorted(lease.job.key for lease in store.take(lease_s=60, most=10)) == ["order-17", "order-18"]


def test_what_a_fifo_queue_cannot_delay_is_received_and_hidden_until_it_is_due(sqs_url: str, sqs: Any) -> None:
    store = store_of(sqs_url, make_queue(sqs, fifo=True))
    add(store, "order-17", after_s=1.2)
    begun = time.time()

    early = store.take(lease_s=60, most=10)
    late: list[Any] = []
    while not late:
        late = store.take(lease_s=60, most=10)

    assert early == []
    assert time.time() - begun >= 1.0
    assert (late[0].job.runs, late[0].job.lost) == (1, 0)


@pytest.mark.parametrize(
    ("due_in_s", "delays", "receipts"),
    [
        (0, True, 0),
        (900, True, 0),
        (1_000, True, 1),
        (44_000, True, 1),
        (50_000, True, 2),
        (0, False, 0),
        (10, False, 1),
        (50_000, False, 2),
    ],
)
def test_receipts_before_a_job_is_due_are_no_runs(due_in_s: float, delays: bool, receipts: int) -> None:
    assert early_receipts(1e9 + due_in_s, sent_at=1e9, delays=delays) == receipts


def test_what_sqs_moved_to_the_dead_letters_itself_is_a_job_there(sqs_url: str, sqs: Any, name: str) -> None:
    """Workers that die at a job never get to bury it; the redrive policy does."""
    store = store_of(sqs_url, name)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    add(store, "order-17")
    for _ in range(10):
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)

    assert store.take(lease_s=60, most=1) == []
    (dead,) = store.jobs(State.DEAD, most=10)
    assert store.retry("order-17") == 1
    (lease,) = store.take(lease_s=60, most=1)

    assert (dead.key, dead.state, str(dead.reason)) == (
        "order-17",
        "dead",
        "lost: received too often, past maxReceiveCount",
    )
    assert (lease.job.key, lease.job.runs) == ("order-17", 1)


def test_a_message_that_is_no_job_harms_nobody(sqs_url: str, sqs: Any, name: str) -> None:
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody="hello")
    store = store_of(sqs_url, name)
    add(store, "order-17")

    assert [lease.job.key for lease in store.take(lease_s=60, most=10)] == ["order-17"]


def test_what_sqs_cannot_tell_is_refused_with_what_can(sqs_url: str, name: str) -> None:
    store = store_of(sqs_url, name)
    ticket = add(store, "order-17")

    for ask in (store.find, store.retry, store.drop):
        with pytest.raises(NotPossible, match="not among the dead letters, and SQS finds nothing elsewhere"):
            ask(ticket.id)
    for state in (None, State.WAITING):
        with pytest.raises(NotPossible, match="SQS does not list what waits: ask for the dead ones, or for stats"):
            store.jobs(state, most=10)
    assert store.purge(older_s=0) == 0
    assert store.stats().waiting == 1


def test_a_job_that_is_too_large_is_refused_before_it_is_sent(sqs_url: str, sqs: Any) -> None:
    store = store_of(sqs_url, make_queue(sqs, MaximumMessageSize="1024"))
    content = json.dumps({"resource": "messages.create", "arguments": {"messages": "x" * 2000}, "context": {}})

    with pytest.raises(NotDeferrable, match=r"a job of 2,\d\d\d bytes: SQS takes 1,024 here: use SQLite or Redis"):
        add(store, content=content.encode())


def test_a_queue_without_dead_letters_or_no_queue_at_all_is_refused(sqs_url: str, sqs: Any) -> None:
    sqs.create_queue(QueueName="bare")

    with pytest.raises(LaterError, match="sqs:bare: no dead-letter queue: give the queue a redrive policy"):
        add(store_of(sqs_url, "bare"))
    with pytest.raises(LaterError, match="sqs:nowhere: no such queue: create it, with a redrive policy"):
        add(store_of(sqs_url, "nowhere"))


def test_where_nobody_answers_the_store_is_unavailable() -> None:
    from botocore.config import Config

    def nowhere() -> Any:
        import boto3

        return boto3.client(
            "sqs",
            endpoint_url="http://127.0.0.1:9",
            region_name="eu-west-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
        )

    with pytest.raises(StoreUnavailable, match=r"sqs:later: .*: see that AWS answers, and what the role may do"):
        add(SqsStore(nowhere, name="later"))


@pytest.mark.parametrize("url", ["sqs:", "sqs://?region=eu-west-1", "sqs://later?regoin=eu-west-1"])
def test_a_url_that_is_not_understood_is_refused(url: str) -> None:
    with pytest.raises(LaterError, match="not understood: give a URL like sqs://shop-later"):
        SqsStore.from_url(url)
