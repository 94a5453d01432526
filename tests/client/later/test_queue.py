"""What an app says to a queue, and what it gets; sync and async."""

from __future__ import annotations

import base64
import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import claxon
import pytest
from anthropic.types import Message, TextBlock
from claxon import Event
from claxon.later import (
    DeferredCalls,
    LaterError,
    NotDeferrable,
    QueueFull,
    StoreUnavailable,
    Ticket,
    adefer,
    defer,
    open_store,
)
from claxon.later.redis_store import RedisStore
from claxon.later.sqlite_store import SqliteStore

from tests.client.later.working import Api, Client, arguments, work
from tests.support.repository import ROOT


async def call(queue: DeferredCalls, client: Client, prompt: str, **more: Any) -> Any:
    if isinstance(client, anthropic.AsyncAnthropic):
        return await queue.acall(client, **arguments(prompt), **more)
    return queue.call(client, **arguments(prompt), **more)


# ── call now, or later ────────────────────────────────────────────────────────────────────────────


async def test_a_call_that_works_is_answered_and_leaves_nothing_behind(
    queue: DeferredCalls, caller: Client, api: Api
) -> None:
    answer = await call(queue, caller, "hello", key="order-17")

    assert isinstance(answer, Message)
    assert queue.jobs() == []


@pytest.mark.parametrize("step", ["529", "500", "429", "reset", "html"])
async def test_a_call_that_fails_and_may_pass_is_a_ticket_and_is_made_later(
    queue: DeferredCalls, caller: Client, api: Api, step: str
) -> None:
    api.plan("hello", step, "200")
    seen = []

    ticket = await call(queue, caller.with_options(max_retries=0), "hello", key="order-17")
    await work(queue, caller, lambda job, answer: seen.append((job.key, answer.content[0].text)))

    assert isinstance(ticket, Ticket)
    assert ticket.new
    assert seen == [("order-17", "Hello!")]


async def test_a_deferred_call_is_not_due_before_the_api_wants_it(
    queue: DeferredCalls, caller: Client, api: Api
) -> None:
    api.plan("hello", "429:retry_after=600")

    ticket = await call(queue, caller.with_options(max_retries=0), "hello")

    job = queue.find(ticket.id)
    assert 599 < job.due_at - job.deferred_at < 601


async def test_a_parked_call_is_deferred_until_its_time(queue: DeferredCalls, caller: Client, api: Api) -> None:
    api.plan("hello", "429:retry_after=600")
    policy = claxon.RetryPolicy(most_retry_after_s=5)

    ticket = await call(queue, caller.with_options(max_retries=0, middleware=[policy]), "hello")

    job = queue.find(ticket.id)
    assert 599 < job.due_at - job.deferred_at < 601


@pytest.mark.parametrize("step", ["400", "401", "403", "404", "402"])
async def test_a_call_that_cannot_pass_raises_as_ever(
    queue: DeferredCalls, caller: Client, api: Api, step: str
) -> None:
    api.plan("hello", step)

    with pytest.raises(anthropic.APIStatusError) as raised:
        await call(queue, caller, "hello")

    assert raised.value.status_code == int(step)
    assert queue.jobs() == []


async def test_where_the_queue_is_full_the_call_raises_its_own_error_which_says_so(
    tmp_path: Path, caller: Client, api: Api
) -> None:
    queue = DeferredCalls(f"sqlite:{tmp_path}/later.db", most_waiting=1)
    queue.defer(**arguments("other"))
    api.plan("hello", "529")

    with pytest.raises(anthropic.InternalServerError) as raised:
        await call(queue, caller.with_options(max_retries=0), "hello")

    assert "It could not be deferred either: " in raised.value.__notes__[0]
    assert isinstance(raised.value.__cause__, QueueFull)


async def test_a_call_that_could_not_be_deferred_is_refused_before_it_is_sent(
    queue: DeferredCalls, caller: Client, api: Api
) -> None:
    with pytest.raises(NotDeferrable):
        await call(queue, caller, "hello", stream=True)

    assert api.seen == []


