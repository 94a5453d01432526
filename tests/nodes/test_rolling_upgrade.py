"""A rolling upgrade of two real nodes, with a schema that changes, while events come: none is lost, none twice."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
import pytest

from service.storage import postgres_schema
from tests.support.pager import Pager
from tests.support.postgres import Postgres, start_postgres
from tests.support.running import Process, until
from tests.support.versions import add_step, copy_program, environment_of

CONFIG = """
route: {{receiver: on-call, group_by: [app], group_wait: 0s}}
receivers:
  - name: on-call
    webhook_configs: [{{url: "{url}"}}]
"""
PULSE = Path("service/storage/pulse.py")


@dataclass(frozen=True, kw_only=True)
class Versions:
    """The program as it is, and one whose table is called otherwise."""

    old: Path
    new: Path
    step: str


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    folder = tmp_path_factory.mktemp("versions")
    old = copy_program(folder / "old")
    new = copy_program(folder / "new", changes={PULSE: ("INSERT INTO pulse", "INSERT INTO heart")})
    pre = "CREATE TABLE heart (one BIGINT PRIMARY KEY CHECK (one = 1), at DOUBLE PRECISION NOT NULL)"
    return Versions(old=old, new=new, step=add_step(new, "heart", pre=pre, post="DROP TABLE pulse"))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> str:
    return server.url(server.create_database())


class Load:
    """Posts failures, each of an app of its own, to whichever node takes them; each must page once."""

    def __init__(self, nodes: Sequence[Process]) -> None:
        self.taken: list[str] = []
        self._nodes = nodes
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(timeout=60)

    def go_on(self, more: int = 10) -> None:
        """Wait until so many more were taken."""
        wanted = len(self.taken) + more
        assert until(lambda: len(self.taken) >= wanted, 30), f"{len(self.taken)} of {wanted}"

    def _run(self) -> None:
        node = itertools.cycle(self._nodes)
        for i in itertools.count():
            event = {"app": f"app-{i}", "model": "m", "status": 401, "environment": "prod"}
            while not self._taken(next(node), event, key=f"batch-{i}"):
                if self._ending.is_set():
                    return
            self.taken.append(event["app"])
            if self._ending.wait(0.05):
                return

    def _taken(self, node: Process, event: dict[str, object], *, key: str) -> bool:
        with contextlib.suppress(OSError):
            return node.post([event], Idempotency_Key=key)[0] == 202
        return False


def node(folder: Path, program: Path, url: str, pager: Pager) -> Process:
    """Return a node of a version; one that takes the place of another has its folder, and its log."""
    folder.mkdir(exist_ok=True)
    return Process(
        folder,
        config=CONFIG.format(url=pager.url),
        environment=environment_of(program),
        arguments=["--data", url],
    )


def migrate(program: Path, url: str, *how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", "migrate", "--data", url, *how],
        env=environment_of(program),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_is_lost_while_the_version_changes(versions: Versions, url: str, tmp_path: Path) -> None:
    with Pager() as pager, contextlib.ExitStack() as stack:
        olds = [node(tmp_path / f"old-{n}", versions.old, url, pager) for n in "ab"]
        news = [node(tmp_path / f"new-{n}", versions.new, url, pager) for n in "ab"]
        for old in olds:
            old.start()
        load = stack.enter_context(Load([*olds, *news]))
        try:
            load.go_on()
            assert olds[0].request("GET", "/-/elected")[0] == 200
            done = migrate(versions.new, url, "--pre")
            assert (done.returncode, versions.step in done.stdout) == (0, True), done.stderr
            load.go_on()
            # The standby first, then the elected one: an old one hands over to a new one.
            olds[1].end(signal.SIGTERM)
            news[1].start()
            load.go_on()
            assert olds[0].request("GET", "/-/elected")[0] == 200
            refused = migrate(versions.new, url, "--post")
            assert (refused.returncode, "nodes of an older Claxon are connected" in refused.stderr) == (1, True)
            olds[0].end(signal.SIGTERM)
            assert until(lambda: news[1].request("GET", "/-/elected")[0] == 200, 20)
            load.go_on()
            # Back again: before post the old one takes over from the new one.
            olds[0].start()
            load.go_on()
            news[1].kill()
            assert until(lambda: olds[0].request("GET", "/-/elected")[0] == 200, 20)
            load.go_on()
            # And now for good.
            news[0].start()
            olds[0].end(signal.SIGTERM)
            assert until(lambda: news[0].request("GET", "/-/elected")[0] == 200, 20)
            load.go_on()
            done = migrate(versions.new, url, "--post")
            assert (done.returncode, f"done:         {versions.step}" in done.stdout) == (0, True), done.stderr
            load.go_on()
            news[1].start()
            load.go_on()
            stack.close()

            taken = set(load.taken)
            assert len(taken) == len(load.taken) > 90
            assert until(lambda: taken <= set(paged(pager)), 20), taken - set(paged(pager))
            assert until(lambda: logged(url) == len(taken), 10), (logged(url), len(taken))
            assert sorted(set(paged(pager))) == sorted(taken)
            assert said_twice(pager) == []
        finally:
            for one in (*olds, *news):
                with contextlib.suppress(AssertionError):
                    one.end(signal.SIGTERM)


def test_an_older_node_is_refused_after_post_and_says_why(versions: Versions, url: str, tmp_path: Path) -> None:
    assert migrate(versions.new, url).returncode == 0
    with Pager() as pager, node(tmp_path / "new", versions.new, url, pager):
        done = subprocess.run(
            [sys.executable, "-m", "service", "serve", "--listen", "127.0.0.1:0", "--data", url],
            env=environment_of(versions.old),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    known = postgres_schema.known()
    assert done.returncode == 2
    assert f"needs a Claxon that knows {known + 1}: this one knows {known}: take the newer version" in done.stderr


def paged(pager: Pager) -> list[str]:
    """Return the app of each page for what fires."""
    return [alert["labels"]["app"] for one in list(pager.received) for alert in one.json["alerts"] if firing(alert)]


def firing(alert: dict[str, str]) -> bool:
    return alert["status"] == "firing"


def said_twice(pager: Pager) -> list[str]:
    """Return the keys of requests that came more than once with different content."""
    seen: dict[str, bytes] = {}
    twice = []
    for one in pager.received:
        key = one.headers.get("idempotency-key", "")
        if seen.setdefault(key, one.body) != one.body:
            twice.append(key)
    return twice


def logged(url: str) -> int:
    with psycopg.connect(url) as raw:
        row = raw.execute("SELECT coalesce(sum(n), 0) FROM event_log").fetchone()
    assert row is not None
    return int(row[0])
