"""The database as one of PostgreSQL's: opened, checked, migrated, by the node that is elected.

≠ what statements become there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from ..clock import now
from . import postgres_schema
from .errors import InUseError, StorageError, UnreachableError
from .places import Leader, PostgresUrl
from .postgres_connection import PostgresConnection
from .postgres_lock import ElectionLock

OLDEST = 14
"""The oldest version of the server: it ends a session that is silent too long."""

_SILENT_S = 5
_CONNECT_S = 5

# What is wrong with who asks, or with what is asked for, and no waiting mends: authorization, no such database.
_REFUSALS = ("28", "3D")

_REFUSED = ("authentication failed", "does not exist", "no password supplied", "no pg_hba.conf entry", "certificate")

_log = structlog.get_logger(__name__)


def open_database(url: PostgresUrl, *, create: bool = True, node: str = "") -> PostgresConnection:
    """Be elected, open to write, and bring to the present schema; others are kept out until it is closed.

    Args:
        url: Where the database is; it must be there, and may be empty.
        create: False: an empty database is an error, and so is one of an older schema.
        node: Where others are told to go, while this one is elected.

    Raises:
        InUseError: Another node is elected.
        UnreachableError: The server cannot be reached, or is none that takes writes.
        StorageError: It refuses us, or the database is of a newer Claxon.
    """
    session = _connect(url, "claxon election")
    try:
        lock = ElectionLock(session)
    except psycopg.Error as fault:
        session.close()
        raise UnreachableError(f"{url}: {_said(fault)}") from fault
    try:
        if not lock.taken:
            raise InUseError(f"{url}: in use: another Claxon was elected: ask that one, by --url")
        raw = _connect(url, "claxon")
    except BaseException:
        lock.close()
        raise
    connection = PostgresConnection(raw)
    connection.on_close = lock.close
    connection.lost = lock.why
    try:
        _check_server(raw, url)
        _warn_if_not_durable(raw, url)
        if create:
            _migrate(raw, url)
        else:
            postgres_schema.check(raw, url)
        connection.generation = _elect(raw, node)
    except psycopg.Error as fault:
        connection.close()
        raise StorageError(f"{url}: {_said(fault)}") from fault
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(url: PostgresUrl) -> PostgresConnection:
    """Open to read, whoever writes; any thread may use it, one at a time.

    Raises:
        StorageError: It cannot be reached or read, or it is of another schema.
    """
    raw = _connect(url, "claxon reader")
    try:
        raw.execute("SET default_transaction_read_only = on")
        postgres_schema.check(raw, url)
    except psycopg.Error as fault:
        raw.close()
        raise StorageError(f"{url}: {_said(fault)}") from fault
    except StorageError:
        raw.close()
        raise
    return PostgresConnection(raw)


def open_beside(url: PostgresUrl) -> PostgresConnection:
    """Open to write what any node may write, beside the one that is elected.

    Raises:
        UnreachableError: The server cannot be reached, or is none that takes writes.
        StorageError: It refuses us, or the database is of another schema.
    """
    raw = _connect(url, "claxon node")
    try:
        _check_server(raw, url)
        postgres_schema.check(raw, url)
    except psycopg.Error as fault:
        raw.close()
        raise UnreachableError(f"{url}: {_said(fault)}") from fault
    except BaseException:
        raw.close()
        raise
    return PostgresConnection(raw)


@contextmanager
def connected(url: PostgresUrl, what: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect for as long as the block, whatever schema there is; who is elected does not matter.

    Raises:
        UnreachableError: The server cannot be reached, or is none that takes writes.
        StorageError: It refuses us, the database is of a schema that is too new, or a statement failed.
    """
    raw = _connect(url, f"claxon {what}")
    try:
        _check_server(raw, url)
        yield raw
    except psycopg.OperationalError as fault:
        raise UnreachableError(f"{url}: {_said(fault)}") from fault
    except psycopg.Error as fault:
        raise StorageError(f"{url}: {_said(fault)}") from fault
    finally:
        raw.close()


def leader(url: PostgresUrl) -> Leader | None:
    """Return who was elected last; None where nobody ever was.

    Raises:
        StorageError: The database cannot be reached.
    """
    raw = _connect(url, "claxon standby")
    try:
        if not postgres_schema.load(raw).version:
            return None
        row = raw.execute("SELECT node, since, generation FROM leader").fetchone()
    except psycopg.Error as fault:
        raise UnreachableError(f"{url}: {_said(fault)}") from fault
    finally:
        raw.close()
    return Leader(node=row[0], since=row[1], generation=row[2]) if row is not None and row[2] else None


