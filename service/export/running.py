"""Running: reads what is wanted, writes it by the name's ending, and says how much it was.

≠ the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..search.wanted import Wanted
from ..storage.connecting import Connection
from . import rows
from .destination import written
from .ndjson import LinesFile
from .parquet import ParquetFile

ENDINGS = (".parquet", ".ndjson", ".ndjson.zst")
"""Of a file's name: they say what is written."""

Table: TypeAlias = ParquetFile | LinesFile


class UnknownEnding(Exception):
    """A file's name has none of the endings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written: events, the file's bytes, the earliest and the latest instant (None without an event)."""

    events: int
    bytes: int
    oldest: float | None
    newest: float | None


def export(connection: Connection, wanted: Wanted, path: Path, *, replace: bool) -> Exported:
    """Write the wanted events of the log to a file, in the order in which they came.

    Raises:
        UnknownEnding: The name does not say how.
        InTheWay: The file is there already.
        NeedsPyarrow: Parquet cannot be written.
        OSError: The file cannot be written.
        DatabaseError: The log cannot be read.
    """
    if not path.name.endswith(ENDINGS):
        raise UnknownEnding
    events, oldest, newest = 0, float("inf"), float("-inf")
    with written(path, replace=replace) as temporary:
        with _table(path, temporary) as table:
            for received_at, found in rows.events(connection, wanted.test(), since=wanted.since):
                table.add(found, received_at=received_at)
                events += len(found)
                instants = [event.at for event in found]
                oldest, newest = min(oldest, *instants), max(newest, *instants)
        size = temporary.stat().st_size
    return Exported(events=events, bytes=size, oldest=oldest if events else None, newest=newest if events else None)


def _table(path: Path, temporary: Path) -> Table:
    if path.suffix == ".parquet":
        return ParquetFile(temporary)
    return LinesFile(temporary, zstd=path.suffix == ".zst")
