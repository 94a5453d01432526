"""--json: every command has it, prints what is documented of it, and says what is wrong as JSON, too."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from claxon.__main__ import make_parser as make_client_parser
from claxon.later import DeferredCalls

from service.cli import main, make_parser
from service.commands.saying import facts_of
from tests.client.later.working import arguments as call
from tests.support.bench import Bench
from tests.support.pager import Pager
from tests.support.parsers import commands_of
from tests.support.running import Process, until

EVIL = "sh\x1b[31m\x9b2J\u202eop"
"""An app's name that would colour a terminal, wipe it and write backwards."""

ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
KEY = "a-key-of-scope-admin-for-these-tests"
BEARER = {"Authorization": f"Bearer {KEY}"}
CONFIG = """
route: {{receiver: on-call}}
receivers:
  - name: on-call
    webhook_configs: [{{url: {url}}}]
"""
SCENARIO = """\
name: a 401 pages
events: [{at: 1s, status: 401, app: shop}]
expect:
  - {at: 1s, fires: {alertname: ClaudeAuthError}}
"""
SERVICE = dict(commands_of(make_parser()))
CLIENT = dict(commands_of(make_client_parser()))


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where commands are tried: a service that runs, the folder of one that does not, files.

    Attributes:
        url: Of the service.
        fingerprint: Of an alert of `EVIL` that fires there.
    """

    folder: Path
    url: str
    fingerprint: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    event = {"app": EVIL, "model": EVIL, "environment": "prod", "status": 401, "error_message": EVIL}
    (folder / "good.yml").write_text(SCENARIO)
    (folder / "events.ndjson").write_text(json.dumps({**event, "timestamp": "2026-11-25T03:12:00Z"}) + "\n")
    bench = Bench(folder / "stopped")
    bench.post([event, {"model": "m", "status": 200}])
    bench.close()
    environment = {**os.environ, "CLAXON_ADMIN_KEY": KEY}
    with Pager() as pager, Process(folder, config=CONFIG.format(url=pager.url), environment=environment) as claxon:
        claxon.post([event], **BEARER)
        pager.wait_for(1)
        [alert] = claxon.request("GET", "/v1/alerts", headers=BEARER)[1]["alerts"]
        yield Place(folder=folder, url=claxon.url, fingerprint=alert["alert"]["fingerprint"])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAXON_ADMIN_KEY", KEY)


def at(place: Place) -> list[str]:
    return ["--url", place.url]


GOOD: dict[str, Callable[[Place, Path], list[str]]] = {
    "backtest": lambda place, _: [str(place.folder / "events.ndjson")],
    "check": lambda place, _: [str(place.folder / "claxon.yml")],
    "rules": lambda _, __: [],
    "test": lambda place, _: [str(place.folder / "good.yml")],
    "explain": lambda place, _: [place.fingerprint, *at(place)],
    "route": lambda _, __: [f"app={EVIL}", "severity=page"],
    "fire-drill": lambda place, _: ["on-call", *at(place)],
    "keys create": lambda place, mine: [named(mine), *at(place)],
    "keys list": lambda place, _: at(place),
    "keys rotate": lambda place, mine: [made(place, mine), *at(place)],
    "keys revoke": lambda place, mine: [made(place, mine), *at(place)],
    "audit": lambda place, _: at(place),
    "top": lambda place, _: ["--once", *at(place)],
    "verify": lambda place, _: ["--data", str(place.folder / "stopped")],
    "export": lambda place, mine: [str(mine / "x.ndjson"), "--data", str(place.folder / "stopped")],
    "backup": lambda place, mine: [str(mine / "b.db"), "--data", str(place.folder / "stopped")],
    "restore": lambda place, mine: [backed_up(place, mine), "--data", str(mine / "new")],
    "salvage": lambda place, mine: [backed_up(place, mine), "--data", str(mine / "new")],
    "migrate": lambda place, _: ["--data", str(place.folder / "stopped")],
}
"""What each command is asked that is done."""

ELSEWHERE = {"serve", "demo", "move"}
"""Those that go on: their tests are below. One needs a server: test_move.py."""

BAD: dict[str, list[str]] = {
    "serve": ["--listen", "nowhere"],
    "demo": ["--listen", "nowhere"],
    "backtest": ["none"],
    "check": ["none"],
    "rules": ["--no-such-option"],
    "test": ["none"],
    "explain": [],
    "route": ["app"],
    "fire-drill": ["x", "--url", "http://127.0.0.1:1"],
    "keys create": ["x", "--url", "http://127.0.0.1:1"],
    "keys list": ["--url", "http://127.0.0.1:1"],
    "keys rotate": ["x", "--url", "http://127.0.0.1:1"],
    "keys revoke": ["x", "--url", "http://127.0.0.1:1"],
    "audit": ["--url", "http://127.0.0.1:1"],
    "top": ["--once", "--url", "http://127.0.0.1:1"],
    "verify": ["--data", "none"],
    "export": ["x.ndjson", "--data", "none"],
    "backup": ["b.db", "--data", "none"],
    "restore": ["none", "--data", "new"],
    "salvage": ["none", "--data", "new"],
    "migrate": ["--data", "postgresql://127.0.0.1:1/none"],
    "move": ["--from", "none", "--to", "postgresql://127.0.0.1:1/none"],
}
"""What each is asked that ends with 2."""


def named(mine: Path) -> str:
    return f"key-{mine.name[-30:].strip('_')}"


def made(place: Place, mine: Path) -> str:
    main(["keys", "create", named(mine), *at(place), "--json"])
    return named(mine)


def backed_up(place: Place, mine: Path) -> str:
    main(["backup", str(mine / "b.db"), "--data", str(place.folder / "stopped"), "--json"])
    return str(mine / "b.db")


@pytest.mark.parametrize("words", SERVICE, ids=" ".join)
def test_every_command_prints_with_json_what_is_documented_and_nothing_a_terminal_obeys(
    words: tuple[str, ...], place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new command fails here until it has --json, and an entry in GOOD."""
    name = " ".join(words)
    facts = facts_of(SERVICE[words])
    assert facts is not None, f"claxon {name} has no --json"
    if name in ELSEWHERE:
        return
    asked = GOOD[name](place, tmp_path)
    capsys.readouterr()

    status = main([*words, *asked, "--json"])

    said = capsys.readouterr()
    assert status == 0, said.err
    assert ORDERS.findall(said.out) == []
    found = json.loads(said.out)
    needed = {field for field in facts.fields if not field.endswith("*")}
    assert needed <= set(found) <= {field.removesuffix("*") for field in facts.fields}
    for line in said.err.splitlines():
        assert set(json.loads(line)) == {"warning"}


