"""`claxon serve`, whose disk stands still while a file exists: python -m benchmarks.stalling_serve FILE serve ...

Every COMMIT of the service's own database waits until the file is gone, in the thread and at the place where it would
wait for the disk. Nothing else differs: the service, SQLite and its files are the real ones.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import service.app
from service.cli import main
from service.storage.database import open_database


def stall_commits(stall: Path) -> None:
    """Have the service open its database so that commits wait while a file exists."""

    def trace(statement: str) -> None:
        if statement == "COMMIT":
            while stall.exists():
                time.sleep(0.01)

    def open_stalling(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = open_database(*arguments, **named)
        connection.set_trace_callback(trace)
        return connection

    assert service.app.open_database is open_database, "the service opens its database elsewhere: stall it there"
    service.app.open_database = open_stalling


if __name__ == "__main__":
    stall_commits(Path(sys.argv.pop(1)))
    sys.exit(main())
