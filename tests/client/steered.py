"""steered: clients with middlewares of ours, sync and async, so that one test serves both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx2
import pytest
from claxon import RetryPolicy

from service.demo.fake_claude import FakeClaude

KEY = "sk-ant-secret"


def quick(**options: Any) -> RetryPolicy:
    """Return a policy whose pauses are short."""
    return RetryPolicy(**{"base_s": 0.001, "most_backoff_s": 0.005, **options})


@asynccontextmanager
async def client_of(
    kind: str, fake: FakeClaude, middleware: Sequence[Any], **options: Any
) -> AsyncIterator[anthropic.Anthropic | anthropic.AsyncAnthropic]:
    """Open a sync or an async client with this middleware."""
    given: dict[str, Any] = {
        "api_key": KEY,
        "base_url": fake.url,
        "middleware": list(middleware),
        "max_retries": 0,
        **options,
    }
    if kind == "sync":
        with anthropic.Anthropic(**given) as client:
            yield client
    else:
        given["http_client"] = httpx2.AsyncClient(verify=False)
        async with anthropic.AsyncAnthropic(**given) as async_client:
            yield async_client


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])
