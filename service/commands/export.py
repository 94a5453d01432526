"""`claxon export`: writes events of the log to a file, beside a Claxon that runs or without one.

≠ how it is read or written.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .data import VARIABLES, add_data, data_of
from .saying import add_json, refuse, say_json, wants_json

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
    export.add_argument("file", type=Path, metavar="FILE", help="is made; its ending says what is written")
    add_data(export)
    export.add_argument("--since", default="", metavar="TIME", help="such as 24h (ago) or 2026-11-25T00:00:00Z")
    export.add_argument("--until", default="", metavar="TIME", help="the same")
    export.add_argument("--app", help="only this one")
    export.add_argument("--environment", help="only this one")
    export.add_argument("--outcome", default="all", choices=["all", "failed", "ok"], help="default %(default)s")
    export.add_argument("--force", action="store_true", help="replace a file that is there")
    add_json(
        export,
        {
            "file": "what was written",
            "events": "how many are in it",
            "bytes": "its size",
            "seconds": "how long it took",
            "oldest": "the oldest event's time, RFC 3339; null if there is none",
            "newest": "the newest event's",
        },
        exits={0: "written", 1: "failed", 2: "asked for wrongly"},
        variables=VARIABLES,
    )
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
            return refuse(options, f"--{name}: {fault}")
        if at is not None:
            wanted = replace(wanted, since=at) if name == "since" else replace(wanted, until=at)
    return _write(options, wanted)


def _write(options: argparse.Namespace, wanted: Wanted) -> int:
    from ..export.destination import InTheWay
    from ..export.parquet import NeedsPyarrow
    from ..export.running import ENDINGS, UnknownEnding, export
    from ..search.scanning import UnreadableRow
    from ..storage.database import StorageError, open_reader
    from ..storage.errors import DatabaseError

    file: Path = options.file
    begin = time.perf_counter()
    try:
        connection = open_reader(data_of(options))
    except StorageError as fault:
        return refuse(options, fault)
    try:
        done = export(connection, wanted, file, replace=options.force)
    except UnknownEnding:
        return refuse(options, f"{file}: its name does not say what to write: end it in {', '.join(ENDINGS)}")
    except InTheWay:
        return refuse(options, f"{file}: there already: name another file, or replace it by --force")
    except NeedsPyarrow:
        name = file.with_suffix(".ndjson.zst").name
        said = f"{file}: Parquet needs pyarrow: pip install 'claxon-server[parquet]', or write {name}"
        return refuse(options, said)
    except UnreadableRow as fault:
        return refuse(options, f"{fault}; nothing was written", status=1)
    except (OSError, DatabaseError) as fault:
        return refuse(options, f"{file}: {fault}: nothing was written", status=1)
    finally:
        connection.close()
    seconds = time.perf_counter() - begin
    if wants_json(options):
        oldest, newest = (_shown(at) if at is not None else None for at in (done.oldest, done.newest))
        counts = {"events": done.events, "bytes": done.bytes, "seconds": round(seconds, 3)}
        say_json({"file": str(file), **counts, "oldest": oldest, "newest": newest})
        return 0
    rate = done.events / seconds if seconds > 0 else 0.0
    print(f"{file}: {done.events:,} events, {done.bytes / 1e6:,.1f} MB, in {seconds:.1f} s ({rate:,.0f}/s)")
    if done.oldest is not None and done.newest is not None:
        print(f"from {_shown(done.oldest)} to {_shown(done.newest)}")
    return 0


def _shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
