"""The TypeScript client: its own tests, and that its events are those of the Python client."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import claxon
import pytest
from claxon.event import to_wire
from claxon.testing import capture_events

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ask, stream_sync
from tests.client.cases import ATTEMPT_FIELDS, ENDING_FIELDS, cases_of, endings
from tests.client_ts import package
from tests.support.pager import Pager
from tests.support.running import Running, until

CONFIG = """
route: {{receiver: on-call}}
receivers:
  - {{name: on-call, webhook_configs: [{{url: "{url}/hook"}}]}}
"""

# What differs between two runs of the same program.
OF_THE_MOMENT = {"time", "duration_ms", "time_to_first_token_ms", "call_id", "request_id", "ratelimit"}


def lock_file() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((package.SOURCE / "package-lock.json").read_text(encoding="utf-8"))
    return found


def test_the_lock_file_pins_by_hash_and_names_no_address() -> None:
    """Where packages come from is the business of whoever installs them."""
    packages = {name: entry for name, entry in lock_file()["packages"].items() if name}

    assert len(packages) > 3
    assert [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []
    assert "resolved" not in json.dumps(packages)
    assert "://" not in json.dumps(packages)


def test_what_is_needed_to_build_is_pinned_and_nothing_is_needed_to_run() -> None:
    manifest = json.loads((package.SOURCE / "package.json").read_text(encoding="utf-8"))

    assert "dependencies" not in manifest
    assert [pin for pin in manifest["devDependencies"].values() if not re.fullmatch(r"\d+\.\d+\.\d+", pin)] == []
    assert manifest["version"] == claxon.__version__ == lock_file()["version"]
    assert f'"{claxon.__version__}"' in (package.SOURCE / "src/version.ts").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, installed and built."""
    return package.build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeClaude]:
    with FakeClaude() as api:
        yield api


@pytest.mark.peer("node")
def test_the_tests_of_the_package_pass(built: Path, fake: FakeClaude) -> None:
    said = package.run("npm", "test", cwd=built, more={"CLAXON_TEST_API": fake.url})

    assert re.search(r"^# fail 0$", said, re.MULTILINE)
    assert re.search(r"^# skipped 0$", said, re.MULTILINE)
    assert int(re.findall(r"^# pass (\d+)$", said, re.MULTILINE)[0]) > 150


@pytest.mark.peer("node")
def test_an_app_in_typescript_can_be_typed_strictly(built: Path) -> None:
    package.run("npm", "run", "check", cwd=built)


@pytest.mark.peer("node")
def test_what_is_packed_is_what_was_built_and_no_more(built: Path) -> None:
    (packed,) = json.loads(package.run("npm", "pack", "--dry-run", "--json", "--ignore-scripts", cwd=built))
    names = {file["path"] for file in packed["files"]}

    assert {"dist/esm/index.js", "dist/esm/index.d.ts", "dist/cjs/index.js", "dist/cjs/testing.d.ts"} <= names
    assert {name.partition("/")[0] for name in names} == {"dist", "package.json", "README.md"}


@pytest.fixture(scope="module")
def shipped(
    built: Path, fake: FakeClaude, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[dict[str, Any]], Pager]]:
    """What the service says of an app in TypeScript that met every case, and the pager it told."""
    with Pager() as pager, Running(tmp_path_factory.mktemp("ts"), config=CONFIG.format(url=pager.url)) as service:
        settings = {"CLAXON_URL": service.url, "CLAXON_APP": "ts", "CLAXON_ENVIRONMENT": "test"}
        said = package.run("node", "tests/support/app.mjs", cwd=built, more={**settings, "CLAXON_TEST_API": fake.url})
        counts = json.loads(said)
        assert counts["isWhole"]
        assert not counts["rejected"]
        found = service.get("/v1/events?app=ts&limit=1000&outcome=all")["events"]
        assert until(lambda: pager.received, 10)
        yield ordered(found), pager


@pytest.mark.peer("node")
def test_every_case_makes_the_events_in_typescript_that_it_makes_in_python(
    shipped: tuple[list[dict[str, Any]], Pager],
) -> None:
    by_path: dict[str, list[dict[str, Any]]] = {}
    for event in shipped[0]:
        by_path.setdefault(event["path"], []).append(event)
    calls = cases_of("attempts") | cases_of("unanswered")

    seen = {path: [row(event, ATTEMPT_FIELDS) for event in by_path[path]] for path in calls}
    ended = {path: [row(event, ENDING_FIELDS) for event in by_path[path]] for path in endings()}

    assert seen == {path: rows for path, (_, rows) in calls.items()}
    assert ended == {path: [fields] for path, (_, fields) in endings().items()}


@pytest.mark.peer("node")
def test_field_by_field_the_two_clients_say_the_same(
    shipped: tuple[list[dict[str, Any]], Pager], fake: FakeClaude
) -> None:
    """The Python client meets the same API in the same run."""
    assert [lasting(event) for event in shipped[0]] == [lasting(event) for event in events_in_python(fake)]


@pytest.mark.peer("node")
def test_a_401_of_an_app_in_typescript_pages(shipped: tuple[list[dict[str, Any]], Pager]) -> None:
    pager = shipped[1]

    def alerts() -> set[str]:
        return {received.json["groupLabels"].get("alertname", "") for received in pager.received}

    assert until(lambda: "ClaudeAuthError" in alerts(), 10), alerts()


def ordered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events by path and attempt; the first attempt is the default, and not said."""
    return sorted(({"attempt": 1} | event for event in events), key=lambda event: (event["path"], event["attempt"]))


def row(event: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return fields of an event; None for what it does not have."""
    return tuple(event.get(name) for name in names)


def lasting(event: dict[str, Any]) -> dict[str, Any]:
    limits = event.get("ratelimit") or {}
    amounts = {name: value for name, value in limits.items() if not name.endswith("_reset")}
    there = {name: name in event for name in OF_THE_MOMENT}
    return {name: value for name, value in event.items() if name not in OF_THE_MOMENT} | {
        "limits": amounts,
        "there": there,
    }


def events_in_python(fake: FakeClaude) -> list[dict[str, Any]]:
    """Return what the Python client says of the same cases, as the service would show it."""
    with anthropic.Anthropic(api_key="sk-ant-secret", base_url=fake.url) as client, capture_events() as events:
        for path, (steps, _) in cases_of("attempts").items():
            call(client, path, steps)
        for path, (steps, _) in cases_of("unanswered").items():
            call(client, path, steps, timeout=0.05, max_retries=0)
        for path, (steps, _) in endings().items():
            with claxon.context(path=path, app="ts", environment="test"):
                try:
                    stream_sync(client, "create", steps)
                except Exception:  # what it raises is tested elsewhere
                    continue
    return ordered([to_wire(event) for event in events])


def call(client: anthropic.Anthropic, path: str, steps: str, **options: Any) -> None:
    with claxon.context(path=path, app="ts", environment="test"):
        asyncio.run(ask(client, steps, **options))
