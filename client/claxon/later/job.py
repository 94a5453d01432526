"""job: one deferred call, as a store keeps it and a worker sees it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec


class State(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a run of a job failed, or why the job was given up. Never holds a message, which may quote the prompt.

    Attributes:
        category: The taxonomy's; `handle` where the app's own function raised, `lost` where workers died.
        type: The API's error type, or the exception's name.
        limit: Which limit was passed: `most_runs`, `most_age_s` or `most_lost`; None where no retry could help.
    """

    category: str
    type: str | None = None
    code: str | None = None
    status: int | None = None
    request_id: str | None = None
    limit: str | None = None

    def __str__(self) -> str:
        said = [f"{self.category}: {self.type or 'unknown'}"]
        said += [f"status {self.status}"] if self.status is not None else []
        said += [f"code {self.code}"] if self.code is not None else []
        said += [f"request {self.request_id}"] if self.request_id is not None else []
        said += [f"past {self.limit}"] if self.limit is not None else []
        return ", ".join(said)


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What the app deferred; the only part of a job that holds a prompt.

    Attributes:
        resource: `messages.create` or `beta.messages.create`.
        arguments: Of that call.
        context: Arguments of `claxon.context`.
    """

    resource: str
    arguments: dict[str, Any]
    context: dict[str, Any]

    def encoded(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One deferred call. All instants are Unix seconds of the store's clock.

    Attributes:
        id: The store's name for it.
        key: The app's, else the id. What `handle` gets twice has the same key.
        deferred_at: When it was deferred, or driven again from the dead letters.
        due_at: When it may run; while it runs, when its lease ends.
        runs: Runs that began; this one is counted.
        lost: Runs that ended without a word: the worker was killed, or hung.
        reason: Why the last run failed.
        ended_at: When it was done or given up.
        content: As JSON; empty once it is done.
    """

    id: str
    key: str
    state: State
    deferred_at: float
    due_at: float
    runs: int = 0
    lost: int = 0
    reason: Reason | None = None
    ended_at: float | None = None
    content: bytes = b""

    @property
    def resource(self) -> str:
        """The method of the client; `messages.create` by default."""
        return self._content.resource

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the call, prompt and all; empty once the job is done."""
        return self._content.arguments

    @property
    def context(self) -> dict[str, Any]:
        """What the app said about the call, as arguments of `claxon.context`."""
        return self._content.context

    @property
    def _content(self) -> Content:
        if not self.content:
            return Content(resource="messages.create", arguments={}, context={})
        return msgspec.json.decode(self.content, type=Content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What `defer` returns: the call is in the queue, whatever happens to this process.

    Attributes:
        id: The job's id.
        key: Its key.
        new: False where a job of this key was there already; None where the store cannot tell.
        state: The job's state.
    """

    id: str
    key: str
    new: bool | None = True
    state: State = State.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to run a job, until it ends.

    Attributes:
        token: Of this lease; the next one of the same job has another.
        taken_at: When it was taken, by the store's clock.
    """

    job: Job
    token: str
    taken_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """How many jobs there are, by state.

    Attributes:
        oldest_due_s: How long the earliest due job has been due; None where none is, or the store cannot tell.
    """

    waiting: int
    running: int
    done: int
    dead: int
    oldest_due_s: float | None = None


def new_id() -> str:
    """Return the id of a new job."""
    return secrets.token_hex(8)


def encode_reason(reason: Reason | None) -> str | None:
    """Return a reason as a store keeps it."""
    return None if reason is None else msgspec.json.encode(reason).decode()


def decode_reason(text: str | bytes | None) -> Reason | None:
    """Return the reason that a store kept."""
    return msgspec.json.decode(text, type=Reason) if text else None
