"""The real programs that tests run against: found, installed in CI, started and ended.

A developer without a peer sees its tests skipped, with what to install. In CI a
skip would be a promise nobody checked: there a missing peer is installed, or the
run fails.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

READY_SECONDS = 30
POLL_SECONDS = 0.05
START_ATTEMPTS = 3
APT_SECONDS = 600

# Headless, without a sandbox (CI runs as root), and silent on the network.
CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class PeerError(Exception):
    """A peer that could not be installed, or did not start."""


class _Exited(PeerError):
    """A peer that ended before it was ready, as when its port was taken meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program from outside.

    Attributes:
        package: Its Debian package.
        programs: What the package puts on the PATH; the first is the peer itself.
        elsewhere: Where the package puts its programs instead, as a pattern whose `*` is a version; the newest counts.
    """

    package: str
    programs: tuple[str, ...]
    elsewhere: str = ""


PEERS = {
    "prometheus": Peer(package="prometheus", programs=("prometheus", "promtool")),
    "alertmanager": Peer(package="prometheus-alertmanager", programs=("prometheus-alertmanager", "amtool")),
    "chromium": Peer(package="chromium", programs=("chromium",)),
    "openssl": Peer(package="openssl", programs=("openssl",)),
    "node": Peer(package="nodejs", programs=("node",)),
    # The server is this program by another name. The package redis-server would start a daemon besides.
    "redis": Peer(package="redis-tools", programs=("redis-check-rdb", "redis-cli")),
    "npm": Peer(package="npm", programs=("npm",)),
    "nginx": Peer(package="nginx-light", programs=("nginx",)),
    "caddy": Peer(package="caddy", programs=("caddy",)),
    "strace": Peer(package="strace", programs=("strace",)),
    "postgres": Peer(
        package="postgresql",
        programs=("postgres", "initdb", "pg_basebackup", "psql"),
        elsewhere="usr/lib/postgresql/*/bin",
    ),
    # What makes them, unshare and nsenter, is in util-linux, which every Debian has.
    "namespaces": Peer(package="iproute2", programs=("ip", "unshare", "nsenter")),
    # The brokers are jars, fetched by Maven (kafka_jars.py).
    "kafka": Peer(package="maven", programs=("mvn", "java")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A peer that answers.

    Attributes:
        url: Where, without a slash at its end.
        pid: The process that was started, and the only one that is ended.
        folder: Its configuration, state and log.
    """

    url: str
    pid: int
    folder: Path


def require(name: str) -> Path:
    """Return the path of a peer's program; skip the test, or in CI install it, where it is missing.

    Raises:
        PeerError: In CI, and it could not be installed.
    """
    peer = PEERS[name]
    if not _missing(peer):
        return _path(peer)
    if os.environ.get("CI") != "true":
        pytest.skip(_remedy(name, peer))
    _install(peer)
    return _path(peer)


def chromium_path() -> Path:
    """Return Chromium's path, for Playwright's `executable_path`; skips or installs as `require`."""
    return require("chromium")


@contextlib.contextmanager
def start_prometheus(config: str, tmp_path: Path, *arguments: str, state: Path | None = None) -> Iterator[Running]:
    """Run Prometheus until the block ends: with the text of a configuration, perhaps more arguments, and old data."""
    program = require("prometheus")
    folder = _folder(tmp_path / "prometheus", config)
    command = [
        str(program),
        f"--config.file={folder / 'config.yml'}",
        f"--storage.tsdb.path={state or folder / 'state'}",
        "--log.level=error",
        *arguments,
    ]
    with _start(command, folder) as running:
        yield running


@contextlib.contextmanager
def start_alertmanager(config: str, tmp_path: Path) -> Iterator[Running]:
    """Run Alertmanager with the text of a configuration until the block ends."""
    program = require("alertmanager")
    folder = _folder(tmp_path / "alertmanager", config)
    command = [
        str(program),
        f"--config.file={folder / 'config.yml'}",
        f"--storage.path={folder / 'state'}",
        "--cluster.listen-address=",  # alone: no gossip, no second port
    ]
    with _start(command, folder) as running:
        yield running


def redis_command(folder: Path, *, port: int, durable: bool = False) -> list[str]:
    """Return the command of a Redis on a port; a durable one writes each change to disk before it answers."""
    keeping = ["--appendonly", "yes", "--appendfsync", "always"] if durable else []
    # The program is the server when it is called so; it becomes the shell's process.
    called = ["bash", "-c", 'exec -a redis-server "$0" "$@"', str(require("redis"))]
    return [*called, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *keeping]