@pytest.mark.parametrize("words", SERVICE, ids=" ".join)
def test_every_command_prints_text_without_colour_to_what_is_no_terminal(
    words: tuple[str, ...], place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = " ".join(words)
    if name in ELSEWHERE:
        return
    asked = GOOD[name](place, tmp_path)
    capsys.readouterr()

    assert main([*words, *asked]) == 0

    said = capsys.readouterr()
    assert ORDERS.findall(said.out + said.err) == []
    assert said.out


@pytest.mark.parametrize("words", SERVICE, ids=" ".join)
def test_every_command_says_with_json_what_is_wrong_as_json_and_ends_as_without(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = [*words, *BAD[" ".join(words)]]

    plain = status_of(asked)
    text = capsys.readouterr()
    as_json = status_of([*asked, "--json"])
    said = capsys.readouterr()

    assert plain == as_json == 2
    assert text.err.startswith(("claxon: ", "usage: claxon "))
    assert [set(json.loads(line)) for line in said.err.splitlines()] == [{"error"}]
    assert said.out == "" or words == ("check",)


@pytest.mark.parametrize("words", [*SERVICE, *CLIENT], ids=" ".join)
def test_an_option_that_is_not_there_is_refused_as_json(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = make_parser() if words in SERVICE else make_client_parser()

    with pytest.raises(SystemExit) as ended:
        parser.parse_args([*words, "--json", "--no-such-option"])

    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert json.loads(said.err)["error"].startswith(("claxon", "python -m claxon"))


def status_of(asked: list[str]) -> int:
    try:
        return main(asked)
    except SystemExit as ended:
        return int(ended.code or 0)


# ── those that go on ──────────────────────────────────────────────────────────


def test_a_service_logs_and_prints_pages_as_json_lines(tmp_path: Path) -> None:
    with Process(tmp_path, arguments=["--json"]) as process:
        process.post([{"model": "m", "app": EVIL, "status": 401}], **BEARER)
        assert until(lambda: '"notification"' in process.log.read_text(), 10)

    text = process.log.read_text()
    said = [json.loads(line) for line in text.splitlines()]
    [page] = [line["notification"] for line in said if "notification" in line]
    assert page["alerts"][0]["labels"]["app"] == EVIL
    assert "service.started" in {line.get("event") for line in said}
    assert ORDERS.findall(text) == []


def test_the_demo_says_its_steps_as_json_lines() -> None:
    command = [sys.executable, "-m", "service", "demo", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as demo:
        assert demo.stdout is not None
        said: list[dict[str, Any]] = []
        while "alertname" not in (said[-1:] or [{}])[0]:
            said.append(json.loads(demo.stdout.readline()))
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(30) == 130

    assert said[-1]["alertname"] == "ClaudeConsecutiveServerErrors"
    assert any("notification" in line for line in said)
    assert {line["step"] for line in said if "step" in line} == {1, 2}


# ── the client's ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", CLIENT, ids=" ".join)
def test_every_command_of_the_client_prints_json_and_says_what_is_wrong_as_json(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = DeferredCalls(url)
    queue.defer(**call(EVIL), key=EVIL, context={"path": EVIL})
    [job] = queue.jobs(None, most=1)
    queue.close()
    more = {"show": [job.id], "retry": ["--dead"], "drop": [job.id], "purge": ["--done"]}.get(words[-1], [])

    done = client([*words, *more, "--json"], url=url)
    wrong = client([*words, *more, "--json"], url="sqlite:////nowhere/at/all.db")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) is not None
    assert ORDERS.findall(done.stdout) == []
    assert wrong.returncode == 2
    assert set(json.loads(wrong.stderr)) == {"error"}


def client(words: list[str], *, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "claxon", *words, "--queue", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
