"""From a call of the real anthropic SDK to a page at a webhook: every part is real but the API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import anthropic
import claxon
import pytest

from service.demo.fake_claude import FakeClaude
from tests.support.pager import Pager
from tests.support.running import Process, until

CONFIG = """
route: {{receiver: on-call}}
receivers:
  - {{name: on-call, webhook_configs: [{{url: "{url}/hook"}}]}}
"""
QUESTION = [{"role": "user", "content": "a secret question"}]


@pytest.fixture(scope="module")
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pager: Pager) -> Iterator[Process]:
    folder: Path = tmp_path_factory.mktemp("sdk")
    with Process(folder, config=CONFIG.format(url=pager.url)) as running:
        claxon.instrument(url=running.url, interval_s=0.1)
        yield running
        claxon.flush(timeout=5)
        claxon.uninstrument()


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeClaude]:
    with FakeClaude() as api:
        yield api


def call(fake: FakeClaude, script: str, *, app: str, path: str = "chat", retries: int = 2) -> None:
    """Call once, as an app would; the API plays the script."""
    with (
        anthropic.Anthropic(api_key="x", base_url=fake.url, max_retries=retries) as client,
        claxon.context(app=app, path=path),
        contextlib.suppress(anthropic.APIError),
    ):
        client.messages.create(model="m", max_tokens=5, messages=QUESTION, extra_headers={"x-fake": script})  # type: ignore[arg-type]


def call_async(fake: FakeClaude, script: str, *, app: str) -> None:
    async def run() -> None:
        async with anthropic.AsyncAnthropic(api_key="x", base_url=fake.url) as client:
            with claxon.context(app=app), contextlib.suppress(anthropic.APIError):
                await client.messages.create(
                    model="m",
                    max_tokens=5,
                    messages=QUESTION,  # type: ignore[arg-type]
                    extra_headers={"x-fake": script},
                )

    asyncio.run(run())


def stream(fake: FakeClaude, script: str, *, app: str) -> None:
    with (
        anthropic.Anthropic(api_key="x", base_url=fake.url, max_retries=0) as client,
        claxon.context(app=app, path="stream"),
        contextlib.suppress(Exception),
        client.messages.stream(
            model="m",
            max_tokens=5,
            messages=QUESTION,  # type: ignore[arg-type]
            extra_headers={"x-fake": script},
        ) as answer,
    ):
        for _ in answer:
            pass


def paged(pager: Pager, app: str) -> set[str]:
    """Return the alerts of severity page that somebody was told of for an app."""
    bodies = [received.json for received in pager.received]
    return {
        body["groupLabels"]["alertname"]
        for body in bodies
        if body["groupLabels"].get("app") == app and body["groupLabels"]["severity"] == "page"
    }


def test_a_rejected_key_pages_with_the_apis_request_id(service: Process, fake: FakeClaude, pager: Pager) -> None:
    call(fake, "401", app="rejected")

    assert until(lambda: paged(pager, "rejected"), 5)
    body = next(r for r in pager.received if r.json["groupLabels"].get("app") == "rejected")
    told = body.json["alerts"][0]["annotations"]
    assert told["request_ids"].startswith("req_")
    assert told["errors"] == "authentication_error (401) × 1"
    assert b"secret question" not in body.body


def test_a_rejected_key_of_an_async_app_pages(service: Process, fake: FakeClaude, pager: Pager) -> None:
    call_async(fake, "401", app="rejected-async")

    assert until(lambda: paged(pager, "rejected-async") == {"ClaudeAuthError"}, 5)


def test_a_spend_limit_behind_a_429_pages_as_a_blocked_account(
    service: Process, fake: FakeClaude, pager: Pager
) -> None:
    call(fake, "429:error_code=enforced_spend_limit_reached;retry_after_ms=1", app="spent")

    assert until(lambda: paged(pager, "spent") == {"ClaudeAccountBlocked"}, 5)


def test_two_calls_in_a_row_that_fail_with_500_page(service: Process, fake: FakeClaude, pager: Pager) -> None:
    for _ in range(2):
        call(fake, "500:retry_after_ms=1", app="failing")

    assert until(lambda: "ClaudeConsecutiveServerErrors" in paged(pager, "failing"), 8)


def test_overloaded_inside_a_stream_twice_in_a_row_pages(service: Process, fake: FakeClaude, pager: Pager) -> None:
    for _ in range(2):
        stream(fake, "stream-error", app="overloaded")

    assert until(lambda: "ClaudeConsecutiveServerErrors" in paged(pager, "overloaded"), 8)


@pytest.mark.parametrize("script", ["reset", "hang:delay=0.3"])
def test_calls_that_never_reach_the_api_page_by_their_rate(
    service: Process, fake: FakeClaude, pager: Pager, script: str
) -> None:
    app = f"unreached-{script.partition(':')[0]}"
    for _ in range(4):
        call(fake, script, app=app, retries=0)

    assert until(lambda: "ClaudeErrorRate" in paged(pager, app), 8)


def test_streams_that_are_cut_page_by_their_rate(service: Process, fake: FakeClaude, pager: Pager) -> None:
    for script in ("stream-cut", "stream-end", "stream-cut", "stream-end"):
        stream(fake, script, app="cut")

    assert until(lambda: "ClaudeErrorRate" in paged(pager, "cut"), 8)


def test_what_retries_absorb_and_a_lone_429_page_nobody(service: Process, fake: FakeClaude, pager: Pager) -> None:
    for script in ("429:retry_after_ms=1,200", "500:retry_after_ms=1,529:retry_after_ms=1,200", "200", "refusal"):
        call(fake, script, app="calm")
    call(fake, "429", app="limited", retries=0)
    claxon.flush(timeout=5)

    assert not until(lambda: paged(pager, "calm") or paged(pager, "limited"), 3.5)
    why = {(row["what"], row.get("labels", {}).get("app")) for row in service.get("/v1/ledger")["ledger"]}
    assert {("absorbed_by_retry", "calm"), ("lone_429", "limited")} <= why
