"""`claxon move`: what a folder's database holds, copied into one of PostgreSQL's.

≠ how it is copied.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..storage.places import place_of
from .saying import add_json, refuse, say_json, wants_json


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    move = commands.add_parser(
        "move",
        help="copy the database of a stopped Claxon into an empty one of PostgreSQL",
        description="Copies all that is kept in a folder into an empty database of PostgreSQL, in one transaction: the "
        "whole of it or nothing. The folder is only read. Then `claxon verify --data URL` decides its log again.",
    )
    move.add_argument(
        "--from", dest="folder", type=Path, required=True, metavar="DIR", help="of a Claxon that is stopped"
    )
    move.add_argument("--to", dest="place", type=place_of, required=True, metavar="URL", help="postgresql://..., empty")
    add_json(
        move,
        {
            "to": "where it is now, without its password",
            "rows": "how many rows were copied",
            "tables": "each table: table, rows",
        },
    )
    move.set_defaults(command=_move)


def _move(options: argparse.Namespace) -> int:
    from ..storage.errors import DatabaseError, StorageError
    from ..storage.moving import move

    try:
        moved = move(options.folder, options.place)
    except (StorageError, DatabaseError) as fault:
        return refuse(options, fault)
    rows = sum(done.rows for done in moved)
    if wants_json(options):
        tables = [{"table": done.table, "rows": done.rows} for done in moved]
        say_json({"to": str(options.place), "rows": rows, "tables": tables})
    else:
        print(f"moved: {rows:,} rows of {len(moved)} tables: `claxon verify --data {options.place}` proves them")
    return 0