async def test_the_context_holds_for_the_call_now_and_for_the_one_later(
    queue: DeferredCalls, caller: Client, api: Api, events: list[Event]
) -> None:
    api.plan("hello", "529", "200")

    await call(queue, caller.with_options(max_retries=0), "hello", context={"path": "checkout", "tenant": "acme"})
    await work(queue, caller, lambda _job, _answer: None)

    assert [event.path for event in events] == ["checkout", "checkout"]
    assert [event.attributes["tenant"] for event in events] == ["acme", "acme"]


# ── what can be deferred ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"stream": True}, "stream: True: nobody reads along later"),
        ({"extra_headers": {"X-Api-Key": "secret"}}, "extra_headers: X-Api-Key: a queue keeps no keys"),
        ({"messages": object()}, "messages: object: give what JSON knows"),
        ({"messages": [{"role": "user", "content": b"x"}]}, r"messages\[0\].content: bytes: give what JSON knows"),
        (
            {"resource": "messages.stream"},
            "resource: messages.stream: give one of messages.create, beta.messages.create",
        ),
        ({"after_s": -1}, "after_s: -1: give seconds from 0"),
        ({"key": ""}, "key: 0 characters: give 1 to 200"),
        ({"key": "x" * 201}, "key: 201 characters: give 1 to 200"),
    ],
)
async def test_what_another_process_could_not_call_is_refused(
    queue: DeferredCalls, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotDeferrable, match=f"defer: {said}"):
        queue.defer(**{**arguments("hello"), **changed})
    with pytest.raises(NotDeferrable, match=f"defer: {said}"):
        await queue.adefer(**{**arguments("hello"), **changed})
    assert queue.jobs() == []


def test_a_call_without_its_messages_is_refused(queue: DeferredCalls) -> None:
    with pytest.raises(NotDeferrable, match="defer: messages: missing"):
        queue.defer(model="m", max_tokens=1)


def test_what_the_sdk_takes_beside_json_is_deferred_as_it_would_be_sent(queue: DeferredCalls, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"picture")
    opened = io.BytesIO(b"opened")
    source = {"type": "base64", "media_type": "image/png"}
    earlier = TextBlock(type="text", text="Hello!", citations=None)
    content = [{"type": "image", "source": {**source, "data": given}} for given in (picture, opened)]

    queue.defer(
        model="m",
        max_tokens=1,
        messages=(turn for turn in [{"role": "user", "content": content}, {"role": "assistant", "content": [earlier]}]),
        system=anthropic.NOT_GIVEN,
        temperature=anthropic.omit,
        stop_sequences=("a", "b"),
    )

    (job,) = queue.jobs()
    blocks = job.arguments["messages"][0]["content"]
    assert [base64.b64decode(block["source"]["data"]) for block in blocks] == [b"picture", b"opened"]
    assert job.arguments["messages"][1]["content"][0]["text"] == "Hello!"
    assert set(job.arguments) == {"model", "max_tokens", "messages", "stop_sequences"}
    assert opened.read() == b"opened"  # it can still be sent


async def test_a_generator_of_messages_can_be_sent_now_and_deferred(
    queue: DeferredCalls, caller: Client, api: Api
) -> None:
    given = {**arguments("hello"), "messages": (turn for turn in arguments("hello")["messages"])}
    api.plan("hello", "529")
    client = caller.with_options(max_retries=0)

    if isinstance(client, anthropic.AsyncAnthropic):
        ticket = await queue.acall(client, **given)
    else:
        ticket = queue.call(client, **given)

    assert api.seen == ["hello"]
    assert queue.find(ticket.id).arguments["messages"] == arguments("hello")["messages"]


async def test_a_long_answer_is_not_refused_by_the_sdk(queue: DeferredCalls, caller: Client, api: Api) -> None:
    """The SDK raises for an unstreamed call of so many tokens, unless a timeout is given."""
    queue.defer(**{**arguments("hello"), "max_tokens": 64_000})

    worked = await work(queue, caller, lambda _job, _answer: None)

    assert worked.done == 1


# ── which queue ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def _no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeferredCalls, "default", None)


