"""Fixtures: the fake API, clients of the real SDK against it, and a process that is clean again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import anthropic
import httpx2
import pytest
from claxon import Event, counting, guard, loops
from claxon.budgets import renew_process_budget
from claxon.client import shutdown, uninstrument
from claxon.settings import Settings
from claxon.state import STATE
from claxon.testing import capture_events

from service.demo.fake_claude import FakeClaude
from tests.client.ingest import Ingest

KEY = "sk-ant-secret"


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeClaude]:
    """A Claude API that does as each call's `x-fake` header says."""
    with FakeClaude() as server:
        yield server


def _forget() -> None:
    counting.forget()
    loops.forget()
    renew_process_budget()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("CLAXON_", "ANTHROPIC_", "OTEL_")):
            monkeypatch.delenv(name)
    guard.forget()
    _forget()
    yield
    _forget()
    shutdown(0.0)
    uninstrument()
    STATE.shipper = None
    STATE.settings = Settings()


@pytest.fixture
def events() -> Iterator[list[Event]]:
    """Every event made in the test."""
    with capture_events() as captured:
        yield captured


@pytest.fixture(scope="session")
def client(fake: FakeClaude) -> Iterator[anthropic.Anthropic]:
    """A client of the fake API, made before anything is instrumented."""
    with anthropic.Anthropic(api_key=KEY, base_url=fake.url) as made:
        yield made


@pytest.fixture
async def async_client(fake: FakeClaude) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """An asynchronous client of the fake API."""
    # Loading certificates takes longer than most tests, and nothing here is encrypted.
    transport = httpx2.AsyncClient(verify=False)
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=fake.url, http_client=transport) as made:
        yield made


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    """A service that takes events, and can be told to refuse them."""
    with Ingest() as server:
        yield server
