"""`claxon export`: writes events of the log to a file, beside a Claxon that runs or without one.

≠ how it is read or written.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import DEFAULT_DATA

if TYPE_CHECKING:
    from ..search.wanted import Wanted


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    export = commands.add_parser(
        "export",
        help="write events of the log to a Parquet or NDJSON file",
        description="Writes events, in the order in which they came, to FILE.parquet, FILE.ndjson or FILE.ndjson.zst. "
        "The file is there as a whole or not at all. Exit status: 0 written, 1 failed, 2 asked for wrongly.",
    )
    export.add_argument("file", type=Path, metavar="FILE")
    export.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="default ./%(default)s")
    export.add_argument("--since", default="", metavar="TIME", help="such as 24h (ago) or 2026-11-25T00:00:00Z")
    export.add_argument("--until", default="", metavar="TIME", help="the same")
    export.add_argument("--app", help="only this one")
    export.add_argument("--environment", help="only this one")
    export.add_argument("--outcome", default="all", choices=["all", "failed", "ok"], help="default %(default)s")
    export.add_argument("--force", action="store_true", help="replace a file that is there")
    export.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> int:
    from ..clock import now
    from ..instants import InstantError, parse_instant
    from ..search.wanted import Outcome, Wanted

    wanted = Wanted(app=options.app, environment=options.environment, outcome=Outcome(options.outcome))
    for name in ("since", "until"):
        try:
            at = parse_instant(getattr(options, name), now=now())
        except InstantError as fault:
            return _refuse(f"--{name}: {fault}")
        if at is not None:
            wanted = replace(wanted, since=at) if name == "since" else replace(wanted, until=at)
    return _write(options.data, wanted, options.file, force=options.force)


def _write(data: Path, wanted: Wanted, file: Path, *, force: bool) -> int:
    from ..export.destination import InTheWay
    from ..export.parquet import NeedsPyarrow
    from ..export.running import ENDINGS, UnknownEnding, export
    from ..search.scanning import UnreadableRow
    from ..storage.database import StorageError, open_reader

    begin = time.perf_counter()
    try:
        connection = open_reader(data)
    except StorageError as fault:
        return _refuse(str(fault))
    try:
        done = export(connection, wanted, file, replace=force)
    except UnknownEnding:
        return _refuse(f"{file}: its name does not say what to write: end it in {', '.join(ENDINGS)}")
    except InTheWay:
        return _refuse(f"{file}: there already: name another file, or replace it by --force")
    except NeedsPyarrow:
        name = file.with_suffix(".ndjson.zst").name
        return _refuse(f"{file}: Parquet needs pyarrow: pip install 'claxon-server[parquet]', or write {name}")
    except UnreadableRow as fault:
        print(f"claxon: {fault}; nothing was written", file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as fault:
        print(f"claxon: {file}: {fault}: nothing was written", file=sys.stderr)
        return 1
    finally:
        connection.close()
    seconds = time.perf_counter() - begin
    rate = done.events / seconds if seconds > 0 else 0.0
    print(f"{file}: {done.events:,} events, {done.bytes / 1e6:,.1f} MB, in {seconds:.1f} s ({rate:,.0f}/s)")
    if done.oldest is not None and done.newest is not None:
        print(f"from {_shown(done.oldest)} to {_shown(done.newest)}")
    return 0


def _shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _refuse(problem: str) -> int:
    print(f"claxon: {problem}", file=sys.stderr)
    return 2
