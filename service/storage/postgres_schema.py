"""The schema of PostgreSQL's database, and how it changes while nodes of two versions run on it.

Each step has a part *pre*, which only adds, so that the version before goes on beside it; and perhaps a part *post*,
which takes away what that version needs. A *pre* must stand alone: several may run before the *post* of the first.

Each connection holds a shared lock that says which schema its node knows. Whoever runs a *post* must get that lock for
himself, of each schema that is too old: so no node of an older version can be there, not one that stands still either,
and none comes until its end.

≠ who is elected, what the tables mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, LiteralString

import psycopg
from psycopg import errors

from .errors import OlderNodesError, StorageError, UnreachableError
from .places import PostgresUrl

_KNOWN = 0x436C736D
_MIGRATING = 0x436C6178_6F6E0002
_FILE = re.compile(r"(\d{4})(?:_(\w+))?(\.post)?\.sql")

PATIENCE_S = 2
"""So long a change waits for a table: whoever wants that table, too, waits behind it. Then it steps back."""

ATTEMPTS = 30
"""So often it comes again."""

CONNECT_S = 10
"""So long a new connection waits for a *post* to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What leads from one schema to the next.

    Attributes:
        number: Of the schema that it leads to.
        name: For people.
        pre: Its statements.
        post: Those that no older version stands; "" is none.
    """

    number: int
    name: str
    pre: str
    post: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Which one a database has.

    Attributes:
        version: All up to this have had their *pre*; 0 is an empty database.
        compatible_from: All up to this have had their *post*: a node that knows less is refused.
        changed_at: When the last *pre* was run, Unix seconds of the server.
    """

    version: int
    compatible_from: int
    changed_at: float


@cache
def steps() -> tuple[Step, ...]:
    """Return the steps that this version knows, from an empty database on.

    Raises:
        ValueError: A number is missing, or is there twice.
    """
    folder = resources.files(__package__).joinpath("migrations/postgres")
    return arranged((one.name, one.read_text("utf-8")) for one in folder.iterdir() if one.name.endswith(".sql"))


def arranged(files: Iterable[tuple[str, str]]) -> tuple[Step, ...]:
    """Return the steps of some files: NNNN_name.sql, and beside it NNNN_name.post.sql.

    Raises:
        ValueError: A number is missing, or is there twice; or a *post* stands alone.
    """
    texts = dict(files)
    found: list[Step] = []
    for file in sorted(name for name in texts if not name.endswith(".post.sql")):
        parts = _FILE.fullmatch(file)
        if parts is None or int(parts[1]) != len(found) + 1:
            raise ValueError(f"{file}: must be number {len(found) + 1:04d}: name it NNNN_name.sql")
        post = texts.pop(file.removesuffix(".sql") + ".post.sql", "")
        found.append(Step(number=len(found) + 1, name=parts[2] or "", pre=texts.pop(file), post=post))
    if texts:
        raise ValueError(f"{', '.join(sorted(texts))}: without a part pre of the same name")
    return tuple(found)


def known() -> int:
    """Return the number of the newest schema that this version knows."""
    return len(steps())


def hold(raw: psycopg.Connection[Any], url: PostgresUrl) -> None:
    """Say, as long as this connection is there, that its node knows this version's schema and no newer one.

    Raises:
        StorageError: The database has one that this version cannot use.
        UnreachableError: The schema is being changed.
    """
    try:
        raw.execute(f"SET lock_timeout = '{CONNECT_S}s'; SELECT pg_advisory_lock_shared({_KNOWN}, {known()})")
        # Not RESET: a database may have one for others.
        raw.execute("SET lock_timeout = 0")
    except errors.LockNotAvailable as fault:
        raise UnreachableError(f"{url}: its schema is being changed: try again") from fault
    _refuse_newer(load(raw), url)


def load(raw: psycopg.Connection[Any]) -> Schema:
    """Return which one a database has."""
    if _one(raw, "SELECT to_regclass('schema_version')") is None:
        return Schema(version=0, compatible_from=0, changed_at=0.0)
    row = raw.execute("SELECT version, compatible_from, changed_at FROM schema_version").fetchone()
    assert row is not None
    return Schema(version=row[0], compatible_from=row[1], changed_at=row[2])


def check(raw: psycopg.Connection[Any], url: PostgresUrl) -> None:
    """Have a database refused that is of an older version.

    Raises:
        StorageError: It is, or it is empty.
    """
    schema = load(raw)
    if schema.version < known():
        said = f"schema {schema.version}: of an older Claxon" if schema.version else "empty"
        remedy = f"run `claxon migrate --data {url}`, or start `claxon serve` on it once"
        raise StorageError(f"{url}: {said}: {remedy}")


