"""npm packages that tests need: installed once for each lock file, which pins them by hash and names no address."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import peers

INSTALL_SECONDS = 300
_MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
_NO_NETWORK = re.compile(r"ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|network")


def modules(source: Path) -> Path:
    """Return what the lock file of a folder pins, installed for all runs of the tests on this machine.

    Skips, or fails in CI, where it cannot be installed.
    """
    npm = peers.require("npm")
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in _MANIFESTS)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"claxon-tests-npm-{os.geteuid()}-{digest}"
    with _one_at_a_time(folder.with_suffix(".lock")):
        if not (folder / ".installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in _MANIFESTS:
                shutil.copy(source / name, folder)
            _install(npm, folder)
            (folder / ".installed").touch()
    return folder / "node_modules"


def _install(npm: Path, folder: Path) -> None:
    quick = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *quick]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        give_up(f"npm ci: still running after {INSTALL_SECONDS} s: is there a network?")
    said = (done.stderr or done.stdout).strip()[-1500:]
    if done.returncode != 0 and _NO_NETWORK.search(said):
        give_up(f"npm ci: the packages that the tests need cannot be fetched: {said}")
    assert done.returncode == 0, f"npm ci: exit {done.returncode}: {said}"


def give_up(why: str) -> None:
    """Skip; in CI fail, where a skip would be a promise that nobody checked."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
