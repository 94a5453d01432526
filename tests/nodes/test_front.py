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


def configuration(folder: Path, nodes: list[Process], *, at: int, ingest: list[Process] | None = None) -> Path:
    """Return the deployed files with other ports, as an nginx before 1.27.3 reads them: it asks for no name anew."""
    text = (DEPLOYED / "upstreams.compose.conf").read_text("utf-8")
    places = {f"evaluate-{n}": node.port for n, node in enumerate(nodes, 1)}
    places |= {f"ingest-{n}": node.port for n, node in enumerate(ingest or nodes, 1)}
    text, named = re.subn(
        r"server ([\w-]+):5290 max_fails=0 resolve;",
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
def front(folder: Path, nodes: list[Process], *, ingest: list[Process] | None = None) -> Iterator[Client]:
    """Run nginx until the block ends."""
    at = free_port()
    folder.mkdir()
    command = [require("nginx"), "-e", "stderr", "-p", folder, "-c", configuration(folder, nodes, at=at, ingest=ingest)]
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
def url() -> Iterator[str]:
    with start_postgres() as server:
        yield server.url(server.create_database())


def node(folder: Path, url: str, name: str, *roles: str) -> Process:
    """Return a node that is not started yet."""
    (folder / name).mkdir()
    arguments = ["--data", url, "--role", ",".join(roles) or "all"]
    return Process(folder / name, arguments=arguments, environment=dict(os.environ))


@pytest.fixture
def nodes(tmp_path: Path, url: str) -> Iterator[list[Process]]:
    with node(tmp_path, url, "a") as first, node(tmp_path, url, "b") as second:
        yield [first, second]


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


@pytest.mark.peer("nginx")
def test_events_are_taken_while_nobody_is_elected_and_page_afterwards(url: str, tmp_path: Path) -> None:
    """By nodes of the role ingest, of which one may be gone, too."""
    evaluate = [node(tmp_path, url, f"evaluate-{n}", "evaluate", "deliver") for n in "12"]
    ingest = [node(tmp_path, url, f"ingest-{n}", "ingest") for n in "12"]
    with evaluate[0], evaluate[1], ingest[0], ingest[1], front(tmp_path / "front", evaluate, ingest=ingest) as client:
        assert client.post([{"app": "shop", "model": "m", "status": 401}])[0] == 202
        for one in (*evaluate, ingest[0]):
            one.kill()
        assert client.request("GET", "/v1/alerts")[0] == 502
        answers = [client.post([{"app": f"bank-{n}", "model": "m", "status": 401}])[0] for n in range(6)]
        assert answers == [202] * 6
        evaluate[1].start()
        wanted = {"shop", *(f"bank-{n}" for n in range(6))}
        assert until(lambda: apps_of(client) == wanted, 30)
        for one in (evaluate[0], ingest[0]):
            one.start()


def apps_of(client: Client) -> set[str]:
    """Return the apps whose alerts fire, as far as somebody answers."""
    status, answer, _ = client.request("GET", "/v1/alerts")
    return {one["alert"]["labels"]["app"] for one in answer["alerts"]} if status == 200 else set()
