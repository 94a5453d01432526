"""Parquet: events as columns, a row group at a time.

≠ which events.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from claxon.event import Event

from .columns import COLUMNS, Kind

ROWS = 65_536
"""Of a row group."""

_PORTION = 8_192  # events that are turned into columns at once: as objects they are large


class NeedsPyarrow(Exception):
    """The library that writes Parquet is not installed."""


class ParquetFile:
    """A table that is written event by event; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Begin a file.

        Raises:
            NeedsPyarrow: The library is not installed.
            OSError: It cannot be written.
        """
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as fault:
            raise NeedsPyarrow from fault
        self._arrow = pyarrow
        self._schema = _schema(pyarrow)
        self._file = pyarrow.parquet.ParquetWriter(str(path), self._schema, compression="zstd")
        self._events: list[Event] = []
        self._received: list[int] = []
        self._portions: list[Any] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._turn()
            self._group()
        self._file.close()

    def add(self, events: Iterable[Event], *, received_at: float) -> None:
        """Append events that were received at an instant."""
        for event in events:
            self._events.append(event)
            self._received.append(round(received_at * 1e6))
            if len(self._events) == _PORTION:
                self._turn()

    def _turn(self) -> None:
        """Turn the events that wait into columns."""
        if not self._events:
            return
        arrays = [
            self._arrow.array(list(map(column.read, self._events)), type=field.type)
            for column, field in zip(COLUMNS, self._schema, strict=False)
        ]
        arrays.append(self._arrow.array(self._received, type=self._schema.field("received_at").type))
        self._portions.append(self._arrow.record_batch(arrays, schema=self._schema))
        self._rows += len(self._events)
        self._events, self._received = [], []
        if self._rows >= ROWS:
            self._group()

    def _group(self) -> None:
        if self._portions:
            self._file.write_table(self._arrow.Table.from_batches(self._portions), row_group_size=ROWS)
        self._portions, self._rows = [], 0


def _schema(pyarrow: Any) -> Any:
    kinds = {
        Kind.TEXT: pyarrow.string(),
        Kind.INTEGER: pyarrow.int64(),
        Kind.NUMBER: pyarrow.float64(),
        Kind.TRUTH: pyarrow.bool_(),
        Kind.INSTANT: pyarrow.timestamp("us", tz="UTC"),
        Kind.TEXTS: pyarrow.map_(pyarrow.string(), pyarrow.string()),
    }
    fields = [pyarrow.field(column.name, kinds[column.kind]) for column in COLUMNS]
    return pyarrow.schema([*fields, pyarrow.field("received_at", kinds[Kind.INSTANT])])
