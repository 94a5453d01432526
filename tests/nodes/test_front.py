"""deploy/nginx: a real nginx with the files that are deployed, in front of two real nodes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.peers import free_port, require
from tests.support.postgres import start_postgres
from tests.support.repository import ROOT
from tests.support.running import Client, Process, until

DEPLOYED = ROOT / "deploy/nginx"


def configuration(folder: Path, nodes: list[Process], *, at: int) -> Path:
    """Return the deployed files with other ports, as an nginx before 1.27.3 reads them: it asks for no name anew."""
    text = (DEPLOYED / "upstreams.compose.conf").read_text("utf-8")
    places = {name: str(node.port) for name, node in zip(("1", "2"), nodes, strict=True)}
    text, named = re.subn(
        r"server \w+-(\d):5290 max_fails=0 resolve;",
        lambda found: f"server 127.0.0.1:{places[found[1]]} max_fails=0;",
        text,
    )
    text, asked = re.subn(r"^resolver .*;$", "", text, flags=re.MULTILINE)
    assert (named, asked) == (4, 1)
    (folder / "upstreams.conf").write_text(text)
    main = (DEPLOYED / "nginx.conf").read_text("utf-8")
    both = re.compile(r"^( +)listen 8080;\n +listen \[::\]:8080;", re.MULTILINE)
    main, put_in = both.subn(rf"\1listen 127.0.0.1:{at};", main)
    assert put_in == 1
    for old, new in (("/tmp/", f"{folder}/"), ("/etc/claxon/", f"{folder}/"), ("worker_processes auto;", "")):
        assert old in main
        main = main.replace(old, new)
    (folder / "nginx.conf").write_text(f"daemon off; master_process off;\n{main}")
    return folder / "nginx.conf"


@contextmanager
def front(folder: Path, nodes: list[Process]) -> Iterator[Client]:
    """Run nginx until the block ends."""
    at = free_port()
    folder.mkdir()
    command = [require("nginx"), "-e", "stderr", "-p", folder, "-c", configuration(folder, nodes, at=at)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    client = Client()
    client.url = f"http://127.0.0.1:{at}"
    try:
        assert until(lambda: process.poll() is not None or answers(client), 20)
        assert process.poll() is None, (folder / "log").read_text()
        yield client
    finally:
        process.terminate()
        process.wait(timeout=10)


def answers(client: Client) -> bool:
    try:
        return client.request("GET", "/-/front")[0] == 200
    except OSError:
        return False


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Process]]:
    with start_postgres() as server:
        url = server.url(server.create_database())
        nodes = []
        for name in "ab":
            (tmp_path / name).mkdir()
            nodes.append(Process(tmp_path / name, arguments=["--data", url], environment=dict(os.environ)))
        with nodes[0], nodes[1]:
            yield nodes


def events(size: int) -> bytes:
    """Return a body of at least so many bytes."""
    one = json.dumps({"app": "shop", "model": "m", "status": 200, "x": "x" * 4000}).encode()
    return b"[" + b",".join([one] * (size // len(one) + 1)) + b"]"


@pytest.mark.peer("nginx")
def test_each_request_finds_the_elected_node_before_and_after_a_take_over(nodes: list[Process], tmp_path: Path) -> None:
    with front(tmp_path / "front", nodes) as client:
        assert [client.request("GET", "/-/elected")[0] for _ in range(8)] == [200] * 8
        assert client.post([{"app": "shop", "model": "m", "status": 401}])[0] == 202
        # Of more than fits into memory, which must be sent again to the next node.
        assert [client.post(events(2_000_000))[0] for _ in range(4)] == [202] * 4
        assert until(lambda: client.firing(), 10)
        assert client.request("GET", "/v1/events?app=shop")[0] == 200

        nodes[0].kill()
        assert until(lambda: client.request("GET", "/-/elected")[0] == 200, 30)
        assert [client.post([{"app": "bank", "model": "m", "status": 401}])[0] for _ in range(4)] == [202] * 4
        assert until(lambda: len(client.firing()) > 0, 10)

        nodes[1].kill()
        assert client.request("GET", "/-/elected")[0] == 502
        assert client.request("GET", "/-/front")[0] == 200
        for node in nodes:
            node.start()
        assert until(lambda: client.request("GET", "/-/elected")[0] == 200, 30)


@pytest.mark.peer("nginx")
def test_the_address_is_that_of_who_asked_and_no_other(nodes: list[Process], tmp_path: Path) -> None:
    with front(tmp_path / "front", nodes) as client:
        claimed = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Content-Type": "application/json"}
        made = client.request("POST", "/v1/keys", b'{"name": "ada", "scope": "admin"}', claimed)
        assert made[0] == 201, made
        bearer = {"Authorization": f"Bearer {made[1]['key']}"}
        [entry] = client.request("GET", "/v1/audit?what=key", headers=bearer)[1]["audit"]
        assert entry["address"] == "127.0.0.1"
