"""Real instrumentations, the real exporter and a service that is a process: from a failing call to a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.otlp.capture import run
from tests.otlp.instrumented import CANARY
from tests.support.pager import Pager
from tests.support.running import Process, until

CONFIG = """
route: {{receiver: on-call}}
receivers:
  - {{name: on-call, webhook_configs: [{{url: "{url}/hook"}}]}}
"""


@pytest.fixture(scope="module")
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pager: Pager) -> Iterator[Process]:
    folder: Path = tmp_path_factory.mktemp("otlp")
    with Process(folder, config=CONFIG.format(url=pager.url)) as running:
        yield running


def paged(pager: Pager, app: str) -> dict[str, dict[str, str]]:
    """Return the annotations of the pages about an app, by alert."""
    bodies = [received.json for received in pager.received if received.json["groupLabels"].get("app") == app]
    return {body["groupLabels"]["alertname"]: body["alerts"][0]["annotations"] for body in bodies}


@pytest.mark.parametrize("name", ["native", "openllmetry", "openllmetry-over-native"])
def test_a_rejected_key_of_an_app_with_only_opentelemetry_pages(service: Process, pager: Pager, name: str) -> None:
    run(name, service.url, "200", "401", "200")

    assert until(lambda: "ClaudeAuthError" in paged(pager, name), 5)
    told = paged(pager, name)["ClaudeAuthError"]
    assert told["request_ids"].startswith("req_")
    assert told["errors"].endswith("(401) × 1")
    assert not any(CANARY.encode() in received.body for received in pager.received)


def test_what_is_in_the_log_holds_no_prompt(service: Process) -> None:
    """The bodies are compressed: the service's own way to read them is asked, and the file as it is."""
    files = [path.read_bytes() for path in service.data.iterdir() if path.is_file()]

    assert files
    assert [1 for file in files if CANARY.encode() in file] == []
    assert CANARY not in str(service.get("/v1/ledger"))
