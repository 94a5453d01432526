"""What the receivers' tests share: notifications to send, and a pager to send them to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.pager import Pager


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as running:
        yield running
