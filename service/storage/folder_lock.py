"""The lock on a data folder: one service at a time.

≠ the database; those who only read it need no lock.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

FILE = "claxon.lock"


class LockedError(Exception):
    """Somebody holds the lock."""


class FolderLock:
    """Held from its making until it is released or the process ends, by whatever; `kill -9` frees it, too.

    It is `flock` on a file that is never deleted: who deletes it while a service runs lets a second one in.
    A program that the process starts does not inherit it, nor does a child that it forks hold on to it.
    """

    def __init__(self, folder: Path) -> None:
        """Take it, at once or not at all.

        Raises:
            LockedError: Another one holds it, in this process or elsewhere.
            OSError: The folder cannot be written, or its file system knows no locks.
        """
        # Python's files are closed on exec.
        self._file = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            os.close(self._file)
            raise LockedError(str(folder / FILE)) from fault
        except OSError:
            os.close(self._file)
            raise
        _held.add(self)

    def release(self) -> None:
        """Let others have it; harmless a second time."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    # A fork shares the lock. To close it here frees nothing while the parent has it, and all once the parent is dead.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)
