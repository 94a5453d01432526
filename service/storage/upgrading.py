"""The schema of a database that several nodes share: what it is, who stands in its way, and what brings it further.

A folder of SQLite's needs none of this: it is one node's alone, which brings it up to date at its start.

≠ how a step is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import nodes
from .errors import OlderNodesError, StorageError
from .nodes import Seen
from .places import Place, PostgresUrl

if TYPE_CHECKING:
    from .postgres_schema import Step

GRACE_S = 86_400.0
"""So long after a *pre*, and after the last older node was seen, nothing is taken away without being asked to: whoever
finds a fault in the new version goes back to the old one meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a database is.

    Attributes:
        schema: All steps up to this have had their *pre*.
        compatible_from: A node that knows less is refused.
        known: The newest that this version knows.
        pre: Names of the steps that are to come.
        post: Names of the steps whose *post* is.
        older: How many connections nodes of older versions have, that know too little for that.
        nodes: Who is there, or was lately.
    """

    schema: int
    compatible_from: int
    known: int
    pre: tuple[str, ...]
    post: tuple[str, ...]
    older: int
    nodes: tuple[Seen, ...]


def known(place: Place) -> int:
    """Return the newest schema that this version knows; 0 of a file, where nobody asks.

    Raises:
        StorageError: The driver is not installed.
    """
    return _schema_of(place).known() if isinstance(place, PostgresUrl) else 0


def status(place: Place) -> Status | None:
    """Return how far a database is; None of a folder.

    Raises:
        StorageError: It cannot be reached, or is of a schema that is too new.
    """
    if not isinstance(place, PostgresUrl):
        return None
    with _connected(place) as (raw, schema):
        from .postgres_connection import PostgresConnection

        now = schema.load(raw)
        pre, post = schema.steps()[now.version :], schema.pending(now)
        return Status(
            schema=now.version,
            compatible_from=now.compatible_from,
            known=schema.known(),
            pre=names_of(pre),
            post=names_of(post),
            older=sum(schema.older_connected(raw, than=post[-1].number).values()) if post else 0,
            nodes=tuple(nodes.load(PostgresConnection(raw))) if now.version else (),
        )


def run_pre(place: Place, *, on_wait: Callable[[], object] = lambda: None) -> tuple[str, ...]:
    """Add what this version needs; return the names of the steps.

    Args:
        place: The database.
        on_wait: Called each time that somebody has a table, and it must be tried again.

    Raises:
        StorageError: It cannot be reached, is of a schema that is too new, or we may not.
    """
    if not isinstance(place, PostgresUrl):
        return ()
    with _connected(place) as (raw, schema):
        return names_of(schema.run_pre(raw, place, on_wait=on_wait))


def run_post(place: Place) -> tuple[str, ...]:
    """Take away what only older versions need; return the names of the steps.

    Raises:
        OlderNodesError: Older nodes are connected.
        StorageError: It cannot be reached, is of a schema that is too new, or we may not.
    """
    if not isinstance(place, PostgresUrl):
        return ()
    with _connected(place) as (raw, schema):
        return names_of(schema.run_post(raw, place))


def run_post_if_due(place: Place, *, grace_s: float = GRACE_S) -> tuple[str, ...]:
    """Do so where no older node was seen for a while; return the names of the steps, none where nothing was due.

    Raises:
        StorageError: It cannot be reached, is of a schema that is too new, or we may not.
    """
    if not isinstance(place, PostgresUrl):
        return ()
    with _connected(place) as (raw, schema):
        from .postgres_connection import PostgresConnection

        now = schema.load(raw)
        wanted = schema.pending(now)
        connection = PostgresConnection(raw)
        if not wanted or nodes.changed_within(connection, grace_s):
            return ()
        if nodes.older_seen(connection, schema=wanted[-1].number, within_s=grace_s):
            return ()
        try:
            return names_of(schema.run_post(raw, place))
        except OlderNodesError:
            return ()


def names_of(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Return the names of steps, with their numbers."""
    return tuple(f"{step.number:04d}{'_' if step.name else ''}{step.name}" for step in steps)


@contextmanager
def _connected(place: PostgresUrl) -> Iterator[tuple[Any, Any]]:
    schema = _schema_of(place)
    from . import postgres

    with postgres.connected(place, "migrate") as raw:
        yield raw, schema


def _schema_of(place: PostgresUrl) -> ModuleType:
    try:
        from . import postgres_schema
    except ImportError as fault:
        raise StorageError(f"{place}: psycopg is not installed: pip install 'claxon-server[postgres]'") from fault
    return postgres_schema
