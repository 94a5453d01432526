"""sqlite_store: jobs in one SQLite file, for the processes of one machine.

Write-ahead log with `synchronous=FULL`: what a method has returned survives
`kill -9` and power loss. Every process and thread has connections of its own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from .errors import LaterError, QueueFull, StoreUnavailable
from .job import Job, Lease, QueueStats, Reason, State, Ticket, decode_reason, encode_reason, new_id

SCHEMA = """
create table if not exists job (
  number      integer primary key autoincrement,
  id          text not null unique,
  key         text not null unique,
  state       text not null default 'waiting',
  deferred_at real not null,
  due_at      real not null,
  runs        integer not null default 0,
  lost        integer not null default 0,
  lease       text,
  reason      text,
  ended_at    real,
  content     blob
);
create index if not exists job_due on job (due_at) where ended_at is null;
create index if not exists job_ended on job (state, ended_at) where ended_at is not null;
create table if not exists tally (state text primary key, jobs integer not null default 0);
insert or ignore into tally (state) values ('waiting'), ('running'), ('done'), ('dead');
create trigger if not exists job_added after insert on job
  begin update tally set jobs = jobs + 1 where state = new.state; end;
create trigger if not exists job_dropped after delete on job
  begin update tally set jobs = jobs - 1 where state = old.state; end;
create trigger if not exists job_moved after update of state on job when old.state <> new.state
  begin
    update tally set jobs = jobs - 1 where state = old.state;
    update tally set jobs = jobs + 1 where state = new.state;
  end;
pragma user_version = 1;
"""
VERSION = 1
CHUNK = 1000
DUE = "select * from job where ended_at is null and due_at <= ? order by due_at, number limit ?"
LEASE = """
update job set lost = lost + (state = 'running'), state = 'running', runs = runs + 1, lease = ?, due_at = ?
where id = ? returning *
"""
LIST = """
select * from job where ?1 is null or state = ?1
order by ended_at is not null, ended_at desc, due_at, number limit ?2
"""
RETRY = """
update job set state = 'waiting', due_at = ?1, ended_at = null,
  runs = iif(state = 'dead', 0, runs), lost = iif(state = 'dead', 0, lost),
  deferred_at = iif(state = 'dead', ?1, deferred_at)