@pytest.mark.usefixtures("_no_default")
async def test_the_queue_of_the_process_is_the_one_that_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLAXON_LATER", f"sqlite:{tmp_path}/later.db")

    claxon.defer(**arguments("hello"), key="a")
    await adefer(**arguments("hello"), key="b")

    assert [job.key for job in DeferredCalls(f"sqlite:{tmp_path}/later.db").jobs()] == ["a", "b"]


@pytest.mark.usefixtures("_no_default")
def test_the_queue_of_the_process_is_the_one_that_the_app_set(queue: DeferredCalls) -> None:
    DeferredCalls.default = queue

    ticket = defer(**arguments("hello"))

    assert queue.find(ticket.id) is not None


@pytest.mark.usefixtures("_no_default")
def test_without_a_queue_of_the_process_defer_says_how_to_set_one() -> None:
    with pytest.raises(LaterError, match="defer: CLAXON_LATER: not set: give a URL like sqlite:///"):
        defer(**arguments("hello"))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/shop/later.db", "/var/lib/shop/later.db"),
        ("sqlite:////var/lib/shop/later.db", "/var/lib/shop/later.db"),
        ("sqlite:later.db", str(Path.cwd() / "later.db")),
    ],
)
def test_a_sqlite_url_is_a_path(url: str, path: str) -> None:
    store = open_store(url)

    assert isinstance(store, SqliteStore)
    assert str(store.path) == path


@pytest.mark.parametrize(
    "url", ["sqlite:", "sqlite://var/lib/later.db", "sqlite:///", "mysql://x", "later.db", "redis://x:y"]
)
def test_a_url_of_no_store_is_refused_with_one_that_is(url: str) -> None:
    with pytest.raises(LaterError, match=r"sqlite:///|redis://host:6379/0"):
        open_store(url)


def test_a_redis_url_names_its_queue() -> None:
    store = open_store("redis://127.0.0.1:6379/3?queue=shop")

    assert isinstance(store, RedisStore)
    assert str(store) == "redis:shop"
    store.close()


def test_a_redis_that_does_not_answer_is_unavailable() -> None:
    queue = DeferredCalls("redis://127.0.0.1:9/0?retry_on_timeout=false")

    with pytest.raises(StoreUnavailable, match=r"redis:later: .*: see that the server answers, and has memory"):
        queue.defer(**arguments("hello"))


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['redis'] = sys.modules['boto3'] = None\n"
        "from claxon.later import LaterError, open_store\n"
        "for url in ('redis://h', 'sqs://q'):\n"
        "    try: open_store(url)\n"
        "    except LaterError as error: print(error)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/client"},
    ).stdout

    assert [line.rpartition(": ")[2] for line in said.splitlines()] == ["install claxon[redis]", "install claxon[sqs]"]


def test_deferring_imports_neither_anthropic_nor_a_stores_library(tmp_path: Path) -> None:
    code = (
        "import sys, claxon\n"
        f"queue = claxon.DeferredCalls('sqlite:{tmp_path}/later.db')\n"
        "queue.defer(model='m', max_tokens=1, messages=[])\n"
        "print([name for name in ('anthropic', 'redis', 'boto3', 'anyio') if name in sys.modules])\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/client"},
    ).stdout

    assert said == "[]\n"


def test_the_file_of_a_queue_is_its_owners_alone(queue: DeferredCalls) -> None:
    """It holds prompts."""
    queue.defer(**arguments("hello"))

    store = queue.store
    assert isinstance(store, SqliteStore)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.glob("later.db*")}
    assert modes == {0o600}


def test_a_file_of_a_newer_version_is_refused(queue: DeferredCalls, tmp_path: Path) -> None:
    import sqlite3

    queue.defer(**arguments("hello"))
    db = sqlite3.connect(tmp_path / "later.db")
    db.execute("pragma user_version = 99")
    db.close()

    with pytest.raises(LaterError, match="version 99: made by a newer claxon"):
        DeferredCalls(f"sqlite:{tmp_path}/later.db").stats()


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match="give a path that this user may write"):
        DeferredCalls(f"sqlite:{tmp_path}/file/later.db").defer(**arguments("hello"))
