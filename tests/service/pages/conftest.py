"""What the pages' tests share: a Claxon whose clock is wound by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.service.pages.world import World, claxon


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with claxon(tmp_path, monkeypatch) as running:
        yield running
