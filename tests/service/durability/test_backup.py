"""A backup is made while Claxon runs, is of one instant, proves itself, and what is restored from it goes on."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.proof import prove
from service.storage.copying import copy_database
from service.storage.database import open_file, open_reader
from tests.support.bench import Bench
from tests.support.pager import Pager
from tests.support.running import Process, Running, until

FILE = "claxon.sqlite3"
EVENT = {"model": "m", "app": "shop", "status": 200}


def claxon(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of its own, as cron does."""
    command = [sys.executable, "-m", "service", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def config(pager: Pager) -> str:
    return (
        f'route: {{receiver: on-call}}\nreceivers: [{{name: on-call, webhook_configs: [{{url: "{pager.url}/hook"}}]}}]'
    )


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return the folder of a stopped service."""
    bench = Bench(tmp_path / "data")
    for app in ("shop", "cart", "search"):
        bench.post([{"model": "m", "app": app, "status": 401}])
        bench.wait(10)
    bench.close()
    return tmp_path / "data"


def rows_of(file: Path) -> int:
    connection = open_file(file)
    [count] = connection.execute("SELECT sum(n) FROM event_log").fetchone()
    connection.close()
    return int(count)


# ── a backup ──────────────────────────────────────────────────────────────────────────────────────


def test_a_backup_beside_a_service_under_load_is_of_one_instant_and_proves_itself(tmp_path: Path) -> None:
    with Process(tmp_path) as service:
        acknowledged = 0
        ended = threading.Event()

        def post() -> None:
            nonlocal acknowledged
            while not ended.is_set():
                if service.post([EVENT] * 50)[0] == 202:
                    acknowledged += 50

        sender = threading.Thread(target=post)
        sender.start()
        try:
            assert until(lambda: acknowledged > 2000, 20)
            before = acknowledged
            done = claxon("backup", tmp_path / "nightly.db", "--data", service.data)
            after = acknowledged
        finally:
            ended.set()
            sender.join()

    assert done.returncode == 0, done.stderr
    assert "sound\nproved: " in done.stdout
    assert after > before, "events are taken meanwhile"
    assert before <= rows_of(tmp_path / "nightly.db") <= after + 50
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "nightly.db", "serve.log"]
    assert (tmp_path / "nightly.db").stat().st_mode & 0o777 == 0o600


def test_a_backup_needs_no_service(data: Path, tmp_path: Path) -> None:
    assert main(["backup", str(tmp_path / "b.db"), "--data", str(data)]) == 0

    assert rows_of(tmp_path / "b.db") == 3


def test_a_backup_is_replaced_only_where_that_is_wanted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "b.db"
    target.write_text("last night's")

    assert main(["backup", str(target), "--data", str(data)]) == 2
    assert "is there already: name another file, or replace it by --force" in capsys.readouterr().err
    assert target.read_text() == "last night's"

    assert main(["backup", str(target), "--data", str(data), "--force"]) == 0
    assert rows_of(target) == 3


def test_a_backup_of_a_damaged_database_does_not_replace_the_last_good_one(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "b.db"
    main(["backup", str(target), "--data", str(data)])
    good = target.read_bytes()
    connection = sqlite3.connect(data / FILE)
    [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ledger_what'").fetchone()
    connection.close()
    with (data / FILE).open("r+b") as file:
        file.seek((page - 1) * 8192)
        file.write(bytes(8192))

    assert main(["backup", str(target), "--data", str(data), "--force"]) == 2

    assert "damaged, as what it was copied from must be" in capsys.readouterr().err
    assert target.read_bytes() == good
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_backup_whose_log_does_not_prove_its_ledger_is_kept_and_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = sqlite3.connect(data / FILE)
    connection.execute("DELETE FROM event_log WHERE offset = 3")
    connection.commit()
    connection.close()

    assert main(["backup", str(tmp_path / "b.db"), "--data", str(data)]) == 1

    assert "NOT proved" in capsys.readouterr().out
    assert rows_of(tmp_path / "b.db") == 2


def test_a_copy_is_not_begun_anew_by_the_commits_that_come_meanwhile(tmp_path: Path) -> None:
    """Else it would never end: between any two slices something is committed."""
    bench = Bench(tmp_path / "data")
    chance = random.Random(1)
    for _ in range(60):
        bench.post([EVENT | {"call_id": chance.randbytes(60).hex()} for _ in range(300)])
    reader = open_reader(tmp_path / "data")
    slices = 0

    def commit() -> None:
        nonlocal slices
        slices += 1
        bench.post([EVENT])

    size = copy_database(reader, tmp_path / "copy.db", rest=commit)
    reader.close()
    bench.close()

    assert slices == -(-size // (128 * 8192)) > 1
    copy = open_file(tmp_path / "copy.db")
    assert prove(copy).same
    copy.close()
    assert rows_of(tmp_path / "copy.db") == 60 * 300


# ── put back ──────────────────────────────────────────────────────────────────────────────────────


def told(pager: Pager) -> list[tuple[str, str]]:
    return [(one.json["commonLabels"]["app"], one.json["status"]) for one in pager.received]


def state_of(service: Process) -> dict[str, Any]:
    """Return what people and senders would notice if it were another."""
    alerts = [alert["alert"] for alert in service.get("/v1/alerts")["alerts"]]
    kept = ("fingerprint", "episode", "state", "active_at", "fired_at", "acked_by", "labels")
    counted = [line for line in service.get("/metrics").splitlines() if line.startswith("claxon_attempts_total")]
    return {
        "alerts": sorted(json.dumps({name: alert.get(name) for name in kept}) for alert in alerts),
        "silences": service.get("/api/v2/silences"),
        "counted": counted,
        "deliveries": service.get("/v1/deliveries?limit=100"),
    }


SILENCE = {
    "matchers": [{"name": "app", "value": "cart", "isRegex": False, "isEqual": True}],
    "startsAt": "2020-01-01T00:00:00Z",
    "createdBy": "ada",
    "comment": "known",
}


def test_what_is_restored_is_as_it_was_and_tells_nobody_again(tmp_path: Path, pager: Pager) -> None:
    with Process(tmp_path, config=config(pager)) as service:
        service.post([{"model": "m", "app": "shop", "status": 401}], Idempotency_Key="k1")
        service.post([EVENT | {"event_id": "e1"}])
        pager.wait_for(1, within=10)
        [name] = [alert["alert"]["fingerprint"] for alert in service.get("/v1/alerts")["alerts"]]
        headers = {"Content-Type": "application/json"}
        assert service.request("POST", f"/v1/alerts/{name}/ack", b'{"by": "ada"}', headers)[0] == 200
        silence = json.dumps(SILENCE | {"endsAt": _tomorrow()}).encode()
        assert service.request("POST", "/api/v2/silences", silence, headers)[0] == 200
        assert until(lambda: all(d["ended_at"] for d in service.get("/v1/deliveries")["deliveries"]), 10)
        before = state_of(service)
        assert claxon("backup", tmp_path / "b.db", "--data", service.data).returncode == 0
        link = told_link(pager)
    shutil.rmtree(service.data)

    assert claxon("restore", tmp_path / "b.db", "--data", service.data).returncode == 0

    with service:
        assert state_of(service) == before
        first = service.post([{"model": "m", "app": "shop", "status": 401}], Idempotency_Key="k1")
        again = service.post([EVENT | {"event_id": "e1"}])
        assert (first[0], again[0]) == (202, 202)
        assert state_of(service)["counted"] == before["counted"], "keys and ids are known as before"
        assert service.request("GET", link)[0] == 200, "links in pages that were sent are good"
        # The silence is in force, and a new alert pages as ever.
        service.post([{"model": "m", "app": "cart", "status": 401}])
        service.post([{"model": "m", "app": "search", "status": 401}])
        pager.wait_for(2, within=10)
        assert claxon("verify", "--data", service.data).returncode == 0
    assert told(pager) == [("shop", "firing"), ("search", "firing")]


def _tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def told_link(pager: Pager) -> str:
    """Return the path of the link by which a page is acknowledged."""
    text = json.dumps(pager.received[0].json)
    return "/a/" + text.split("/a/", 1)[1].split('"', 1)[0]


def test_a_page_that_waited_when_the_backup_was_made_comes_again_with_the_same_key(tmp_path: Path) -> None:
    """That is all that may come twice, and a receiver that knows keys takes it as one."""
    with Pager() as late:
        with Process(tmp_path, config=config(late).replace(late.url, "http://127.0.0.1:9")) as service:
            service.post([{"model": "m", "app": "shop", "status": 401}])
            assert until(lambda: service.get("/v1/deliveries")["deliveries"], 10)
            [row] = service.get("/v1/deliveries")["deliveries"]
            assert claxon("backup", tmp_path / "b.db", "--data", service.data).returncode == 0
        shutil.rmtree(service.data)
        assert claxon("restore", tmp_path / "b.db", "--data", service.data).returncode == 0

        with Process(tmp_path, config=config(late)) as service:
            assert until(lambda: late.received or not service.get("/v1/deliveries")["deliveries"], 40)
            keys = {one.headers["idempotency-key"] for one in late.received}

    assert len(keys) == 1
    assert row["state"] == "pending"


def test_a_database_that_is_there_is_set_aside_or_kept_and_never_replaced(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["backup", str(tmp_path / "b.db"), "--data", str(data)])
    before = (data / FILE).read_bytes()

    assert main(["restore", str(tmp_path / "b.db"), "--data", str(data)]) == 2
    assert "is there already: name an empty folder, or set it aside by --force" in capsys.readouterr().err
    assert (data / FILE).read_bytes() == before

    assert main(["restore", str(tmp_path / "b.db"), "--data", str(data), "--force"]) == 0
    [kept] = list(data.glob(f"{FILE}.replaced-*Z"))
    assert kept.read_bytes() == before
    assert rows_of(data / FILE) == 3
    assert main(["verify", "--data", str(data)]) == 0


def test_nothing_is_restored_under_a_service_that_runs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["backup", str(tmp_path / "b.db"), "--data", str(data)])
    bench = Bench(data)

    assert main(["restore", str(tmp_path / "b.db"), "--data", str(data), "--force"]) == 2

    assert "in use: another Claxon runs on it" in capsys.readouterr().err
    bench.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"my precious notes" * 1000, "not a database"),
        (None, "not there"),
        (b"", "no database of Claxon's"),
    ],
)
def test_what_is_no_backup_is_not_restored(
    tmp_path: Path, content: bytes | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "b.db").write_bytes(content)

    assert main(["restore", str(tmp_path / "b.db"), "--data", str(tmp_path / "new")]) == 2

    assert said in capsys.readouterr().err
    assert not (tmp_path / "new" / FILE).exists()


def test_a_damaged_backup_is_not_restored(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["backup", str(tmp_path / "b.db"), "--data", str(data)])
    raw = (tmp_path / "b.db").read_bytes()
    (tmp_path / "b.db").write_bytes(raw[: len(raw) - 3 * 8192])

    assert main(["restore", str(tmp_path / "b.db"), "--data", str(data), "--force"]) == 2

    assert "malformed" in capsys.readouterr().err
    assert rows_of(data / FILE) == 3


def test_a_service_starts_on_a_backup_that_was_put_there_by_hand(data: Path, tmp_path: Path) -> None:
    main(["backup", str(tmp_path / "b.db"), "--data", str(data)])
    (tmp_path / "other/data").mkdir(parents=True)
    shutil.copy(tmp_path / "b.db", tmp_path / "other/data" / FILE)

    with Running(tmp_path / "other") as service:
        assert service.post([EVENT])[0] == 202
