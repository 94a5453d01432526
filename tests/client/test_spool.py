"""The spool by itself: files, bounds, who sends, and what is left of a process that died; no socket, no thread."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from claxon import spool as spool_module
from claxon.packing import Batch
from claxon.spool import Spool, SpoolUnusable

from tests.client.spooling import files, make, spool_in


@pytest.fixture(autouse=True)
def _look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "LOOK_S", 0.0)


def drain(spool: Spool) -> list[Batch]:
    """Take all batches, as if each were answered."""
    batches = []
    while (batch := spool.oldest()) is not None:
        spool.done(batch)
        batches.append(batch)
    return batches


def test_a_batch_comes_back_as_it_was_with_its_key(tmp_path: Path) -> None:
    written = make(1, failed=True)
    spool_in(tmp_path).write(written)

    (found,) = drain(spool_in(tmp_path))

    assert (found.body, found.encoding, found.key) == (written.body, written.encoding, written.key)
    assert (found.events, found.failed, found.filed) == (1, True, True)
    assert abs(found.at - written.at) < 0.001


def test_batches_come_in_the_order_of_their_events_and_successes_before_errors(tmp_path: Path) -> None:
    """A window at the service must not hold the errors of a minute and lack its successes."""
    now = time.time()
    batches = [make(number, failed=number % 2 == 1, at=now + number // 2) for number in range(6)]
    spools = [spool_in(tmp_path) for _ in range(3)]
    for number in (5, 2, 1, 0, 4, 3):
        spools[number % 3].write(batches[number])

    assert [batch.key for batch in drain(spools[0])] == [batch.key for batch in batches]


def test_a_full_spool_drops_the_oldest_successes_first_and_errors_last(tmp_path: Path) -> None:
    now, each = time.time(), 300_000
    spool = spool_in(tmp_path, spool_size_mb=1)
    for number, failed in enumerate([True, False, False]):
        spool.write(make(number, failed=failed, at=now + number, size=each))
    kept = [path.name.split("-")[1] for path in files(tmp_path)]
    assert (kept, spool.full) == (["err", "ok", "ok"], 0)

    for number in (3, 4, 5):
        spool.write(make(number, failed=True, at=now + number, size=each))

    assert [path.name.split("-")[1] for path in files(tmp_path)] == ["err"] * 3
    assert (spool.full, spool.waiting) == (3, 3), "two successes, then the oldest error"

    spool.write(make(9, failed=False, at=now + 9, size=each))
    assert [path.name.split("-")[1] for path in files(tmp_path)] == ["err"] * 3
    assert spool.full == 4, "a success that finds only errors is dropped itself"


def test_a_batch_larger_than_the_spool_is_dropped_and_nothing_else(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, spool_size_mb=1)
    spool.write(make(1))
    spool.write(make(2, size=2 << 20))

    assert (len(files(tmp_path)), spool.full) == (1, 1)


def test_the_bound_holds_for_all_processes_together(tmp_path: Path) -> None:
    spools = [spool_in(tmp_path, spool_size_mb=1) for _ in range(4)]
    for number in range(40):
        spools[number % 4].write(make(number, size=100_000))

    assert sum(path.stat().st_size for path in files(tmp_path)) <= 1 << 20
    assert len(files(tmp_path)) + sum(spool.full for spool in spools) == 40


def test_files_and_folder_are_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spool_in(tmp_path / "new" / "spool").write(make(1))
    finally:
        os.umask(before)

    (path,) = files(tmp_path / "new" / "spool")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.folder.mkdir()
    spool.folder.chmod(0o777)

    with pytest.raises(SpoolUnusable, match=r"remove it, or name another"):
        spool.write(make(1))


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    spool, elsewhere = spool_in(tmp_path / "spool"), tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    spool.folder.parent.mkdir()
    spool.folder.symlink_to(elsewhere)

    with pytest.raises(SpoolUnusable):
        spool.write(make(1))


def test_other_services_and_keys_have_folders_of_their_own(tmp_path: Path) -> None:
    """A batch must not reach the wrong service, nor be counted for the wrong app."""
    spool_in(tmp_path, "http://a.example").write(make(1))

    assert drain(spool_in(tmp_path, "http://b.example")) == []
    assert drain(spool_in(tmp_path, "http://a.example", key="other")) == []
    assert len(drain(spool_in(tmp_path, "http://a.example"))) == 1
    assert "a.example" not in str(files(tmp_path))


def test_what_is_older_than_the_service_remembers_keys_is_dropped_and_counted(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.write(make(1, at=time.time() - 25 * 3600))
    spool.write(make(2, at=time.time() - 23 * 3600))

    assert len(drain(spool)) == 1
    assert (spool.old, files(tmp_path)) == (1, [])


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "nonsense"])
def test_a_damaged_file_is_dropped_and_counted_and_the_others_are_sent(tmp_path: Path, damage: str) -> None:
    spool = spool_in(tmp_path)
    for number in range(3):
        spool.write(make(number))
    victim = files(tmp_path)[1]
    content = victim.read_bytes()
    victim.write_bytes(
        {"cut": content[:-3], "changed": content[:-1] + b"?", "emptied": b"", "nonsense": b"\xff\n"}[damage]
    )

    assert len(drain(spool)) == 2
    assert (spool.torn, files(tmp_path)) == (1, [])


def test_a_half_written_file_is_left_to_its_writer_and_counted_once_that_must_be_dead(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.write(make(1))
    (whole,) = files(tmp_path)
    half = whole.with_name(whole.name.replace("-ok-1-", "-ok-7-") + ".tmp")
    half.write_bytes(whole.read_bytes()[:20])

    drain(spool)
    assert (half.exists(), spool.torn) == (True, 0)

    os.utime(half, (time.time() - 61, time.time() - 61))
    drain(spool)
    assert (half.exists(), spool.torn) == (False, 7)


def test_one_process_at_a_time_sends(tmp_path: Path) -> None:
    first, second = spool_in(tmp_path), spool_in(tmp_path)
    for number in range(4):
        first.write(make(number))

    sent = first.oldest()
    assert sent is not None
    assert second.oldest() is None

    first.done(sent)
    first.close()
    assert len(drain(second)) == 3


def test_a_batch_that_was_not_taken_is_the_next_again(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for number in range(3):
        spool.write(make(number))
    batch = spool.oldest()
    assert batch is not None

    spool.unsend(batch)

    assert spool.oldest() == batch


def test_strange_files_in_the_folder_are_let_be(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.write(make(1))
    for name in ("README", "0-ok-1-zz.batch", "1-ok-1.batch"):
        (spool.folder / name).write_text("?")

    assert len(drain(spool)) == 1
    assert len(list(spool.folder.iterdir())) == 4, "and the lock"


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = spool_in(tmp_path)
    write = os.write

    def full(file: int, content: bytes) -> int:
        write(file, content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(OSError, match="No space"):
        spool.write(make(1))

    assert [path.name for path in spool.folder.iterdir()] == []
    assert (spool.written, spool.waiting) == (0, 0)


WRITER = """
    import sys, time
    from pathlib import Path
    sys.path[:0] = sys.argv[2:]
    from tests.client.spooling import make, spool_in
    spool = spool_in(Path(sys.argv[1]))
    for number in range(100_000):
        spool.write(make(number, failed=number % 2 == 0))
        print(number + 1, flush=True)
"""


def test_what_was_written_whole_survives_kill_9(tmp_path: Path) -> None:
    """Killed in the middle of writing, many times: nothing that was written is lost, nothing half is sent."""
    told = 0
    for _ in range(5):
        code = textwrap.dedent(WRITER)
        command = [sys.executable, "-c", code, str(tmp_path), *[entry for entry in sys.path if entry]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(20)]
            writer.send_signal(signal.SIGKILL)
            lines += writer.stdout.readlines()
        told += max(int(line) for line in lines if line.endswith("\n"))
    heir = spool_in(tmp_path)

    sent = drain(heir)

    assert told <= len(sent) <= told + 5, "one more may have been written and not told, each time"
    assert heir.torn == 0
    assert len({batch.key for batch in sent}) == len(sent)
