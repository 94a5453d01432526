"""spool: batches in files while the service is away; one folder for all processes of an app.

A file is one batch. It is written under another name and renamed, so it is
there whole or not at all. It keeps its Idempotency-Key: one that was answered
just before its process died is sent again, and counts once.

At any time one process sends what lies there, whoever wrote it: the one that
holds the lock of the folder. The kernel frees that lock when its process dies,
however it dies, so what dead processes left is sent by any that lives.

Nothing here is synced: files survive `kill -9`, and a power cut tears at most
what was written in the last seconds, which is noticed and counted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from . import guard
from .packing import Batch
from .settings import Settings

try:
    import fcntl

    CAN_LOCK = True
except ImportError:  # Windows
    CAN_LOCK = False

OLDEST_S = 24 * 3600.0
"""The service knows a key for 24 h: a batch that is older might count twice, and is dropped."""

LOOK_S = 1.0
"""How old what is known of the folder may be."""

TORN_S = 60.0
"""A file that is half written for so long is nobody's: its process has died."""

BLOCK = 4096
"""What the smallest file takes of a disk."""


class Filed(NamedTuple):
    """What the name of a file says; sorted as they are sent: by time, and successes before errors.

    In this order a window at the service never holds the errors of a minute without its successes.
    """

    stamp_ms: int
    failed: bool
    key: str
    events: int
    name: str
    torn: bool


_NAME = re.compile(r"(\d{1,15})-(ok|err)-(\d{1,7})-([0-9a-f]{32})\.batch(\.tmp)?")


class _Head(msgspec.Struct, kw_only=True):
    """The first line of a file."""

    encoding: str
    size: int
    crc: int
    dropped: int = 0


class SpoolUnusable(OSError):
    """The folder is not one that events may be written to."""