def run_pre(
    raw: psycopg.Connection[Any], url: PostgresUrl, *, on_wait: Callable[[], object] = lambda: None
) -> tuple[Step, ...]:
    """Bring a database to this version's schema, or leave a newer one; return the steps that were taken.

    An empty one gets the *post* of each, too: nobody can need what it takes away.

    Args:
        raw: The connection.
        url: Where it leads.
        on_wait: Called each time that somebody has a table, and it must be tried again.

    Raises:
        StorageError: We may not, or somebody holds a table too long.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _run_pre(raw)
        except errors.LockNotAvailable as fault:
            if attempt == ATTEMPTS:
                raise StorageError(f"{url}: a table was in use for too long: look for old transactions") from fault
            on_wait()
        except errors.InsufficientPrivilege as fault:
            said = " ".join(str(fault).split())
            raise StorageError(f"{url}: {said}: run `claxon migrate --pre` as the owner of the tables") from fault
    raise AssertionError


def _run_pre(raw: psycopg.Connection[Any]) -> tuple[Step, ...]:
    # Who has nothing to do disturbs nobody.
    if load(raw).version >= known():
        return ()
    with raw.transaction():
        _begin(raw)
        before = load(raw)
        taken = steps()[before.version :]
        for step in taken:
            _run(raw, step.pre)
            if not before.version:
                _run(raw, step.post)
        if taken:
            compatible = _newest_post(taken) if not before.version else before.compatible_from
            raw.execute(
                "UPDATE schema_version SET version = %s, compatible_from = %s, "
                "changed_at = extract(epoch FROM clock_timestamp())",
                (known(), max(1, compatible)),
            )
    return taken


def pending(schema: Schema) -> tuple[Step, ...]:
    """Return the steps whose *post* is still to be run."""
    return tuple(step for step in steps()[: schema.version] if step.post and step.number > schema.compatible_from)


def run_post(raw: psycopg.Connection[Any], url: PostgresUrl) -> tuple[Step, ...]:
    """Take away what only older versions need; return the steps whose *post* was run.

    Raises:
        OlderNodesError: Some of theirs are connected.
        StorageError: We may not, or somebody holds a table too long.
    """
    try:
        with raw.transaction():
            _begin(raw)
            wanted = pending(load(raw))
            if not wanted:
                return ()
            newest = wanted[-1].number
            _keep_out(raw, url, newest)
            for step in wanted:
                _run(raw, step.post)
            raw.execute("UPDATE schema_version SET compatible_from = %s", (newest,))
    except errors.LockNotAvailable as fault:
        raise StorageError(f"{url}: a table is in use: try again") from fault
    except errors.InsufficientPrivilege as fault:
        said = " ".join(str(fault).split())
        raise StorageError(f"{url}: {said}: run `claxon migrate --post` as the owner of the tables") from fault
    return wanted


def older_connected(raw: psycopg.Connection[Any], *, than: int) -> dict[int, int]:
    """Return how many connections there are of nodes that know an older schema, by which one they know."""
    rows = raw.execute(
        "SELECT objid::bigint, count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND classid = %s AND objid < %s GROUP BY 1 ORDER BY 1",
        (_KNOWN, than),
    )
    return dict(rows.fetchall())


def _keep_out(raw: psycopg.Connection[Any], url: PostgresUrl, newest: int) -> None:
    """Take the lock of each schema that is too old, until the end of the transaction."""
    rows = raw.execute(
        "SELECT known FROM generate_series(1, %s - 1) known WHERE NOT pg_try_advisory_xact_lock(%s, known) ORDER BY 1",
        (newest, _KNOWN),
    )
    if there := [row[0] for row in rows.fetchall()]:
        names = ", ".join(map(str, there))
        said = f"nodes of an older Claxon are connected (schema {names})"
        raise OlderNodesError(f"{url}: {said}: stop them, or give them the new version", schemas=there)


def _begin(raw: psycopg.Connection[Any]) -> None:
    raw.execute(f"SET LOCAL lock_timeout = '{PATIENCE_S}s'; SELECT pg_advisory_xact_lock({_MIGRATING})")


def _refuse_newer(schema: Schema, url: PostgresUrl) -> None:
    if schema.compatible_from > known():
        said = f"schema {schema.version}, which needs a Claxon that knows {schema.compatible_from}"
        raise StorageError(f"{url}: {said}: this one knows {known()}: take the newer version")


def _newest_post(taken: Sequence[Step]) -> int:
    return max((step.number for step in taken if step.post), default=0)


def _run(raw: psycopg.Connection[Any], script: LiteralString) -> None:
    if script:
        raw.execute(script)


def _one(raw: psycopg.Connection[Any], question: LiteralString) -> Any:
    row = raw.execute(question).fetchone()
    return row[0] if row is not None else None