@contextlib.contextmanager
def start_redis(tmp_path: Path) -> Iterator[Running]:
    """Run a Redis that keeps nothing on disk until the block ends."""
    folder = tmp_path / "redis"
    folder.mkdir(parents=True)
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(redis_command(folder, port=port), stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for_port(process, port, folder)
        yield Running(url=f"redis://127.0.0.1:{port}/0", pid=process.pid, folder=folder)
    finally:
        _end(process)


def _wait_for_port(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(POLL_SECONDS)
    raise PeerError(f"redis: not ready: {(folder / 'log').read_text()[-2000:]}")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _missing(peer: Peer) -> list[str]:
    return [program for program in peer.programs if _find(peer, program) is None]


def _find(peer: Peer, program: str) -> str | None:
    places = Path("/").glob(peer.elsewhere) if peer.elsewhere else ()
    newest_first = sorted(places, key=lambda place: int(place.parent.name), reverse=True)
    return shutil.which(program, path=os.pathsep.join(map(str, newest_first))) or shutil.which(program)


def _path(peer: Peer) -> Path:
    found = _find(peer, peer.programs[0])
    if found is None:
        raise PeerError(f"{peer.package}: {peer.programs[0]}: not on the PATH")
    return Path(found)


def _remedy(name: str, peer: Peer) -> str:
    missing = ", ".join(_missing(peer))
    return (
        f"peer {name}: {missing}: not on the PATH: on Debian run "
        f"`apt-get install --no-install-recommends {peer.package}`, or set CI=true to let the tests do it"
    )


def _install(peer: Peer) -> None:
    """Install a peer's package; raises where a program is still missing afterwards."""
    with _one_at_a_time():
        if not _missing(peer):  # another process had the lock before, and installed it
            return
        _update_index()
        _apt("install", "-y", "--no-install-recommends", peer.package)
    if missing := ", ".join(_missing(peer)):
        raise PeerError(f"{peer.package}: installed, but not on the PATH: {missing}")


@functools.cache
def _update_index() -> None:
    """Renew apt's index, once for each run of the tests."""
    _apt("update")


def _apt(*arguments: str) -> None:
    # apt waits for other installers itself; without a terminal it must ask nothing.
    settings = ["env", "DEBIAN_FRONTEND=noninteractive"]
    command = [*_as_root(), *settings, "apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=APT_SECONDS)
    except FileNotFoundError as error:
        raise PeerError(f"{' '.join(command)}: {error}: install the peer by hand") from error
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{' '.join(command)}: still running after {APT_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip()[-2000:]
        raise PeerError(f"{' '.join(command)}: exit {error.returncode}: {said}") from error


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold the lock that keeps two processes of tests from installing at once."""
    path = Path(tempfile.gettempdir()) / f"claxon-tests-apt-{os.geteuid()}.lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder(path: Path, config: str) -> Path:
    path.mkdir(parents=True)
    (path / "config.yml").write_text(config, encoding="utf-8")
    return path


@contextlib.contextmanager
def _start(command: Sequence[str], folder: Path) -> Iterator[Running]:
    process, url = _start_on_a_free_port(command, folder)
    try:
        yield Running(url=url, pid=process.pid, folder=folder)
    finally:
        _end(process)


def _start_on_a_free_port(command: Sequence[str], folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Return a peer that is ready, and its URL.

    A port that was free can be taken before the peer binds it, so a peer that
    ends early gets another.
    """
    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            return _start_once(command, folder, port=free_port())
        except _Exited:
            if attempt == START_ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _start_once(command: Sequence[str], folder: Path, *, port: int) -> tuple[subprocess.Popen[bytes], str]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url, log=folder / "log")
    except BaseException:
        _end(process)
        raise
    return process, url


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, *, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _Exited(f"{process.args!r}: exit {process.returncode}: {_tail(log)}")
        if _is_ready(url):
            return
        time.sleep(POLL_SECONDS)
    raise PeerError(f"{process.args!r}: not ready after {READY_SECONDS} s: {_tail(log)}")


def _is_ready(url: str) -> bool:
    # A proxy of the environment has no part in loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End one process, by its own id and no other."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)