class Spool:
    """The files of one service and key; for whoever holds the shipper's work lock.

    Attributes:
        written: Events this process has written.
        waiting: Events in the folder, as far as known.
        full: Events dropped because the folder was full, the oldest successes first.
        old: Events dropped because they had lain there for over a day.
        torn: Events in files that a dying process left half written.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = Path(settings.spool) / _name_of(settings)
        self._clock = clock
        self._limit = settings.spool_size_mb * 1024 * 1024
        self._lock: int | None = None
        self._queue: deque[Filed] = deque()
        self._sizes: dict[Filed, int] = {}
        self._listed_at = self._begun_at = float("-inf")
        self.written = self.waiting = self.full = self.old = self.torn = 0

    @property
    def dropped(self) -> int:
        """Events that were given up here."""
        return self.full + self.old + self.torn

    @property
    def sending(self) -> bool:
        """Whether this process knows of batches to be sent."""
        return bool(self._queue)

    # -- to the disk

    def write(self, batch: Batch) -> None:
        """Write a batch that is in memory; one that finds no room is dropped, and counted.

        Raises:
            OSError: The disk is full, or the folder cannot be used; nothing was written.
        """
        head = _Head(encoding=batch.encoding, size=len(batch.body), crc=zlib.crc32(batch.body), dropped=batch.dropped)
        content = msgspec.json.encode(head) + b"\n" + batch.body
        filed = _filed(batch)
        self._prepare()
        size = _charged(len(content))
        if not self._make_room(size, filed):
            self.full += batch.events
            return
        path = self.folder / filed.name
        _write_whole(path, content)
        self._sizes[filed] = size
        self.written += batch.events
        self.waiting += batch.events

    def _prepare(self) -> None:
        """Make the folder, and see that nobody else can read or replace what is in it.

        Raises:
            OSError: It cannot be made, or is somebody else's.
        """
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self.folder.mkdir(mode=0o700)
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise SpoolUnusable(f"{self.folder}: not a folder of this user alone: remove it, or name another")

    def _make_room(self, size: int, new: Filed) -> bool:
        """Drop the oldest successes, then the oldest errors, until `size` bytes fit; False where `new` is to go."""
        if time.monotonic() - self._listed_at > LOOK_S or self._total() + size > self._limit:
            self._list()
        over = self._total() + size - self._limit
        if size > self._limit:
            return False
        # What is half written is being written by somebody.
        whole = [filed for filed in self._sizes if not filed.torn]
        for victim in sorted([*whole, new], key=lambda filed: (filed.failed, filed)):
            if over <= 0:
                return True
            if victim == new:
                return False
            over -= self._sizes[victim]
            self.full += self._remove(victim)
        return over <= 0

    def _total(self) -> int:
        return sum(self._sizes.values())

    # -- from the disk

    def oldest(self) -> Batch | None:
        """Return the batch to be sent next; None when there is none, or another process sends them."""
        if not self._queue and not self._begin():
            return None
        while self._queue:
            filed = self._queue.popleft()
            if self._clock() - filed.stamp_ms / 1000 > OLDEST_S:
                self.old += self._remove(filed)
                continue
            batch = self._read(filed)
            if batch is not None:
                return batch
        return None

    def _begin(self) -> bool:
        """List what is to be sent; return whether it is for this process to send it."""
        now = time.monotonic()
        if now - self._begun_at < LOOK_S:
            return False
        self._begun_at = now
        self._list()
        if not self._sizes:
            self._release()
            return False
        if not self._acquire():
            return False
        self._remove_torn()
        self._queue = deque(sorted(filed for filed in self._sizes if not filed.torn))
        return bool(self._queue)

    def unsend(self, batch: Batch) -> None:
        """Have a batch that `oldest` returned, and that was not taken, be the next again."""
        self._queue.appendleft(_filed(batch))

    def done(self, batch: Batch) -> None:
        """Remove the file of a batch that was answered for good."""
        self._remove(_filed(batch))

    def _read(self, filed: Filed) -> Batch | None:
        """Return the batch of a file; None where it is gone, or torn by a power cut."""
        try:
            content = (self.folder / filed.name).read_bytes()
        except FileNotFoundError:
            self._forget(filed)
            return None
        line, _, body = content.partition(b"\n")
        try:
            head = msgspec.json.decode(line, type=_Head)
        except msgspec.DecodeError:
            head = None
        if head is None or len(body) != head.size or zlib.crc32(body) != head.crc:
            self.torn += self._remove(filed)
            return None
        return Batch(
            body=body,
            encoding=head.encoding,
            key=filed.key,
            events=filed.events,
            dropped=head.dropped,
            failed=filed.failed,
            at=filed.stamp_ms / 1000,
            filed=True,
        )

    def _remove_torn(self) -> None:
        for filed in [filed for filed in self._sizes if filed.torn]:
            with contextlib.suppress(FileNotFoundError):
                if self._clock() - (self.folder / filed.name).stat().st_mtime > TORN_S:
                    self.torn += self._remove(filed)

    # -- the folder

    def _list(self) -> None:
        self._listed_at = time.monotonic()
        self._sizes = dict(self._entries())
        self.waiting = sum(filed.events for filed in self._sizes)

    def _entries(self) -> Iterator[tuple[Filed, int]]:
        try:
            found = os.scandir(self.folder)
        except FileNotFoundError:
            return
        with found:
            for entry in found:
                match = _NAME.fullmatch(entry.name)
                if match is None:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    size = _charged(entry.stat(follow_symlinks=False).st_size)
                    yield _parsed(match), size

    def _remove(self, filed: Filed) -> int:
        """Delete a file; return how many events are gone with it: 0 where another process was quicker."""
        self._forget(filed)
        try:
            (self.folder / filed.name).unlink()
        except FileNotFoundError:
            return 0
        return filed.events

    def _forget(self, filed: Filed) -> None:
        if self._sizes.pop(filed, None) is not None:
            self.waiting -= filed.events

    # -- who sends

    def _acquire(self) -> bool:
        """Take the lock of the folder; False while another process has it."""
        if self._lock is not None:
            return True
        lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock
        return True

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def close(self) -> None:
        """Let another process send. In a forked child this leaves the lock to the parent, which still has it."""
        self._queue.clear()
        self._release()


def open_spool(settings: Settings) -> Spool | None:
    """Return the spool of these settings; None without one."""
    if not settings.spool or not settings.url:
        return None
    if not CAN_LOCK:
        guard.warn_once("spool", f"spool: {settings.spool}: needs a system with flock(): events wait in memory only")
        return None
    return Spool(settings)


def _name_of(settings: Settings) -> str:
    """Return the name of a folder that only those share who would send the same to the same address."""
    whose = f"{settings.url}\0{settings.key}\0{os.geteuid()}"
    return hashlib.sha256(whose.encode()).hexdigest()[:24]


def _filed(batch: Batch) -> Filed:
    stamp_ms = max(0, round(batch.at * 1000))
    kind = "err" if batch.failed else "ok"
    name = f"{stamp_ms:013d}-{kind}-{batch.events}-{batch.key}.batch"
    return Filed(stamp_ms, batch.failed, batch.key, batch.events, name, torn=False)


def _parsed(match: re.Match[str]) -> Filed:
    stamp, kind, events, key, torn = match.groups()
    return Filed(int(stamp), kind == "err", key, int(events), match[0], torn=torn is not None)


def _charged(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is seen whole or not at all, and by this user only.

    Raises:
        OSError: It could not be written; nothing is left of it.
    """
    half = path.with_name(path.name + ".tmp")
    file = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)
        half.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            half.unlink()
        raise