where (?2 is null and state = 'dead') or (?2 in (id, key) and state in ('dead', 'waiting'))
"""
PURGE = """
delete from job where number in (select number from job where state = 'done' and ended_at <= ? limit ?)
"""
# The right to change a job is its lease.
RENEW = "update job set due_at = ? where id = ? and lease = ?"
FINISH = "update job set state = 'done', lease = null, content = null, ended_at = ? where id = ? and lease = ?"
PUT_BACK = """
update job set state = 'waiting', lease = null, due_at = ?, runs = runs - ?, reason = coalesce(?, reason)
where id = ? and lease = ?
"""
BURY = "update job set state = 'dead', lease = null, ended_at = ?, reason = ? where id = ? and lease = ?"


class SqliteStore:
    """A store in one file.

    Args:
        path: Made if it is not there, with its folder, readable by its owner only: it holds prompts.
        busy_s: How long a write may wait for the writes of others.
        clock: Unix seconds.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, busy_s: float = 10.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = Path(path).absolute()
        self._busy_s = busy_s
        self._clock = clock
        self._idle: deque[sqlite3.Connection] = deque()
        self._pid = 0
        self._left_behind: list[deque[sqlite3.Connection]] = []

    def __str__(self) -> str:
        return f"sqlite:{self.path}"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of `sqlite:///absolute/path` or `sqlite:relative/path`."""
        rest = url.removeprefix("sqlite:")
        if rest.startswith("//"):
            if not rest.startswith("///") or rest.strip("/") == "":
                raise LaterError(f"queue: {url}: no path: write sqlite:///absolute/path or sqlite:relative/path")
            rest = "/" + rest.lstrip("/")
        if not rest:
            raise LaterError(f"queue: {url}: no path: write sqlite:///absolute/path or sqlite:relative/path")
        return cls(rest)

    def add(self, *, key: str | None, content: bytes, after_s: float, keep_s: float, most_waiting: int) -> Ticket:
        """Keep a job, unless one of this key is there; see `Store`."""
        number = new_id()
        key = number if key is None else key
        with self._writing() as (db, now):
            found = db.execute("select id, state, ended_at from job where key = ?", (key,)).fetchone()
            if found is not None and not (found[1] == State.DONE and found[2] + keep_s <= now):
                return Ticket(id=found[0], key=key, new=False, state=State(found[1]))
            if _open_jobs(db) >= most_waiting:
                raise QueueFull(str(self), most_waiting)
            db.execute("delete from job where key = ?", (key,))
            db.execute(
                "insert into job (id, key, deferred_at, due_at, content) values (?, ?, ?, ?, ?)",
                (number, key, now, now + after_s, content),
            )
        return Ticket(id=number, key=key)

    def take(self, *, lease_s: float, most: int) -> list[Lease]:
        """Return leases of jobs that are due; see `Store`."""
        with self._connection() as db:
            # Idle workers only read, and so never hold up a writer.
            if db.execute(DUE, (self._clock(), 1)).fetchone() is None:
                return []
        with self._writing() as (db, now):
            return [_lease(db, row, now=now, lease_s=lease_s) for row in db.execute(DUE, (now, most)).fetchall()]

    def renew(self, lease: Lease, *, lease_s: float) -> bool:
        """Let the lease end later; see `Store`."""
        with self._writing() as (db, now):
            return _held(db, lease, RENEW, now + lease_s)

    def finish(self, lease: Lease) -> bool:
        """Mark the job done; see `Store`."""
        with self._writing() as (db, now):
            return _held(db, lease, FINISH, now)

    def put_back(self, lease: Lease, *, after_s: float, reason: Reason | None, counted: bool) -> bool:
        """Let the job wait again; see `Store`."""
        with self._writing() as (db, now):
            return _held(db, lease, PUT_BACK, now + after_s, int(not counted), encode_reason(reason))

    def bury(self, lease: Lease, reason: Reason) -> bool:
        """Put the job among the dead letters; see `Store`."""
        with self._writing() as (db, now):
            return _held(db, lease, BURY, now, encode_reason(reason))

    def find(self, name: str) -> Job | None:
        """Return the job with this id, else with this key."""
        found = "select * from job where id = ?1 or key = ?1 order by id = ?1 desc limit 1"
        with self._connection() as db:
            row = db.execute(found, (name,)).fetchone()
        return None if row is None else _job(row)

    def jobs(self, state: State | None, *, most: int) -> list[Job]:
        """Return jobs; see `Store`."""
        with self._connection() as db:
            return [_job(row) for row in db.execute(LIST, (state, most))]

    def stats(self) -> QueueStats:
        """Return how many jobs there are."""
        with self._connection() as db:
            counts = dict(db.execute("select state, jobs from tally"))
            (due_at,) = db.execute("select min(due_at) from job where ended_at is null").fetchone()
        late = None if due_at is None else self._clock() - due_at
        return QueueStats(**counts, oldest_due_s=late if late is not None and late >= 0 else None)

    def retry(self, name: str | None) -> int:
        """Make one job due now, or all dead ones; see `Store`."""
        with self._writing() as (db, now):
            return db.execute(RETRY, (now, name)).rowcount

    def drop(self, name: str) -> bool:
        """Forget a job, whatever its state; return whether there was one."""
        with self._writing() as (db, _):
            return db.execute("delete from job where ? in (id, key)", (name,)).rowcount > 0

    def purge(self, *, older_s: float) -> int:
        """Forget the jobs that were done long ago; see `Store`."""
        total = 0
        while True:
            # In pieces, so that those who defer meanwhile need not wait for all of it.
            with self._writing() as (db, now):
                number = db.execute(PURGE, (now - older_s, CHUNK)).rowcount
            total += number
            if number < CHUNK:
                return total

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle and self._pid == os.getpid():
            self._idle.pop().close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """Open a transaction, commit it at the end; the second value is the time, read inside of it."""
        with self._connection() as db:
            db.execute("begin immediate")
            try:
                yield db, self._clock()
                db.execute("commit")
            finally:
                if db.in_transaction:
                    db.execute("rollback")

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():
            # A fork: closing a parent's connection here could empty the log under the parent's feet.
            self._left_behind.append(self._idle)
            self._idle, self._pid = deque(), os.getpid()
        try:
            db = self._idle.pop() if self._idle else self._open()
        except IndexError:  # another thread took the last one
            db = self._open()
        try:
            yield db
        except sqlite3.Error as error:
            db.close()
            remedy = "see that the disk has space and that the file is not damaged"
            raise StoreUnavailable(f"{self}: {error}: {remedy}") from error
        except BaseException:
            self._idle.append(db)
            raise
        self._idle.append(db)

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            return self._prepared(self._connect())
        except OSError as error:
            raise StoreUnavailable(f"{self}: {error.strerror}: give a path that this user may write") from error
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self}: {error}: give the path of a queue, or of no file yet") from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=self._busy_s, isolation_level=None, check_same_thread=False)

    def _use_log(self, db: sqlite3.Connection) -> None:
        """Switch the file to a write-ahead log, for which SQLite itself does not wait while another opens it."""
        deadline = time.monotonic() + self._busy_s
        while True:
            try:
                db.execute("pragma journal_mode = wal")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _prepared(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """Return the connection, set up; makes the tables of a new file."""
        try:
            self._use_log(db)
            db.execute("pragma synchronous = full")
            (version,) = db.execute("pragma user_version").fetchone()
            if version > VERSION:
                raise LaterError(f"{self}: version {version}: made by a newer claxon: install that, or another path")
            if version < VERSION:
                db.executescript(f"begin immediate; {SCHEMA} commit;")
        except BaseException:
            db.close()
            raise
        return db


def _open_jobs(db: sqlite3.Connection) -> int:
    (number,) = db.execute("select sum(jobs) from tally where state in ('waiting', 'running')").fetchone()
    return int(number)


def _held(db: sqlite3.Connection, lease: Lease, command: str, *values: object) -> bool:
    """Change a job while this lease is held; return whether it was."""
    return db.execute(command, (*values, lease.job.id, lease.token)).rowcount == 1


def _lease(db: sqlite3.Connection, row: tuple[Any, ...], *, now: float, lease_s: float) -> Lease:
    token = secrets.token_hex(8)
    taken = db.execute(LEASE, (token, now + lease_s, row[1])).fetchone()
    return Lease(job=_job(taken), token=token, taken_at=now)


def _job(row: tuple[Any, ...]) -> Job:
    _, number, key, state, deferred_at, due_at, runs, lost, _, reason, ended_at, content = row
    return Job(
        id=number,
        key=key,
        state=State(state),
        deferred_at=deferred_at,
        due_at=due_at,
        runs=runs,
        lost=lost,
        reason=decode_reason(reason),
        ended_at=ended_at,
        content=content or b"",
    )
