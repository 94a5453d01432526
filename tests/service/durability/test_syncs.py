"""What is acknowledged was handed to the disk first: seen from the kernel's side."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import peers
from tests.support.bench import Bench
from tests.support.running import Process, Running

EVENT = {"model": "m", "app": "shop", "status": 200}
CALLS = "fdatasync,fsync,pwrite64,sendto,write,writev,sendmsg"


@dataclass(frozen=True)
class Call:
    """One call into the kernel: when it began and ended, in seconds, by the machine's clock."""

    name: str
    what: str
    begin: float
    end: float

    @property
    def letter(self) -> str:
        """A for an answer, w for a write to the write-ahead log, s for its sync, "" for all else."""
        if self.name in ("fdatasync", "fsync") and "sqlite3-wal" in self.what:
            return "s"
        if self.name == "pwrite64" and "sqlite3-wal" in self.what:
            return "w"
        return "A" if "HTTP/1.1 202" in self.what else ""

    @property
    def at(self) -> float:
        """When it counts: an answer from its beginning, all else from its end."""
        return self.begin if self.letter == "A" else self.end


_LINE = re.compile(r"^\d+ +(\d+\.\d+) (\w+)\((.*)\) += (-?\d+).*<(\d+\.\d+)>$")
_BEGUN = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>(.*) = (-?\d+).*<(\d+\.\d+)>$")


def calls(trace: Path) -> Iterator[Call]:
    """Yield what succeeded, with the names of the files."""
    begun: dict[str, tuple[float, str]] = {}
    for line in trace.read_text("utf-8", "replace").splitlines():
        if found := _LINE.match(line):
            at, name, what, result, took = found.groups()
            if int(result) >= 0:
                yield Call(name, what, float(at), float(at) + float(took))
        elif found := _BEGUN.match(line):
            thread, at, _, what = found.groups()
            begun[thread] = (float(at), what)
        elif found := _RESUMED.match(line):
            thread, _, name, rest, result, took = found.groups()
            began, what = begun.pop(thread, (0.0, ""))
            if int(result) >= 0:
                yield Call(name, what + rest, began, began + float(took))


@pytest.mark.peer("strace")
def test_every_acknowledgement_waits_for_the_sync_of_its_commit(tmp_path: Path) -> None:
    strace, trace = peers.require("strace"), tmp_path / "trace"
    with Process(tmp_path) as service:
        assert service._process is not None
        command = [strace, "-f", "-y", "-ttt", "-T", "-s", "60", "-e", f"trace={CALLS}", "-o", trace, "-p"]
        with subprocess.Popen([*command, str(service._process.pid)], stderr=subprocess.PIPE) as tracing:
            assert tracing.stderr is not None
            assert b"attached" in tracing.stderr.readline()
            for _ in range(30):
                assert service.post([EVENT])[0] == 202
            tracing.terminate()
            tracing.communicate()

    kinds = "".join(call.letter for call in sorted(calls(trace), key=lambda call: call.at))
    assert kinds.count("A") == 30
    # Between two answers: pages into the write-ahead log, and after the last of them the sync that has returned.
    for between in kinds.split("A")[:-1]:
        assert re.search(r"ws$", between.replace("ss", "s")), kinds


def test_the_service_waits_for_the_disk(tmp_path: Path) -> None:
    """SQLite's name for what the test above sees, for a machine without strace."""
    with Running(tmp_path) as claxon:
        connection = claxon.service.core.connection

        assert claxon.core(lambda: connection.execute("PRAGMA synchronous").fetchone()[0]) == 2
        assert claxon.core(lambda: connection.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"


@pytest.mark.peer("strace")
def test_a_backup_is_on_disk_before_it_has_its_name(tmp_path: Path) -> None:
    strace, trace = peers.require("strace"), tmp_path / "trace"
    bench = Bench(tmp_path / "data")
    bench.post([EVENT])
    bench.close()
    command = [strace, "-f", "-y", "-e", "trace=fsync,fdatasync,rename,renameat2,pwrite64", "-o", trace, sys.executable]

    backup = ["-m", "service", "backup", tmp_path / "b.db", "--data", tmp_path / "data"]
    subprocess.run([*command, *backup], check=True, capture_output=True)

    lines = [line for line in trace.read_text().splitlines() if "b.db" in line or f"<{tmp_path}>" in line]
    ours = [line for line in lines if "data/" not in line]
    named = next(i for i, line in enumerate(ours) if "rename" in line)
    last_write = max(i for i, line in enumerate(ours) if "pwrite64" in line)
    synced = [i for i, line in enumerate(ours) if "sync(" in line and ".partial" in line]
    assert last_write < max(synced) < named
    assert any(f"<{tmp_path}>" in line and "sync(" in line for line in ours[named:]), "and then the folder"
