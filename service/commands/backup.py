"""`claxon backup`, `restore` and `salvage`: the database in one file, proved, put back, or what is left of it.

≠ how it is copied.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import DEFAULT_DATA
from ..storage.places import folder_of, place_of
from .data import VARIABLES, add_data, data_of
from .saying import add_json, refuse, say_json, wants_json

if TYPE_CHECKING:
    from ..backups import Backup


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    backup = commands.add_parser(
        "backup",
        help="copy the database to a file, while Claxon runs or not",
        description="Copies the database of one instant to FILE, beside a Claxon that runs or without one, checks the "
        "copy, decides its log again and compares. Exit status: 0 done, 1 written, but its log does not prove its "
        "ledger, 2 not written.",
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="is made; never half of it under this name")
    add_data(backup, said=f"a folder; default ./{DEFAULT_DATA}")
    backup.add_argument("--force", action="store_true", help="replace FILE if it is there")
    backup.add_argument("--no-proof", action="store_true", help="do not decide the log again: quicker, if it is long")
    add_json(
        backup,
        {
            "file": "the copy",
            "bytes": "its size",
            "seconds": "how long it took",
            "offset": "up to which row of the log",
            "proof": "same, decisions, events: what deciding the copy's log again came to; null if that was not done, "
            "or there is nothing to prove yet",
        },
        exits={0: "done", 1: "written, but its log does not prove its ledger", 2: "not written"},
        variables=VARIABLES,
    )
    backup.set_defaults(command=_backup)
    restore = commands.add_parser(
        "restore",
        help="put a backup into the data folder of a stopped Claxon",
        description="Checks FILE, and puts it where `claxon serve` finds it. Exit status: 0 done, 2 nothing changed.",
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="what `claxon backup` wrote")
    restore.add_argument("--data", type=place_of, required=True, metavar="DIR", help="made where it is not there")
    restore.add_argument("--force", action="store_true", help="set a database that is there aside, under another name")
    add_json(
        restore,
        {"data": "the data folder", "set_aside": "where what was there lies now; null if nothing was"},
        exits={0: "done", 2: "nothing changed"},
    )
    restore.set_defaults(command=_restore)
    salvage = commands.add_parser(
        "salvage",
        help="copy what can still be read of a corrupt database into a new one",
        description="Reads past what is damaged in FILE and in the write-ahead log beside it, changes neither, and "
        "makes a new database of the rest. Exit status: 0 all was read, 1 not all, 2 nothing could be done.",
    )
    salvage.add_argument("file", type=Path, metavar="FILE", help="claxon.sqlite3.corrupt-*")
    salvage.add_argument("--data", type=place_of, required=True, metavar="DIR", help="for the new one: an empty folder")
    add_json(
        salvage,
        {
            "data": "the data folder of the new database",
            "tables": "each: table, rows, whole",
            "whole": "whether all could be read",
        },
        exits={0: "all was read", 1: "not all", 2: "nothing could be done"},
    )
    salvage.set_defaults(command=_salvage)


def _backup(options: argparse.Namespace) -> int:
    from ..backups import back_up
    from ..storage.database import StorageError

    # The service comes first: for the processor; for the disk the copy rests.
    os.nice(10)
    try:
        made = back_up(folder_of(data_of(options)), options.file, force=options.force, with_proof=not options.no_proof)
    except StorageError as fault:
        return refuse(options, fault)
    if wants_json(options):
        say_json(_answer(options.file, made))
    else:
        _say(options.file, made)
    proof = made.proof
    if proof is None or not proof.committed or proof.same:
        return 0
    said = "its log decides otherwise than what was committed: `claxon verify` says more"
    return refuse(options, said, status=1)


def _answer(file: Path, made: Backup) -> dict[str, object]:
    proof = made.proof
    known = proof is not None and proof.committed
    return {
        "file": str(file),
        "bytes": made.size,
        "seconds": round(made.seconds, 3),
        "offset": made.offset,
        "proof": {"same": proof.same, "decisions": proof.decisions, "events": proof.events}
        if proof is not None and known
        else None,
    }


def _say(file: Path, made: Backup) -> None:
    print(f"{file}: {made.size:,} bytes in {made.seconds:.1f} s, the log up to row {made.offset}, sound")
    proof = made.proof
    if proof is None or not proof.committed:
        print("not proved" if proof is None else "nothing to prove yet")
        return
    print(f"proved: {proof.decisions:,} decisions on {proof.events:,} events" if proof.same else "NOT proved")


def _restore(options: argparse.Namespace) -> int:
    from .. import clock
    from ..backups import restore
    from ..storage.database import StorageError

    try:
        kept = restore(options.file, folder_of(options.data), force=options.force, at=clock.now())
    except StorageError as fault:
        return refuse(options, fault)
    if wants_json(options):
        say_json({"data": str(options.data), "set_aside": str(kept) if kept is not None else None})
        return 0
    if kept is not None:
        print(f"what was there is set aside: {kept}")
    print(f"restored: start `claxon serve --data {options.data}`")
    return 0


def _salvage(options: argparse.Namespace) -> int:
    from ..storage.database import StorageError
    from ..storage.salvage import salvage

    tables = []
    try:
        for done in salvage(options.file, folder_of(options.data)):
            tables.append({"table": done.table, "rows": done.rows, "whole": done.whole})
            if not wants_json(options):
                lost = "" if done.whole else "   some could not be read"
                print(f"{done.table:<16} {done.rows:>12,} rows{lost}", flush=True)
    except StorageError as fault:
        return refuse(options, fault)
    whole = all(one["whole"] for one in tables)
    if wants_json(options):
        say_json({"data": str(options.data), "tables": tables, "whole": whole})
        return 0 if whole else 1
    print(f"salvaged: `claxon verify --data {options.data}` says whether the log is whole")
    return 0 if whole else 1
