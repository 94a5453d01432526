"""A bare FastAPI endpoint that takes the same events: what a team writes in an afternoon, in four ways.

Run by benchmarks.peers: MODE=rows DB=FILE python -m uvicorn benchmarks.bare_endpoint:app

- `decode`: msgspec decodes, nothing is kept.
- `blob`: msgspec decodes, the body is kept as it came; what waits shares a commit.
- `rows`: msgspec decodes, a row an event, a commit a request.
- `pydantic`: `list[BaseModel]` as FastAPI's tutorial has it, a row an event, a commit a request.

SQLite, write-ahead log, synchronous=FULL: what is answered is on the disk. Nothing is judged, deduplicated or told.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel


class Record(msgspec.Struct, gc=False):
    """One event."""

    time: float
    app: str
    path: str
    model: str
    attempt: int
    max_attempts: int
    final: bool
    tokens: int
    input_tokens: int
    output_tokens: int
    duration_ms: float
    request_id: str
    call_id: str
    trace_id: str
    status: int
    error_type: str | None = None


class Model(BaseModel):
    """The same, checked by pydantic."""

    time: float
    app: str
    path: str
    model: str
    attempt: int
    max_attempts: int
    final: bool
    tokens: int
    input_tokens: int
    output_tokens: int
    duration_ms: float
    request_id: str
    call_id: str
    trace_id: str
    status: int
    error_type: str | None = None


FIELDS = Record.__struct_fields__


class Store:
    """One connection and the one thread that writes."""

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS bodies (n INTEGER, body BLOB)")
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS records ({', '.join(FIELDS)})")
        self._insert = f"INSERT INTO records VALUES ({', '.join('?' * len(FIELDS))})"
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[int, bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add_rows(self, rows: list[Sequence[Any]]) -> None:
        """Commit rows."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, self._insert, rows)

    async def add_body(self, n: int, body: bytes) -> None:
        """Commit a body together with the others that wait."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((n, body, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_bodies())
        await done

    def count(self) -> int:
        """Return how many events are kept."""
        in_bodies = self._connection.execute("SELECT coalesce(sum(n), 0) FROM bodies").fetchone()[0]
        return int(in_bodies + self._connection.execute("SELECT count(*) FROM records").fetchone()[0])

    async def _write_bodies(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            rows = [(n, body) for n, body, _ in group]
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._write, "INSERT INTO bodies VALUES (?, ?)", rows)
            for _, _, done in group:
                done.set_result(None)
        self._writer = None

    def _write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(statement, rows)
        self._connection.execute("COMMIT")


app = FastAPI()
_mode = os.environ.get("MODE", "rows")
_store = Store(os.environ.get("DB", ":memory:"))
_decoder = msgspec.json.Decoder(list[Record])


async def _take(request: Request) -> Response:
    body = await request.body()
    records = _decoder.decode(body)
    if _mode == "blob":
        await _store.add_body(len(records), body)
    elif _mode == "rows":
        await _store.add_rows(list(map(msgspec.structs.astuple, records)))
    return Response(status_code=202)


async def _take_models(models: list[Model]) -> Response:
    await _store.add_rows([tuple(getattr(model, name) for name in FIELDS) for model in models])
    return Response(status_code=202)


app.add_api_route("/v1/events", _take_models if _mode == "pydantic" else _take, methods=["POST"])


@app.get("/count")
def count() -> dict[str, int]:
    """Return how many events are kept."""
    return {"n": _store.count()}
