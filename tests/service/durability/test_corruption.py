"""A corrupt database is found, set aside as it is, and never overwritten; people hear of it, and Claxon goes on."""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.cli import main
from service.clock import monotonic
from service.leaving import CORRUPT
from service.storage.corruption import aside
from service.storage.database import StorageError, open_database, open_or_set_aside
from service.storage.scrub import Scrubbed, scrub
from service.watch.scrubbing import Scrubber
from service.watch.tally import WatchTally
from tests.support.bench import Bench
from tests.support.pager import Pager
from tests.support.running import Process, Running, until

FILE = "claxon.sqlite3"
PAGE = 8192
NOON = 1_700_000_000.0
EVENT = {"model": "m", "app": "shop", "status": 200}


def config(pager: Pager) -> str:
    return (
        f'route: {{receiver: on-call}}\nreceivers: [{{name: on-call, webhook_configs: [{{url: "{pager.url}/hook"}}]}}]'
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that a service has left: 300 batches, and as many keys."""
    folder = tmp_path_factory.mktemp("stopped")
    with Running(folder) as claxon:
        for i in range(300):
            body = [
                EVENT | {"event_id": f"{i}/{n}", "call_id": random.Random(n).randbytes(20).hex()} for n in range(20)
            ]
            assert claxon.post(body, Idempotency_Key=f"key-{i}-{'x' * 150}")[0] == 202
    return folder / "data"


@pytest.fixture
def data(stopped: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder, to be damaged."""
    return shutil.copytree(stopped, tmp_path / "data")


# ── at the start ──────────────────────────────────────────────────────────────────────────────────


def _notes(_: bytes) -> bytes:
    return b"my precious notes" * 1000


def _no_header(raw: bytes) -> bytes:
    return bytes(PAGE) + raw[PAGE:]


def _half(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def _only_the_first_page(raw: bytes) -> bytes:
    return raw[:PAGE] + bytes(len(raw) - PAGE)


def _no_schema(raw: bytes) -> bytes:
    return raw[:100] + random.Random(1).randbytes(PAGE - 100) + raw[PAGE:]


@pytest.mark.parametrize(
    "damage", [_notes, _no_header, _half, _only_the_first_page, _no_schema], ids=lambda d: d.__name__
)
def test_a_corrupt_database_is_set_aside_byte_for_byte_and_a_new_one_begins(
    data: Path, damage: Callable[[bytes], bytes]
) -> None:
    damaged = damage((data / FILE).read_bytes())
    (data / FILE).write_bytes(damaged)
    (data / f"{FILE}-wal").write_bytes(b"its log")

    connection, kept = open_or_set_aside(data, at=NOON)

    assert kept == data / f"{FILE}.corrupt-20231114T221320Z"
    assert kept.read_bytes() == damaged
    assert kept.with_name(kept.name + "-wal").read_bytes() == b"its log"
    assert connection.execute("SELECT count(*) FROM event_log").fetchone() == (0,)
    connection.close()
    [one] = aside(data)
    assert (one.path, one.at) == (kept, NOON)
    assert one.why


def test_a_sound_database_is_not_set_aside(data: Path) -> None:
    connection, kept = open_or_set_aside(data, at=NOON)

    assert kept is None
    assert connection.execute("SELECT count(*) FROM event_log WHERE n > 0").fetchone() == (300,)
    connection.close()


def test_what_is_set_aside_is_never_overwritten(tmp_path: Path) -> None:
    for text in (b"the first", b"the second", b"the third"):
        (tmp_path / FILE).write_bytes(text * 1000)
        open_or_set_aside(tmp_path, at=NOON)[0].close()

    assert {one.path.read_bytes()[:9] for one in aside(tmp_path)} == {b"the first", b"the secon", b"the third"}


def test_a_disk_that_corrupts_one_database_after_another_stops_claxon(tmp_path: Path) -> None:
    for hour in range(5):
        (tmp_path / FILE).write_bytes(b"not a database" * 1000)
        open_or_set_aside(tmp_path, at=NOON + hour * 3600)[0].close()
    (tmp_path / FILE).write_bytes(b"not a database" * 1000)

    with pytest.raises(StorageError, match="the sixth within a day: look at the disk"):
        open_or_set_aside(tmp_path, at=NOON + 6 * 3600)
    assert (tmp_path / FILE).read_bytes().startswith(b"not a database")
    open_or_set_aside(tmp_path, at=NOON + 30 * 3600)[0].close()


def test_a_crash_while_a_database_is_set_aside_is_taken_up_again(data: Path) -> None:
    """Its write-ahead log went first, for the new database must never meet it; then the power failed."""
    (data / "claxon.corrupt").write_text("it was found so")
    (data / f"{FILE}.corrupt-20231114T221320Z-wal").write_bytes(b"its log")

    connection, kept = open_or_set_aside(data, at=NOON)

    assert kept == data / f"{FILE}.corrupt-20231114T221320Z-2"
    assert connection.execute("SELECT count(*) FROM event_log").fetchone() == (0,)
    assert not (data / "claxon.corrupt").exists()
    connection.close()


def test_a_database_of_a_newer_claxon_is_not_set_aside(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StorageError, match="made by a newer Claxon"):
        open_or_set_aside(tmp_path, at=NOON)
    assert aside(tmp_path) == []


def test_people_are_paged_of_what_was_set_aside_until_it_is_moved_away(tmp_path: Path) -> None:
    with Pager() as pager:
        claxon = Process(tmp_path, config=config(pager))
        claxon.data.mkdir()
        (claxon.data / FILE).write_bytes(b"my precious notes" * 1000)
        with claxon:
            [told] = pager.wait_for(1, within=15)
            said = told.json["commonAnnotations"]
            kept = Path(said["summary"].partition("Z: ")[2].partition(";")[0])
            assert told.json["commonLabels"]["alertname"] == "ClaxonDatabaseCorrupt"
            assert kept.read_bytes().startswith(b"my precious notes")
            assert "not a database" in said["reason"]
            assert "docs/howto/backup.md" in said["description"]
            assert "database.set_aside" in claxon.log.read_text()
            assert claxon.post([EVENT])[0] == 202

            kept.rename(tmp_path / "elsewhere")

            told = pager.wait_for(2, within=15)[1]
            assert told.json["status"] == "resolved"


# ── while it runs ─────────────────────────────────────────────────────────────────────────────────


def leaves_of(data: Path, index: str) -> list[int]:
    """Return the numbers of the pages below the root of a table or index, but for the first and the last."""
    raw = (data / FILE).read_bytes()
    connection = sqlite3.connect(data / FILE)
    [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (index,)).fetchone()
    connection.close()
    page = raw[(root - 1) * PAGE : root * PAGE]
    assert page[0] in (2, 5), "an inner page"
    count = struct.unpack(">H", page[3:5])[0]
    cells = struct.unpack(f">{count}H", page[12 : 12 + 2 * count])
    return [struct.unpack(">I", page[at : at + 4])[0] for at in cells][1:]


def zero(data: Path, pages: list[int]) -> None:
    with (data / FILE).open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(bytes(PAGE))


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


def test_corruption_met_at_run_time_ends_the_acknowledging_and_the_next_start_sets_the_file_aside(
    stopped: Path, tmp_path: Path, pager: Pager
) -> None:
    claxon = Process(tmp_path, config=config(pager))
    shutil.copytree(stopped, claxon.data)
    leaves = leaves_of(claxon.data, "event_ids")
    claxon.start()
    zero(claxon.data, leaves)

    def refused() -> bool:
        body = [EVENT | {"event_id": f"{n}/19"} for n in range(300)]
        return claxon.post(body)[0] != 202

    assert until(refused, 5)
    status, answer, headers = claxon.post([EVENT])
    assert status == 503
    assert "malformed: nothing is taken until Claxon has started again" in answer["detail"]
    assert headers["retry-after"] == "10"
    assert claxon.request("GET", "/-/ready")[0] == 503
    assert claxon.request("GET", "/-/healthy")[0] == 503
    assert claxon._process is not None
    assert claxon._process.wait(10) == CORRUPT

    with claxon:
        assert claxon.post([EVENT])[0] == 202
        [told] = pager.wait_for(1, within=15)
        assert told.json["commonLabels"]["alertname"] == "ClaxonDatabaseCorrupt"
        assert "malformed" in told.json["commonAnnotations"]["reason"]
        [one] = aside(claxon.data)
        assert one.path.stat().st_size > 100 * PAGE


def test_corruption_met_by_a_restart_ends_it_and_the_next_one_sets_the_file_aside(
    stopped: Path, tmp_path: Path, pager: Pager
) -> None:
    """Of what is met only there: a snapshot, or rows after it."""
    claxon = Process(tmp_path, config=config(pager))
    shutil.copytree(stopped, claxon.data)
    connection = sqlite3.connect(claxon.data / FILE)
    connection.execute("DELETE FROM snapshots")
    connection.commit()
    connection.close()
    zero(claxon.data, leaves_of(claxon.data, "event_log"))

    with pytest.raises(AssertionError):
        claxon.start()
    assert claxon._process is not None
    assert claxon._process.wait(10) == CORRUPT

    with claxon:
        assert len(aside(claxon.data)) == 1
        assert claxon.post([EVENT])[0] == 202


# ── one bad blob ──────────────────────────────────────────────────────────────────────────────────


def rot(connection: sqlite3.Connection, offset: int) -> None:
    """Change a byte of a row of the log, as a disk may."""
    body = bytearray(connection.execute("SELECT body FROM event_log WHERE offset = ?", (offset,)).fetchone()[0])
    body[len(body) // 2] ^= 0xFF
    connection.execute("UPDATE event_log SET body = ? WHERE offset = ?", (bytes(body), offset))


def rotten(folder: Path) -> Bench:
    """Return a core whose log has a row that the disk changed, and three apps that are paged for."""
    bench = Bench(folder)
    for app in ("shop", "cart", "search"):
        bench.post([{"model": "m", "app": app, "status": 401}])
    bench.ask(lambda: bench.core.connection.execute("DELETE FROM snapshots"))
    bench.ask(lambda: rot(bench.core.connection, 3))
    return bench


def test_a_row_of_the_log_that_cannot_be_read_does_not_keep_claxon_from_starting(tmp_path: Path) -> None:
    bench = rotten(tmp_path)

    bench.crash()

    firing = {alert.labels["app"] for alert in bench.ask(bench.core.engine.firing)}
    assert firing == {"shop", "search"}
    assert bench.ask(lambda: bench.core.tally.unreadable) == 1
    bench.post([{"model": "m", "app": "new", "status": 401}])
    assert len(bench.told()) == 4
    bench.close()


def test_verify_names_the_rows_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = rotten(tmp_path)
    bench.close()

    assert main(["verify", "--data", str(tmp_path)]) == 1
    assert "1 rows cannot be read (bit rot): 3" in capsys.readouterr().err


# ── the daily look ────────────────────────────────────────────────────────────────────────────────


def looked_at(folder: Path) -> Scrubbed:
    found, connection = Scrubbed(), open_database(folder)
    for _ in scrub(connection, found):
        pass
    connection.close()
    return found


def test_a_look_at_a_sound_database_finds_nothing_and_reads_all(data: Path) -> None:
    found = looked_at(data)

    assert (found.clean, found.unfinished) == (True, [])
    assert found.rows >= 300


def test_a_look_finds_a_row_that_the_disk_changed(data: Path) -> None:
    connection = open_database(data)
    rot(connection, 77)
    connection.close()

    assert looked_at(data).unreadable == [77]


@pytest.mark.parametrize("table", ["event_ids", "event_log"])
def test_a_look_finds_a_table_that_is_damaged(data: Path, table: str) -> None:
    zero(data, leaves_of(data, table))

    assert [said.partition(":")[0] for said in looked_at(data).damaged][:1] == [table]


def test_the_look_runs_beside_the_service_and_its_findings_are_paged(tmp_path: Path, pager: Pager) -> None:
    with Running(tmp_path, config=config(pager)) as claxon:
        claxon.post([EVENT])
        claxon.post([EVENT])
        claxon.core(lambda: rot(claxon.service.core.connection, 3))
        service = claxon.service
        service.scrubber = Scrubber(
            tmp_path / "data", service.watch_tally, clock=service.clock, steady=monotonic, first_s=0.0
        )
        service.scrubber.start()

        [told] = pager.wait_for(1, within=15)

        assert told.json["commonLabels"] == {
            "alertname": "ClaxonDatabaseCorrupt",
            "severity": "page",
            "file": FILE,
        }
        assert "row 3 cannot be read" in told.json["commonAnnotations"]["summary"]
        assert "claxon_scrub_damaged 1.0" in claxon.get("/metrics")


def test_the_look_rests_nine_tenths_of_the_time(data: Path) -> None:
    tally = WatchTally()
    scrubber = Scrubber(data, tally, clock=time.time, steady=monotonic, first_s=0.0)
    began = time.process_time()
    begin = monotonic()

    scrubber.start()
    assert until(lambda: tally.scrubbed_at, 20)
    took, used = monotonic() - begin, time.process_time() - began
    scrubber.stop()

    assert used < took / 3
