"""How many events a log holds, read from the file of a service that has ended, however it did."""

from __future__ import annotations

from pathlib import Path

from service.storage.database import open_database


def logged_events(data: Path) -> int:
    """Return how many events are in the log of a data folder; those that were left out as duplicates are not."""
    connection = open_database(data, create=False)
    try:
        (found,) = connection.execute("SELECT coalesce(sum(n), 0) FROM event_log").fetchone()
    finally:
        connection.close()
    return int(found)
