"""`claxon verify`: decides everything in a log again, and compares.

≠ how anything is decided.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from pathlib import Path

from ..settings import DEFAULT_DATA


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    verify = commands.add_parser(
        "verify",
        help="decide the whole log again and compare, beside a Claxon that runs or without one",
        description="Decides every event of the log again, with the rules of its time, and compares the hash over all "
        "decisions with the one that was committed. Changes nothing. Exit status: 0 the same, 1 another, 2 cannot.",
    )
    verify.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="default ./%(default)s")
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from ..proof import prove
    from ..storage.database import StorageError, open_reader

    begin = time.perf_counter()
    try:
        connection = open_reader(options.data)
        try:
            proof = prove(connection)
        finally:
            connection.close()
    except (StorageError, sqlite3.DatabaseError) as fault:
        print(f"claxon: {fault}", file=sys.stderr)
        return 2
    seconds = time.perf_counter() - begin
    rate = proof.events / seconds if seconds > 0 else 0.0
    print(f"log:       rows {proof.first} to {proof.last}, {proof.beginning}")
    print(f"decided:   {proof.decisions:,} decisions on {proof.events:,} events in {seconds:.1f} s ({rate:,.0f}/s)")
    print(f"committed: {proof.committed or 'unknown'}")
    print(f"again:     {proof.again}")
    if proof.unreadable:
        rows = ", ".join(map(str, proof.unreadable[:20]))
        print(f"claxon: event log: {len(proof.unreadable)} rows cannot be read (bit rot): {rows}", file=sys.stderr)
    if proof.committed == "":
        print("claxon: cursor: no hash yet: start `claxon serve` on it once", file=sys.stderr)
        return 2
    print("the same" if proof.same else "NOT the same: another version of Claxon decided, or the log was changed")
    return 0 if proof.same else 1
