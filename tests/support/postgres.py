"""A PostgreSQL of the tests' own: started, killed, paused, copied to a standby that is promoted.

Debian's programs, a folder of its own, a port of 127.0.0.1 that stays its own. PostgreSQL refuses to run as root; there
it runs as `postgres`, or as `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.namespaces import NODES, Network, require_root
from tests.support.peers import PeerError, require
from tests.support.ports import lasting_port
from tests.support.process_tree import continue_tree, kill_tree, pause_tree

USER = "claxon"
READY_S = 60
STOP_S = 30
POLL_S = 0.02
START_ATTEMPTS = 3

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "wal_level": "replica",
    "max_wal_senders": "8",
    # A standby that was paused finds what it missed.
    "wal_keep_size": "256MB",
    "jit": "off",
    # The server runs in no terminal, and each line is worth having when a test fails.
    "log_line_prefix": "%m [%p] %d ",
}
# Without fsync the disk does not set the pace. A commit is still handed to the kernel before it is answered: kill -9
# loses none, only a machine that loses power would.
_FAST = {"fsync": "off", "full_page_writes": "off"}
_UP = {"ready", "standby"}


class Postgres:
    """A server, or a standby of one.

    Attributes:
        port: Of 127.0.0.1; the same after a restart.
        folder: Its data, its socket and its log; gone with the block that started it.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, str], network: Network | None = None) -> None:
        """Take a folder that holds `data` already."""
        self.folder = folder
        self.port = lasting_port()
        self._settings = settings
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The postmaster's.

        Raises:
            PeerError: It does not run.
        """
        if self._process is None or self._process.poll() is not None:
            raise PeerError(f"postgres: port {self.port}: does not run: call start()")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the postmaster is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = "postgres") -> str:
        """Return where a database is; in a network, by the socket in its folder, which is in none."""
        if self._network is not None:
            return f"postgresql://{USER}@/{database}?host={self.folder}&port={self.port}"
        return url_of(self.port, database=database)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run statements as one transaction each and return what they print, unaligned.

        Raises:
            PeerError: The server refused, or cannot be reached.
        """
        command = [_program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement]
        return _run(command, env={**os.environ, "PGCONNECT_TIMEOUT": "10"}).strip()

    def create_database(self, name: str = "", *, template: str = "template1") -> str:
        """Make a database, empty or a copy of another, and return its name; without one it gets one of its own."""
        name = name or f"t_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still in it."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start(self) -> None:
        """Start it, on the port that it had before; return when it answers."""
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._start_once()
            except _PortTaken:
                if attempt == START_ATTEMPTS or (self.folder / "started").exists():
                    raise
                self.port = lasting_port()
            else:
                return

    def stop(self) -> None:
        """End it as an administrator does: connections are closed, what is committed is on disk."""
        if self._process is None:
            return
        continue_tree(self._process.pid)
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.kill9()
        self._process = None

    def kill9(self) -> None:
        """Kill the postmaster and its children as `kill -9` does; the next start recovers from the log."""
        process, pid = self._process, self.pid
        assert process is not None
        kill_tree(pid)
        process.wait(timeout=STOP_S)
        self._process = None

    def restart(self) -> None:
        """Stop it and start it again, on the same port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Have it hang: connections stay open and new ones are taken, but nothing is answered."""
        pause_tree(self.pid)

    def cont(self) -> None:
        """Let it go on after a pause."""
        continue_tree(self.pid)

    @contextlib.contextmanager
    def standby(self, *, synchronous: bool = False) -> Iterator[Postgres]:
        """Run a copy that follows this server by streaming, until the block ends.

        Args:
            synchronous: Each commit waits for the copy, so that a fail-over loses nothing that was acknowledged. It
                waits even while the copy is down.
        """
        with _folder() as folder:
            source = f"host=127.0.0.1 port={self.port} user={USER} application_name=standby"
            _as_user(
                [_program("pg_basebackup"), "-d", source, "-D", folder / "data", "-X", "stream", "-R", "-c", "fast"]
            )
            copy = Postgres(folder, settings=self._settings)
            with _running(copy):
                self._wait("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", lambda n: n != "0")
                if synchronous:
                    self._synchronize("standby")
                    self._wait("SELECT max(sync_state) FROM pg_stat_replication", lambda state: state == "sync")
                try:
                    yield copy
                finally:
                    if synchronous and self.is_running:
                        self._synchronize("")

    def promote(self) -> None:
        """Make a standby the server; return when it takes writes. Its primary must be gone: nobody fences it."""
        self.sql(f"SELECT pg_promote(true, {READY_S})")
        self._wait("SELECT pg_is_in_recovery()", lambda answer: answer == "f")
        # As a server it waits for nobody, whatever it copied from its primary.
        self._synchronize("")

    def _synchronize(self, names: str) -> None:
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.sql("SELECT pg_reload_conf()")

    def _wait(self, question: str, is_right: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not is_right(answer := self.sql(question)):
            if time.monotonic() > deadline:
                raise PeerError(f"postgres: {question}: still {answer!r} after {READY_S} s: {self._said()}")
            time.sleep(POLL_S)

    def _start_once(self) -> None:
        given = {**self._settings, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        arguments = [part for key, value in given.items() for part in ("-c", f"{key}={value}")]
        command: list[str | Path] = [_program("postgres"), "-D", self.folder / "data", *arguments]
        how = _identity()
        if self._network is not None:
            command, how = self._network.behind(*_as_nobody_special(), *command), {}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C ends the tests, and they end it
                **how,
            )
        deadline = time.monotonic() + READY_S
        while self._status() not in _UP:
            if self._process.poll() is not None:
                said, self._process = self._said(), None
                raise (_PortTaken if "could not bind" in said else PeerError)(f"postgres: ended at its start: {said}")
            if time.monotonic() > deadline:
                raise PeerError(f"postgres: not ready after {READY_S} s: {self._said()}")
            time.sleep(POLL_S)
        (self.folder / "started").touch()

    def _status(self) -> str:
        """Return what the postmaster says of itself in its lock file: the eighth line; an old file is another's."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "data" / "postmaster.pid").read_text().splitlines()
            if len(lines) > 7 and self._process is not None and lines[0] == str(self._process.pid):
                return lines[7].strip()
        return ""

    def _said(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]


def url_of(*ports: int, database: str = "postgres") -> str:
    """Return where a database is, as through a wire of its own port; of several ports, whichever takes writes."""
    places = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://{USER}@{places}/{database}" + ("?target_session_attrs=read-write" if ports[1:] else "")


class _PortTaken(PeerError):
    """Somebody else had the port first."""


@contextlib.contextmanager
def start_postgres(
    *,
    durable: bool = False,
    settings: Mapping[str, str] | None = None,
    network: Network | None = None,
    on: Path | None = None,
) -> Iterator[Postgres]:
    """Run a server of a user `claxon` until the block ends; skips the test, or in CI installs it, where it is missing.

    Args:
        durable: Each commit waits for the disk, as in production. Without, `kill -9` loses nothing either, and tests
            are faster.
        settings: More of `postgresql.conf`.
        network: Behind whose doors it listens, instead of on 127.0.0.1: nothing stands between it and a node, so that
            it notices itself when one is gone. Only root may.
        on: A folder, such as of a small disk, to have its own in.
    """
    if network is not None:
        require_root()
        settings = {"listen_addresses": "*", **(settings or {})}
    with _folder(on) as folder:
        how = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--no-locale", "--data-checksums"]
        _as_user([_program("initdb"), "-D", folder / "data", *how, *([] if durable else ["--no-sync"])])
        if network is not None:
            with (folder / "data" / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {NODES} trust\n")
        given = {**_SETTINGS, **({} if durable else _FAST), **(settings or {})}
        server = Postgres(folder, settings=given, network=network)
        with _running(server):
            yield server


@contextlib.contextmanager
def _running(server: Postgres) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        if server.is_running:
            server.stop()


@contextlib.contextmanager
def _folder(on: Path | None = None) -> Iterator[Path]:
    """Make a folder whose path is short enough for a socket, and which the server's user may enter.

    pytest's own folders are closed to everybody but root.
    """
    folder = Path(tempfile.mkdtemp(prefix="claxon-postgres-", dir=on))
    try:
        if os.geteuid() == 0:
            who = _who()
            os.chown(folder, who.pw_uid, who.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _identity() -> dict[str, object]:
    """Return what makes a process run as somebody who is not root."""
    if os.geteuid() != 0:
        return {}
    who = _who()
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _as_nobody_special() -> list[str]:
    """Return what a command is run by to be somebody who is not root, where root has to do something before."""
    who = _who()
    return ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]


def _who() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PeerError("postgres: refuses root, and there is no user postgres or nobody: run the tests as a user")


def _program(name: str) -> Path:
    return require("postgres").with_name(name)


def _as_user(command: Sequence[str | Path]) -> str:
    return _run(command, cwd="/", **_identity())


def _run(command: Sequence[str | Path], **how: object) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=READY_S, **how)  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        raise PeerError(f"{Path(command[0]).name}: {command[-1]}: {said}") from error
    return str(done.stdout)
