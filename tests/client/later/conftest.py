"""Fixtures: a queue in a file of its own, and an API that answers each prompt as it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anthropic
import httpx2
import pytest
from claxon.later import DeferredCalls

from service.demo.fake_claude import FakeClaude
from tests.client.later.servers import start_redis
from tests.client.later.working import Api
from tests.support.moto import start_moto

KEY = "sk-ant-secret"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[DeferredCalls]:
    """A queue of no jobs."""
    made = DeferredCalls(f"sqlite:{tmp_path}/later.db")
    yield made
    made.close()


@pytest.fixture
def api() -> Iterator[Api]:
    """An API of this test's own."""
    script = Api()
    with FakeClaude(script.respond) as fake:
        script.url = fake.url
        yield script


@pytest.fixture(params=["sync", "async"])
async def caller(
    request: pytest.FixtureRequest, api: Api
) -> AsyncIterator[anthropic.Anthropic | anthropic.AsyncAnthropic]:
    """A client of that API, of either kind."""
    if request.param == "sync":
        with anthropic.Anthropic(api_key=KEY, base_url=api.url) as client:
            yield client
    else:
        transport = httpx2.AsyncClient(verify=False)
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=api.url, http_client=transport) as client:
            yield client


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis for the tests of a file."""
    with start_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def sqs_url() -> Iterator[str]:
    """What speaks as SQS does, for the tests of a file."""
    with start_moto() as url:
        yield url
