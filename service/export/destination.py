"""Destination: a file that is there as a whole or not at all.

≠ what is in it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InTheWay(Exception):
    """A file is there already, and may not be replaced."""


@contextmanager
def written(path: Path, *, replace: bool) -> Iterator[Path]:
    """Give a temporary name beside a file; what is written there gets the file's name once all of it is on the disk.

    Args:
        path: The file.
        replace: Whether one that is there may go.

    Raises:
        InTheWay: There is one, and it may not.
        OSError: The folder cannot be written.
    """
    if not replace and os.path.lexists(path):
        raise InTheWay(str(path))
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        _name(temporary, path, replace=replace)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _name(temporary: Path, path: Path, *, replace: bool) -> None:
    if replace:
        temporary.replace(path)
        return
    try:
        # Unlike a rename, this fails if somebody made a file of that name meanwhile.
        os.link(temporary, path)
    except FileExistsError as fault:
        raise InTheWay(str(path)) from fault


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        # Not every file system can sync a folder.
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
