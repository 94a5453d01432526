"""`claxon export`: what was posted stands in the file, typed, as a whole or not at all, while a service runs or not."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import zstandard
from claxon.event import FIELDS, RateLimits

from service.cli import main
from service.export.columns import COLUMNS
from tests.support.event_rows import Rows
from tests.support.events import NOON
from tests.support.running import Running

WHOLE: dict[str, Any] = {
    "time": NOON - 1.25,
    "app": "shop",
    "environment": "prod",
    "path": "/checkout",
    "model": "claude-test",
    "attempt": 2,
    "max_attempts": 3,
    "final": True,
    "exhausted": False,
    "error_type": "api_error",
    "status": 500,
    "error_code": "e_1",
    "error_message": "it broke",
    "max_tokens": 2**40,
    "input_tokens": 1,
    "output_tokens": 2,
    "cache_read_tokens": 3,
    "cache_write_tokens": 4,
    "duration_ms": 12.5,
    "time_to_first_token_ms": 3.5,
    "retry_after_s": 1.5,
    "call_id": "c",
    "request_id": "r",
    "trace_id": "t",
    "span_id": "s",
    "event_id": "e",
    "ratelimit": {
        "requests_limit": 50,
        "requests_remaining": 3,
        "requests_reset": "2026-09-22T10:00:00Z",
        "tokens_reset": 5,
    },
    "stream_end": "error_event",
    "fallback_from": "claude-other",
    "cached": False,
    "circuit": "half_open",
    "stopped_by": "deadline",
    "throttled_ms": 40.5,
    "stop_reason": "end_turn",
    "model_end_of_life": "2027-01-01",
    "attributes": {"region": "eu", "shard": "7"},
}


def fill(folder: Path) -> None:
    rows = Rows(folder)
    rows.append([WHOLE, {"model": "m", "status": 200}], at=NOON)
    rows.append([{"model": "m", "app": "cart", "status": 500}, {"model": "m", "app": "cart"}], at=NOON + 60, skip=[0])
    rows.append([{"model": "m", "app": "cart", "status": 429, "time": NOON + 3000}], at=NOON + 3600)
    rows.close()


def run(folder: Path, file: Path, *more: str) -> int:
    return main(["export", "--data", str(folder), str(file), *more])


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_parquet_file_has_each_field_in_a_column_of_its_type(tmp_path: Path) -> None:
    fill(tmp_path)

    assert run(tmp_path, tmp_path / "all.parquet") == 0

    table = pyarrow.parquet.read_table(tmp_path / "all.parquet")
    first = table.slice(0, 1).to_pylist()[0]
    assert table.num_rows == 4
    assert table.schema.names == [*(column.name for column in COLUMNS), "received_at"]
    assert first["time"] == datetime.fromtimestamp(NOON - 1.25, UTC)
    assert first["received_at"] == datetime.fromtimestamp(NOON, UTC)
    assert first["category"] == "server"
    assert first["tokens"] == first["max_tokens"] == 2**40
    assert first["ratelimit_requests_limit"] == 50.0
    assert first["ratelimit_requests_reset"] == datetime(2026, 9, 22, 10, tzinfo=UTC)
    assert first["ratelimit_tokens_reset"] == datetime.fromtimestamp(5, UTC)
    assert first["ratelimit_tokens_limit"] is None
    assert dict(first["attributes"]) == WHOLE["attributes"]
    same = WHOLE.keys() - {"time", "ratelimit", "attributes"}
    assert {name: first[name] for name in same} == {name: WHOLE[name] for name in same}


def test_every_field_that_an_event_may_have_has_a_column() -> None:
    named = {column.name for column in COLUMNS}

    assert named >= FIELDS.keys() - {"ratelimit"}
    assert named >= {f"ratelimit_{name}" for name in RateLimits.__struct_fields__}


@pytest.mark.parametrize("ending", [".ndjson", ".ndjson.zst"])
def test_lines_are_in_the_shape_that_was_posted_with_what_was_derived(tmp_path: Path, ending: str) -> None:
    fill(tmp_path)
    file = tmp_path / f"all{ending}"

    assert run(tmp_path, file) == 0

    body = file.read_bytes()
    if ending.endswith(".zst"):
        body = zstandard.ZstdDecompressor().stream_reader(body).read()
    found = [json.loads(line) for line in body.splitlines()]
    assert len(found) == 4
    assert found[0].items() >= {name: WHOLE[name] for name in ("app", "status", "attributes", "error_code")}.items()
    assert found[0]["category"] == "server"
    assert found[1]["app"] == "default"


def test_only_what_is_asked_for_is_written(tmp_path: Path) -> None:
    fill(tmp_path)

    asked = {
        "failed": ["--outcome", "failed"],
        "ok": ["--outcome", "ok"],
        "cart": ["--app", "cart"],
        "late": ["--since", str(NOON + 3000)],
        "early": ["--until", str(NOON + 60)],
    }
    for name, flags in asked.items():
        assert run(tmp_path, tmp_path / f"{name}.ndjson", *flags) == 0

    assert {name: len(lines(tmp_path / f"{name}.ndjson")) for name in asked} == {
        "failed": 2,
        "ok": 2,
        "cart": 2,
        "late": 1,
        "early": 3,
    }


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path)
    file = tmp_path / "mine.ndjson"
    file.write_text("precious")

    refused = run(tmp_path, file)
    said = capsys.readouterr().err

    assert refused == 2
    assert "there already: name another file, or replace it by --force" in said
    assert file.read_text() == "precious"
    assert run(tmp_path, file, "--force") == 0
    assert len(lines(file)) == 4


def test_what_fails_leaves_no_file_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    rows = Rows(tmp_path)
    rows.connection.execute("UPDATE event_log SET body = x'00' WHERE offset = 2")
    rows.close()

    assert run(tmp_path, tmp_path / "all.ndjson") == 1

    assert "nothing was written" in capsys.readouterr().err
    assert [name for name in os.listdir(tmp_path) if "ndjson" in name] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["all.csv"], "end it in .parquet, .ndjson, .ndjson.zst"),
        (["all.ndjson", "--since", "soon"], "--since: 'soon': write how long ago"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_remedy(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path)
    file, *flags = arguments

    assert run(tmp_path, tmp_path / file, *flags) == 2

    assert says in capsys.readouterr().err


def test_without_its_library_parquet_is_refused_and_how_to_get_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    assert run(tmp_path, tmp_path / "all.parquet") == 2

    assert "pip install 'claxon-server[parquet]', or write all.ndjson.zst" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.parquet*"))


def test_many_row_groups_hold_every_event_once_and_in_order(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    for number in range(40):
        rows.append(
            [{"model": "m", "status": 200, "request_id": f"{number}/{i}"} for i in range(4000)], at=NOON + number
        )
    rows.close()

    assert run(tmp_path, tmp_path / "all.parquet") == 0

    file = pyarrow.parquet.ParquetFile(tmp_path / "all.parquet")
    assert file.metadata.num_row_groups == 3
    ids = file.read(["request_id"]).column(0).to_pylist()
    assert ids == [f"{number}/{i}" for number in range(40) for i in range(4000)]


def test_a_running_service_is_exported_from_and_goes_on(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([{"model": "m", "status": 500, "request_id": "r1", "time": time.time()}])

        assert run(tmp_path / "data", tmp_path / "now.ndjson") == 0

        assert [line["request_id"] for line in lines(tmp_path / "now.ndjson")] == ["r1"]
        assert claxon.post([{"model": "m", "status": 200}])[0] == 202
