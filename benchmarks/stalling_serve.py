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

from service.cli import main
from service.storage.corruption import FILE


def stall_commits(stall: Path) -> None:
    """Have COMMIT wait while a file exists, by every connection to a database of ours that is opened from now on."""
    connect = sqlite3.connect

    def trace(statement: str) -> None:
        if statement == "COMMIT":
            while stall.exists():
                time.sleep(0.01)

    def connect_stalling(database: Any, *arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(database, *arguments, **named)
        if Path(database).name == FILE:
            connection.set_trace_callback(trace)
        return connection

    sqlite3.connect = connect_stalling


if __name__ == "__main__":
    stall_commits(Path(sys.argv.pop(1)))
    sys.exit(main())
