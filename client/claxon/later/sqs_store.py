"""sqs_store: jobs as messages of Amazon SQS. Needs claxon[sqs], and a queue with a dead-letter queue.

A lease is SQS's visibility timeout; the dead letters are the queue that the
redrive policy names, where SQS itself moves what was received too often. SQS
cannot look into a queue: what needs that is refused, or found among the dead
letters alone. See docs/client/later.md.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ..guard import warn_once
from .errors import LaterError, NotDeferrable, NotPossible, QueueFull, StoreUnavailable
from .job import Job, Lease, QueueStats, Reason, State, Ticket
from .sqs_parcel import LONGEST_DELAY_S, LONGEST_HIDING_S, Parcel, name_of, parcel_of, read_job

COUNT_S = 5.0
"""How old the count may be that `most_waiting` is compared with."""

MOVED = Reason(category="lost", type="received too often", limit="maxReceiveCount")
PEEK_S = 60
BATCH = 10
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a queue is: its URL and that of its dead letters."""

    url: str
    dead_url: str
    most_bytes: int

    @property
    def fifo(self) -> bool:
        return self.url.endswith(".fifo")


class SqsStore:
    """A store in SQS.

    Args:
        connect: Returns a client, `boto3.client("sqs")`; called once in each process.
        name: Of the queue.
        wait_s: How long SQS may wait for a message before it says that there is none.
    """

    def __init__(self, connect: Callable[[], Any], *, name: str, wait_s: int = 1) -> None:
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError as error:
            raise LaterError(f"queue: sqs: {error}: install claxon[sqs]") from error
        self._connect = connect
        self._name = name
        self._wait_s = wait_s
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        self._client: tuple[int, Any] | None = None
        self._place: _Place | None = None
        self._counted: tuple[float, int] = (-math.inf, 0)
        self._ends: dict[str, float] = {}

    def __str__(self) -> str:
        return f"sqs:{self._name}"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of `sqs://NAME?region=eu-west-1`; `endpoint` is for what speaks like SQS.

        Credentials are found as boto3 finds them.
        """
        try:
            import boto3
        except ImportError as error:
            raise LaterError(f"queue: sqs: {error}: install claxon[sqs]") from error
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        region, endpoint = query.pop("region", None), query.pop("endpoint", None)
        if not parts.netloc or query:
            raise LaterError(f"queue: {url}: not understood: give a URL like sqs://shop-later?region=eu-west-1")
        return cls(lambda: boto3.client("sqs", region_name=region, endpoint_url=endpoint), name=parts.netloc)

    def add(self, *, key: str | None, content: bytes, after_s: float, keep_s: float, most_waiting: int) -> Ticket:
        """Keep a job; see `Store`. Only a FIFO queue knows a key again, and that for five minutes."""
        del keep_s  # SQS keeps nothing of a job that is done
        self._check_room(most_waiting)
        key = secrets.token_hex(8) if key is None else key
        number, now = name_of(key)[:16], time.time()
        parcel = Parcel(id=number, key=key, deferred_at=now, due_at=now + after_s, content=msgspec.Raw(content))
        self._send(parcel, name=key)
        return Ticket(id=number, key=key, new=None)

    def take(self, *, lease_s: float, most: int) -> list[Lease]:
        """Return leases of jobs that are due, in the order that SQS gives them; see `Store`."""
        hidden_s = min(max(1, math.ceil(lease_s)), LONGEST_HIDING_S)
        with self._asking() as (sqs, place):
            taken = _receive(sqs, place.url, most=most, hidden_s=hidden_s, wait_s=self._wait_s)
            now = time.time()
            self._ends = {token: end for token, end in self._ends.items() if end > now}
            return [lease for message in taken if (lease := self._lease(sqs, place, message, now=now, ends=hidden_s))]

    def _lease(self, sqs: Any, place: _Place, message: Any, *, now: float, ends: float) -> Lease | None:
        job = read_job(message, delays=not place.fifo)
        token = message["ReceiptHandle"]
        if job is None:
            warn_once("later sqs", f"later: {self}: a message that is no job: left for the redrive policy")
            return None
        if job.due_at > now + 1:  # SQS delays no longer than it does: not due yet
            _hide(sqs, place.url, token, min(math.ceil(job.due_at - now), LONGEST_HIDING_S))
            return None
        self._ends[token] = now + ends
        return Lease(job=job, token=token, taken_at=now)

    def renew(self, lease: Lease, *, lease_s: float) -> bool:
        """Hide the message for longer, up to SQS's 12 hours; see `Store`."""
        hidden_s = max(1, math.ceil(lease_s))
        if not self._held(lease) or time.time() + hidden_s > lease.taken_at + LONGEST_HIDING_S:
            return False
        with self._asking() as (sqs, place):
            _hide(sqs, place.url, lease.token, hidden_s)
        self._ends[lease.token] = time.time() + hidden_s
        return True

    def finish(self, lease: Lease) -> bool:
        """Delete the message; see `Store`."""
        held = self._held(lease)
        self._delete(lease)  # though the lease be over: perhaps nobody has taken it yet
        return held

    def put_back(self, lease: Lease, *, after_s: float, reason: Reason | None, counted: bool) -> bool:
        """Send the job again as it is now, then delete the old message; see `Store`."""
        if not self._held(lease):
            return False
        job = lease.job
        runs, why = job.runs if counted else job.runs - 1, reason if reason is not None else job.reason
        self._send(parcel_of(job, due_at=time.time() + after_s, runs=runs, reason=why))
        self._delete(lease)
        return True

    def bury(self, lease: Lease, reason: Reason) -> bool:
        """Send the job to the dead letters, then delete the old message; see `Store`."""
        if not self._held(lease):
            return False
        self._send(parcel_of(lease.job, reason=reason, ended_at=time.time()), dead=True)
        self._delete(lease)
        return True

    def find(self, name: str) -> Job | None:
        """Return the dead job with this id or key.

        Raises:
            NotPossible: It is not among the dead letters, and SQS looks nowhere else.
        """
        for job, _ in self._dead_letters():
            if name in (job.id, job.key):
                return job
        raise self._unknown(name)

    def jobs(self, state: State | None, *, most: int) -> list[Job]:
        """Return dead jobs, in no order.

        Raises:
            NotPossible: Others are asked for.
        """
        if state is not State.DEAD:
            raise NotPossible(f"{self}: SQS does not list what waits: ask for the dead ones, or for stats")
        found = []
        for job, _ in self._dead_letters():
            found.append(job)
            if len(found) == most:
                break
        return found

    def stats(self) -> QueueStats:
        """Return how many jobs there are, as SQS guesses; one hidden until it is due counts as running."""
        with self._asking() as (sqs, place):
            visible, delayed, hidden = _counts(sqs, place.url)
            dead = sum(_counts(sqs, place.dead_url))
        return QueueStats(waiting=visible + delayed, running=hidden, done=0, dead=dead)

    def retry(self, name: str | None) -> int:
        """Send dead jobs to the queue again, one or all; see `Store`.

        Raises:
            NotPossible: The one is not among the dead letters.
        """
        number = 0
        for job, forget in self._dead_letters():
            if name is None or name in (job.id, job.key):
                now = time.time()
                self._send(parcel_of(job, runs=0, lost=0, deferred_at=now, due_at=now))
                forget()
                number += 1
                if name is not None:
                    return number
        if name is not None:
            raise self._unknown(name)
        return number

    def drop(self, name: str) -> bool:
        """Forget a dead job.

        Raises:
            NotPossible: It is not among the dead letters.
        """
        for job, forget in self._dead_letters():
            if name in (job.id, job.key):
                forget()
                return True
        raise self._unknown(name)

    def purge(self, *, older_s: float) -> int:
        """Return 0: of a job that is done SQS keeps nothing."""
        del older_s
        return 0

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None and client[0] == os.getpid():
            client[1].close()

    def _unknown(self, name: str) -> NotPossible:
        return NotPossible(f"{self}: {name}: not among the dead letters, and SQS finds nothing elsewhere")

    def _held(self, lease: Lease) -> bool:
        return time.time() < self._ends.get(lease.token, -math.inf)

    def _delete(self, lease: Lease) -> None:
        with self._asking() as (sqs, place):
            sqs.delete_message(QueueUrl=place.url, ReceiptHandle=lease.token)
        self._ends.pop(lease.token, None)

    def _send(self, parcel: Parcel, *, name: str | None = None, dead: bool = False) -> None:
        """Send a job; a FIFO queue takes it once where it has this name."""
        body = parcel.encoded()
        with self._asking() as (sqs, place):
            if len(body) > place.most_bytes:
                remedy = f"SQS takes {place.most_bytes:,} here: use SQLite or Redis"
                raise NotDeferrable(f"{self}: a job of {len(body):,} bytes: {remedy}")
            more: dict[str, Any] = {}
            if place.fifo:
                more["MessageGroupId"] = name_of(parcel.key)
                more["MessageDeduplicationId"] = name_of(name if name is not None else secrets.token_hex(16))
            elif not dead:
                left = math.ceil(parcel.due_at - time.time())
                more["DelaySeconds"] = min(max(0, left), LONGEST_DELAY_S)
            sqs.send_message(QueueUrl=place.dead_url if dead else place.url, MessageBody=body, **more)

    def _check_room(self, most_waiting: int) -> None:
        counted_at, number = self._counted
        if time.monotonic() - counted_at > COUNT_S:
            with self._asking() as (sqs, place):
                number = sum(_counts(sqs, place.url))
            self._counted = (time.monotonic(), number)
        if number >= most_waiting:
            raise QueueFull(str(self), most_waiting)

    def _dead_letters(self) -> Iterator[tuple[Job, Callable[[], None]]]:
        """Yield each dead job, and what forgets it; those that are not forgotten are seen again afterwards."""
        with self._asking() as (sqs, place):
            url = place.dead_url
            kept: list[str] = []
            seen: set[str] = set()
            try:
                while messages := _receive(sqs, url, most=BATCH, hidden_s=PEEK_S, wait_s=self._wait_s):
                    kept += [message["ReceiptHandle"] for message in messages]
                    for message in messages:
                        token = message["ReceiptHandle"]
                        job = read_job(message, delays=not place.fifo)
                        if job is None or message["MessageId"] in seen:
                            continue
                        seen.add(message["MessageId"])
                        yield _dead(job), functools.partial(_forget, sqs, url, token, kept)
            finally:
                for token in kept:
                    _hide(sqs, url, token, 0)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[tuple[Any, _Place]]:
        try:
            if self._client is None or self._client[0] != os.getpid():
                self._client = (os.getpid(), self._connect())
            sqs = self._client[1]
            if self._place is None:
                self._place = self._found(sqs)
            yield sqs, self._place
        except self._errors as error:
            raise StoreUnavailable(f"{self}: {error}: see that AWS answers, and what the role may do") from error

    def _found(self, sqs: Any) -> _Place:
        try:
            url = sqs.get_queue_url(QueueName=self._name)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist as error:
            raise LaterError(f"{self}: no such queue: create it, with a redrive policy") from error
        said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy", "MaximumMessageSize"])
        attributes = said.get("Attributes", {})
        policy = json.loads(attributes.get("RedrivePolicy", "{}"))
        if "deadLetterTargetArn" not in policy:
            raise LaterError(f"{self}: no dead-letter queue: give the queue a redrive policy, maxReceiveCount 10")
        *_, account, name = policy["deadLetterTargetArn"].split(":")
        dead_url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        return _Place(url=url, dead_url=dead_url, most_bytes=int(attributes.get("MaximumMessageSize", 262_144)))


def _receive(sqs: Any, url: str, *, most: int, hidden_s: int, wait_s: int) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(most, BATCH),
        VisibilityTimeout=hidden_s,
        WaitTimeSeconds=wait_s,
        MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
    )
    messages: list[Any] = answer.get("Messages", [])
    return messages


def _hide(sqs: Any, url: str, token: str, seconds: int) -> None:
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=token, VisibilityTimeout=seconds)


def _forget(sqs: Any, url: str, token: str, kept: list[str]) -> None:
    kept.remove(token)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=token)


def _counts(sqs: Any, url: str) -> tuple[int, int, int]:
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
    visible, delayed, hidden = (int(said.get(name, 0)) for name in COUNTS)
    return visible, delayed, hidden


def _dead(job: Job) -> Job:
    """Return a job of the dead letters; one that SQS itself moved there has said nothing of why."""
    if job.state is State.DEAD:
        return job
    return Job(**{name: getattr(job, name) for name in Job.__slots__} | {"state": State.DEAD, "reason": MOVED})
