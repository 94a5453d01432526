"""service/storage/zstd.py: what is stored comes back, whoever stores beside."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from service.storage import zstd


def test_threads_that_store_at_the_same_time_do_not_mix_what_they_store() -> None:
    """A coder lets other threads run while it works; one for all of them wrote rubbish now and then."""
    bodies = [(os.urandom(64) + b"x" * i) * 4096 for i in range(8)]

    def faulty(body: bytes) -> int:
        return sum(zstd.expand(zstd.compress(body)) != body for _ in range(40))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(faulty, bodies)) == [0] * 8


def test_what_the_disk_changed_is_found() -> None:
    stored = bytearray(zstd.compress(b"a page at 3 a.m. " * 100))
    stored[-1] ^= 1

    with pytest.raises(zstandard.ZstdError):
        zstd.expand(bytes(stored))