def _check_url(url: PostgresUrl) -> None:
    """Refuse what libpq does not read as it is meant: its complaints quote parts of it, such as of a password.

    Raises:
        StorageError: It is none.
    """
    try:
        parts = conninfo_to_dict(url.secret)
        if not any("@" in str(parts.get(name, "")) for name in ("host", "port", "dbname")):
            return
    except psycopg.Error:
        pass
    raise StorageError(f"{url}: not a URL of PostgreSQL's: write / @ : and % of a password as %2F %40 %3A and %25")


def _connect(url: PostgresUrl, what: str) -> psycopg.Connection[Any]:
    _check_url(url)
    try:
        raw: psycopg.Connection[Any] = psycopg.connect(
            url.secret,
            autocommit=True,
            connect_timeout=_CONNECT_S,
            # Whoever is gone without a word is found out, on either side.
            keepalives_idle=_SILENT_S // 2,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=_SILENT_S * 1000,
            application_name=what,
        )
    except psycopg.Error as fault:
        state = getattr(fault, "sqlstate", None) or ""
        kind = StorageError if state[:2] in _REFUSALS or _refused(fault) else UnreachableError
        raise kind(f"{url}: {_said(fault)}") from fault
    try:
        if raw.info.server_version < OLDEST * 10_000:
            raise StorageError(f"{url}: PostgreSQL {raw.info.server_version // 10_000}: {OLDEST} or later is needed")
        for name, value in _SESSION.items():
            raw.execute("SELECT set_config(%s, %s, false)", (name, value))
        postgres_schema.hold(raw, url)
    except psycopg.Error as fault:
        raw.close()
        raise UnreachableError(f"{url}: {_said(fault)}") from fault
    except BaseException:
        raw.close()
        raise
    return raw


_SESSION = {
    "tcp_keepalives_idle": str(_SILENT_S // 2),
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": str(_SILENT_S * 1000),
    # A node that stands still in a transaction keeps everybody from being elected.
    "idle_in_transaction_session_timeout": f"{_SILENT_S}s",
    "client_encoding": "UTF8",
    # Whatever the server, the database or the role has for others.
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
}


def _refused(fault: psycopg.Error) -> bool:
    """Return whether a connection was refused for good; at its beginning a fault has no code, but only words."""
    said = str(fault)
    return any(words in said for words in _REFUSED)


def _said(fault: psycopg.Error) -> str:
    return " ".join(str(fault).split()) or type(fault).__name__


def _check_server(raw: psycopg.Connection[Any], url: PostgresUrl) -> None:
    """Have commits wait for the disk, and refuse a server that only reads.

    Raises:
        UnreachableError: It is a standby.
    """
    if _one(raw, "SELECT pg_is_in_recovery()"):
        raise UnreachableError(f"{url}: a standby, which takes no writes: name its primary, or all of them")
    if _one(raw, "SHOW synchronous_commit") == "off":
        raw.execute("SET synchronous_commit = on")


def _warn_if_not_durable(raw: psycopg.Connection[Any], url: PostgresUrl) -> None:
    if _one(raw, "SHOW fsync") == "off":
        said = "fsync is off: a power cut loses, or damages, what was acknowledged: turn it on"
        _log.warning("database.not_durable", database=str(url), error=said)


def _migrate(raw: psycopg.Connection[Any], url: PostgresUrl) -> None:
    waits = "a table is in use: trying again"
    taken = postgres_schema.run_pre(
        raw, url, on_wait=lambda: _log.info("database.migration_waits", database=str(url), error=waits)
    )
    if taken:
        _log.info("database.migrated", database=str(url), schema=taken[-1].number)


def _elect(raw: psycopg.Connection[Any], node: str) -> int:
    """Be elected; return the generation."""
    # Waits for the end of what the one before is writing; what that begins later, it finds another generation.
    elected = raw.execute(
        "UPDATE leader SET generation = generation + 1, node = %s, since = %s RETURNING generation", (node, now())
    ).fetchone()
    assert elected is not None
    return int(elected[0])


def _one(raw: psycopg.Connection[Any], question: LiteralString) -> Any:
    row = raw.execute(question).fetchone()
    return row[0] if row is not None else None
