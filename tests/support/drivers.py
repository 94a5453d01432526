"""What tests speak to PostgreSQL and Kafka with: `psycopg` and `confluent_kafka`.

Where the environment has them, those are taken. Else what drivers.txt pins by hash is installed once for all runs of
the tests on this machine, in CI by the tests; a developer's tests are skipped and say how.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.peers import PeerError

PINS = Path(__file__).with_name("drivers.txt")
INSTALL_S = 600


def driver(name: str) -> ModuleType:
    """Return a driver's module; skip the test, or in CI install it, where it is missing.

    Raises:
        PeerError: In CI, and it could not be installed.
    """
    if importlib.util.find_spec(name) is None:
        folder = _folder()
        if not (folder / ".installed").exists() and os.environ.get("CI") != "true":
            pytest.skip(f"driver {name}: not installed: run `python -m tests.support.drivers`, or set CI=true")
        install()
        # Behind everything else: what the environment pins itself is what is imported.
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    return importlib.import_module(name)


def install() -> None:
    """Fetch them, once for all processes of tests."""
    folder = _folder()
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / ".installed").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        how = ["--quiet", "--require-hashes", "--only-binary=:all:", "--no-compile", "-r", str(PINS)]
        command = [sys.executable, "-m", "pip", "install", "--target", str(folder), *how]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip()[-2000:]
            raise PeerError(f"drivers: {PINS.name}: cannot be installed: {said}") from error
        (folder / ".installed").touch()


def _folder() -> Path:
    """Return where they go: a folder of this user, of these pins and this Python."""
    made_of = f"{sys.implementation.cache_tag} {PINS.read_text()}"
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"claxon-tests-drivers-{os.geteuid()}-{digest}"


if __name__ == "__main__":
    install()
