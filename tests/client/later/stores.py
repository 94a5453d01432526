"""stores: the places where jobs are kept, each with a clock that tests wind, for one suite that all must pass."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import redis
from claxon.later import Store, Ticket
from claxon.later.redis_store import RedisStore
from claxon.later.sqlite_store import SqliteStore
from claxon.later.sqs_store import SqsStore

KEEP_S = 3600.0
CONTENT = b'{"resource":"messages.create","arguments":{"model":"m","max_tokens":1,"messages":[]},"context":{}}'


class Clock:
    """Unix seconds, wound by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def wind(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A store under test.

    Attributes:
        wind: Lets time pass, as the store sees it.
        again: Opens the same place once more, as another process would.
    """

    store: Store
    wind: Callable[[float], None]
    again: Callable[[], Store]


def open_kept(request: pytest.FixtureRequest, kind: str) -> Kept:
    """Return an empty store of a kind; its server is started for the first one, and serves all tests of a file."""
    if kind.startswith("sqs"):
        return _in_sqs(request.getfixturevalue("sqs_url"), fifo="fifo" in kind)
    clock = Clock()
    if kind == "sqlite":
        path: Path = request.getfixturevalue("tmp_path") / "later.db"
        return Kept(store=SqliteStore(path, clock=clock), wind=clock.wind, again=lambda: SqliteStore(path, clock=clock))
    url, name = request.getfixturevalue("redis_url"), secrets.token_hex(4)

    def again() -> RedisStore:
        client = redis.Redis.from_url(url, decode_responses="decoding" in kind)
        return RedisStore(client, name=name, clock=clock)

    return Kept(store=again(), wind=clock.wind, again=again)


def _in_sqs(url: str, *, fifo: bool) -> Kept:
    """Make a queue with dead letters, as its owner would; time passes by itself there."""
    sqs = connect(url)
    name = make_queue(sqs, fifo=fifo)
    sqs.close()

    def again() -> SqsStore:
        return SqsStore(lambda: connect(url), name=name, wait_s=0)

    return Kept(store=again(), wind=time.sleep, again=again)


def connect(url: str) -> Any:
    """Return a client of the server that speaks as SQS does."""
    return boto3.client(
        "sqs", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none"
    )


def make_queue(sqs: Any, *, fifo: bool = False, **attributes: str) -> str:
    """Make a queue with a redrive policy; return its name."""
    name, end = f"later-{secrets.token_hex(4)}", ".fifo" if fifo else ""
    kind = {"FifoQueue": "true"} if fifo else {}
    dead = sqs.create_queue(QueueName=f"{name}-dead{end}", Attributes=kind)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "10"})
    sqs.create_queue(QueueName=f"{name}{end}", Attributes={"RedrivePolicy": policy, **kind, **attributes})
    return f"{name}{end}"


def add(store: Store, key: str | None = None, **changed: Any) -> Ticket:
    """Defer a job whose content does not matter."""
    given = {"content": CONTENT, "after_s": 0.0, "keep_s": KEEP_S, "most_waiting": 1000, **changed}
    return store.add(key=key, **given)
