"""A full disk: 507 and not ready, nothing acknowledged is lost, and all is well by itself when there is space."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.config import RetentionConfig
from service.cli import main
from service.retention import Retention
from service.storage import event_log
from service.storage.database import open_reader
from tests.support.running import Process, Running, until
from tests.support.small_disk import SmallDisk, small_disk

CHANCE = random.Random(11)


def batch(app: str, n: int = 1000) -> list[dict[str, Any]]:
    """Return events that do not compress well."""
    return [{"model": "m", "app": app, "status": 200, "call_id": CHANCE.randbytes(60).hex()} for _ in range(n)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", megabytes=64) as made:
        yield made


def pid_of(service: Process) -> int:
    assert service._process is not None
    return service._process.pid


def logged(data: Path) -> int:
    reader = open_reader(data)
    try:
        return sum(row.n for row in event_log.read(reader, -1))
    finally:
        reader.close()


def test_a_full_disk_refuses_says_so_and_recovers(disk: SmallDisk) -> None:
    with Process(disk.folder) as service:
        acknowledged = 0
        assert service.post(batch("before"))[0] == 202
        acknowledged += 1000
        disk.leave(0, to=pid_of(service))

        status, answer, headers = service.post(batch("during", 20_000))

        assert status == disk.refusal, answer
        if disk.mounted:
            assert headers["retry-after"] == "30"
            assert "disk: full: free some space; nothing of this batch was kept" in answer["detail"]
        status, answer, headers = service.request("GET", "/-/ready")
        assert (status, headers["retry-after"]) == (503, "10")
        assert "cannot be written" in answer["detail"]
        assert service.request("GET", "/-/healthy")[0] == 200, "a restart would not help"
        disk.free(pid_of(service))

        assert service.post(batch("after"))[0] == 202
        acknowledged += 1000
        assert until(lambda: service.request("GET", "/-/ready")[0] == 200, 10)
        assert logged(service.data) == acknowledged
        service.kill()
        service.start()
        assert logged(service.data) == acknowledged
    assert main(["verify", "--data", str(service.data)]) == 0


def test_claxon_is_ready_again_by_itself_where_nobody_posts(disk: SmallDisk) -> None:
    """Whoever asks before it sends would else wait for ever."""
    with Process(disk.folder) as service:
        disk.leave(0, to=pid_of(service))
        assert service.post(batch("during", 20_000))[0] == disk.refusal
        disk.free(pid_of(service))

        assert service.request("GET", "/-/ready")[0] == 503
        assert until(lambda: service.request("GET", "/-/ready")[0] == 200, 20)


def test_a_disk_that_fills_up_under_load_loses_nothing_and_goes_on_when_there_is_space(disk: SmallDisk) -> None:
    """Batches, snapshots, decisions and the write-ahead log all want the last block."""
    with Process(disk.folder) as service:
        disk.leave(12, to=pid_of(service))
        acknowledged, refused = 0, 0
        while refused < 20:
            status, _, _ = service.post(batch("shop", 2000))
            assert status in (202, disk.refusal)
            acknowledged += 2000 if status == 202 else 0
            refused += status == disk.refusal
            assert acknowledged < 1_000_000
        assert acknowledged > 10_000
        assert service.request("GET", "/-/healthy")[0] == 200

        disk.free(pid_of(service))

        assert until(lambda: service.post(batch("shop", 500))[0] == 202, 20)
        assert until(lambda: service.request("GET", "/-/ready")[0] == 200, 20)
        assert logged(service.data) == acknowledged + 500
        service.kill()
        service.start()
        assert logged(service.data) == acknowledged + 500
        assert (service.data / "claxon.sqlite3-wal").stat().st_size < 40 << 20
    assert main(["verify", "--data", str(service.data)]) == 0


def test_snapshots_and_pruning_work_again_after_a_full_disk(disk: SmallDisk) -> None:
    with Running(disk.folder) as service:
        for _ in range(5):
            service.post(batch("old"))
        core = service.service.core
        limit = service.core(lambda: core.connection.execute("PRAGMA page_count").fetchone()[0])
        service.core(lambda: core.connection.execute(f"PRAGMA max_page_count = {limit}"))
        assert service.post(batch("during", 20_000))[0] == 507
        with contextlib.suppress(sqlite3.OperationalError):
            service.core(core.snapshot)
        service.core(lambda: core.connection.execute("PRAGMA max_page_count = 1073741823"))

        service.core(core.snapshot)
        newest = service.core(lambda: core.connection.execute("SELECT max(offset) FROM snapshots").fetchone()[0])
        assert newest == service.core(
            lambda: core.connection.execute("SELECT max(offset) FROM event_log").fetchone()[0]
        )
        # In a month all is old, and the newest row is kept, however old.
        later = Retention(core, keep=RetentionConfig, clock=lambda: time.time() + 31 * 86_400, steady=time.monotonic)
        later.round()

        assert service.post(batch("after"))[0] == 202
        assert logged(disk.folder / "data") == 2000, "what was old is pruned, what is new is kept"
