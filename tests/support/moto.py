"""moto: a server that speaks as Amazon SQS does, in an environment of its own.

What it needs is pinned in moto.txt beside this file, and is in no lock file of
Claxon's. A developer without it sees its tests skipped; in CI it is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import PeerError, free_port
from tests.support.repository import ROOT

PINS = Path(__file__).with_name("moto.txt")
HOME = ROOT / ".venv-moto"
INSTALL_S = 600
READY_S = 60


def require_moto() -> Path:
    """Return the server's program; skip the test, or in CI install it, where it is missing.

    Raises:
        PeerError: In CI, and it could not be installed.
    """
    program = HOME / "bin" / "moto_server"
    if _installed():
        return program
    if os.environ.get("CI") != "true":
        pytest.skip(f"peer moto: {HOME.name}: not there: run `python -m tests.support.moto`, or set CI=true")
    install()
    return program


def install() -> None:
    """Make the environment, once for all processes of tests."""
    with (Path(tempfile.gettempdir()) / f"claxon-tests-moto-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _installed():  # by another process, which had the lock before
            return
        _run(sys.executable, "-m", "venv", str(HOME))
        _run(str(HOME / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(PINS))
        shutil.copyfile(PINS, HOME / "installed.txt")


@contextlib.contextmanager
def start_moto() -> Iterator[str]:
    """Run the server until the block ends; its URL. Each has queues of its own."""
    program, port = require_moto(), free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_ready(process, url)
        yield url
    finally:
        process.kill()
        process.wait(timeout=10)


def _installed() -> bool:
    stamp = HOME / "installed.txt"
    return stamp.exists() and stamp.read_text() == PINS.read_text()


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or ""
        raise PeerError(f"{' '.join(command)}: {error}: {said.strip()[-2000:]}") from error


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    # A proxy of the environment has no part in loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PeerError(f"moto: exit {process.returncode} before it was ready")
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(f"{url}/moto-api/", timeout=5):
            return
        time.sleep(0.05)
    raise PeerError(f"moto: not ready after {READY_S} s")


if __name__ == "__main__":
    install()
