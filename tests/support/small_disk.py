"""A disk of a few megabytes: a real file system where one may be mounted, else files that may not grow."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SmallDisk:
    """A folder on a disk that can be filled and emptied.

    Attributes:
        folder: Where it is.
        mounted: Whether it is a file system of its own.
        refusal: What a batch is answered while it is full; a file that may not grow is any failed write to SQLite.
    """

    def __init__(self, folder: Path, *, megabytes: int, files: int = 1000) -> None:
        """Mount one of so many megabytes, if this user may."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={files}", "tmpfs", str(folder)]
        may = shutil.which("mount") is not None
        self.mounted = may and subprocess.run(command, capture_output=True, check=False).returncode == 0
        self.refusal = 507 if self.mounted else 503
        self._ballast = folder / "ballast"

    def leave(self, megabytes: int, *, to: int) -> None:
        """Leave so much to a process: of the disk, or to each of its files."""
        if not self.mounted:
            resource.prlimit(to, resource.RLIMIT_FSIZE, (max(1, megabytes << 20), resource.RLIM_INFINITY))
            return
        left = shutil.disk_usage(self.folder).free - (megabytes << 20)
        with self._ballast.open("ab", buffering=0) as file:
            file.write(bytes(left))

    def free(self, pid: int) -> None:
        """Take that back."""
        if self.mounted:
            self._ballast.unlink()
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Unmount it."""
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)


@contextmanager
def small_disk(folder: Path, *, megabytes: int, files: int = 1000) -> Iterator[SmallDisk]:
    """Have one for a while; of so many files at most."""
    disk = SmallDisk(folder, megabytes=megabytes, files=files)
    try:
        yield disk
    finally:
        disk.close()
