"""What a damaged page does not hold is salvaged, whichever page it is, and the file is only read."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from service.cli import main
from service.storage.database import open_file
from tests.support.bench import Bench

FILE = "claxon.sqlite3"
PAGE = 8192


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a stopped service: a log of 300 batches on many pages, and one page that was told."""
    folder, chance = tmp_path_factory.mktemp("sound"), random.Random(2)
    bench = Bench(folder)
    for i in range(300):
        event = {"model": "m", "app": "shop", "status": 401 if i == 5 else 200, "event_id": f"e{i}"}
        bench.post([event, *({"model": "m", "call_id": chance.randbytes(40).hex()} for _ in range(100))])
    bench.close()
    return folder


def count(folder: Path, table: str) -> int:
    connection = open_file(folder / FILE)
    [rows] = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(rows)


def test_a_sound_database_is_salvaged_whole(sound: Path, tmp_path: Path) -> None:
    before = (sound / FILE).read_bytes()

    assert main(["salvage", str(sound / FILE), "--data", str(tmp_path / "new")]) == 0

    assert main(["verify", "--data", str(tmp_path / "new")]) == 0
    assert [count(tmp_path / "new", t) for t in ("event_log", "event_ids", "ledger", "outbox")] == [
        count(sound, t) for t in ("event_log", "event_ids", "ledger", "outbox")
    ]
    assert (sound / FILE).read_bytes() == before


@pytest.mark.parametrize("seed", range(8))
def test_one_page_that_is_gone_costs_little_of_the_rest(sound: Path, tmp_path: Path, seed: int) -> None:
    damaged = shutil.copytree(sound, tmp_path / "damaged")
    raw = bytearray((damaged / FILE).read_bytes())
    page = random.Random(seed).randrange(40, len(raw) // PAGE)
    raw[page * PAGE : (page + 1) * PAGE] = random.Random(seed).randbytes(PAGE)
    (damaged / FILE).write_bytes(raw)

    status = main(["salvage", str(damaged / FILE), "--data", str(tmp_path / "new")])

    assert status in (0, 1)
    assert count(tmp_path / "new", "event_log") > 0.9 * count(sound, "event_log")
    bench = Bench(tmp_path / "new")
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.close()


def test_what_is_salvaged_goes_to_an_empty_folder(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_bytes(b"another one")

    assert main(["salvage", str(sound / FILE), "--data", str(tmp_path)]) == 2

    assert "holds a database: name an empty folder" in capsys.readouterr().err
    assert (tmp_path / FILE).read_bytes() == b"another one"


def test_a_file_without_a_schema_is_said_to_be_beyond_it(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone.db").write_bytes(bytes(PAGE) + (sound / FILE).read_bytes()[PAGE:])

    assert main(["salvage", str(tmp_path / "gone.db"), "--data", str(tmp_path / "new")]) == 2

    assert "not even its schema can be read" in capsys.readouterr().err
