"""What builds the site and reads manifests, in an environment of its own (`make docs`); ≠ what the site holds.

A developer without it sees its tests skipped; in CI it is installed, from requirements-docs.lock.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.peers import PeerError
from tests.support.repository import ROOT

HOME = ROOT / ".venv-docs"
INSTALL_S = 600
BUILD_S = 120


def build_site(folder: Path) -> Path:
    """Build the site in a folder as `make docs` does, and return it; skips, or in CI installs, as a peer does.

    Raises:
        PeerError: The generator could not be installed.
        AssertionError: A page has a fault; says all of them.
    """
    program = require_docs("python")
    options = ["--quiet", "--fresh-env", "--fail-on-warning", "--keep-going", "--jobs", "2", "-c", "docs/site"]
    command = [program, "-m", "sphinx", *options, "-d", folder / "doctrees", ROOT, folder / "site"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert (built.returncode, built.stderr) == (0, ""), built.stderr
    return folder / "site"


def require_docs(program: str) -> Path:
    """Return a program of the environment; skip the test, or in CI install it, where it is missing.

    Raises:
        PeerError: In CI, and it could not be installed.
    """
    if not _installed():
        _install_once()
    return HOME / "bin" / program


def _install_once() -> None:
    if os.environ.get("CI") != "true":
        pytest.skip(f"peer docs: {HOME.name}: not there: run `make docs`, or set CI=true")
    with (Path(tempfile.gettempdir()) / f"claxon-tests-docs-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _installed():  # by another process, which had the lock before
            _install()


def _installed() -> bool:
    """Whether it is there, of the present lock file; `make` knows by the same stamp."""
    stamp = HOME / ".installed"
    return stamp.exists() and stamp.stat().st_mtime >= (ROOT / "requirements-docs.lock").stat().st_mtime


def _install() -> None:
    command = ["make", f"PYTHON={sys.executable}", f"{HOME.name}/.installed"]
    try:
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or ""
        raise PeerError(f"{' '.join(command)}: {error}: {said.strip()[-2000:]}") from error
