"""The npm package of client-ts, installed and built as a user would, outside of the source tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import peers
from tests.support.repository import ROOT

SOURCE = ROOT / "client-ts"
OLDEST_NODE = 20
INSTALL_SECONDS = 300
_MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
_NO_NETWORK = re.compile(r"ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|network")


def build(folder: Path) -> Path:
    """Return a built copy of the package in a folder; skips, or fails in CI, where it cannot be installed."""
    node = peers.require("node")
    npm = peers.require("npm")
    _check_version(node)
    copy = folder / "client-ts"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to(_modules(npm), target_is_directory=True)
    run(npm, "run", "build", cwd=copy)
    return copy


def run(program: Path | str, *arguments: str, cwd: Path, more: Mapping[str, str] | None = None) -> str:
    """Return what a program wrote; fails with it where the program fails."""
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env=environment() | dict(more or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stdout[-6000:]}{done.stderr[-2000:]}"
    return done.stdout


def environment() -> dict[str, str]:
    """Return the environment of a program that runs the JavaScript tests, without settings of somebody's app."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CLAXON_", "ANTHROPIC_", "OTEL_"))
    }
    path = os.pathsep.join([str(ROOT / "client"), str(ROOT)])
    return kept | {"CLAXON_TEST_ROOT": str(ROOT), "CLAXON_TEST_PYTHON": sys.executable, "PYTHONPATH": path}


def _check_version(node: Path) -> None:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        _give_up(f"node: {version}: the package needs Node.js {OLDEST_NODE} or later")


def _modules(npm: Path) -> Path:
    """Return the installed dependencies: once for each lock file, for all runs of the tests on this machine."""
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in _MANIFESTS)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"claxon-tests-npm-{os.geteuid()}-{digest}"
    with _one_at_a_time(folder.with_suffix(".lock")):
        if not (folder / ".installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name in _MANIFESTS:
                shutil.copy(SOURCE / name, folder)
            _install(npm, folder)
            (folder / ".installed").touch()
    return folder / "node_modules"


def _install(npm: Path, folder: Path) -> None:
    quick = ("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *quick]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        _give_up(f"npm ci: still running after {INSTALL_SECONDS} s: is there a network?")
    said = (done.stderr or done.stdout).strip()[-1500:]
    if done.returncode != 0 and _NO_NETWORK.search(said):
        _give_up(f"npm ci: the packages that the tests need cannot be fetched: {said}")
    assert done.returncode == 0, f"npm ci: exit {done.returncode}: {said}"


def _give_up(why: str) -> None:
    """Skip; in CI fail, where a skip would be a promise that nobody checked."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
