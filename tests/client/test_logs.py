"""Events as log lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import claxon
import pytest
import structlog
from claxon.attempt import Attempt, Call
from claxon.event import Event
from claxon.logs import EventLog

from tests.client.calling import ARGUMENTS, SOON, ask

ATTEMPT = Attempt(call=Call(id="c", max_retries=2, refreshes_token=False, started=0.0), number=1, started=0.0)


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


async def test_each_event_is_a_json_line_written_off_the_callers_thread(
    client: anthropic.Anthropic, capsys: pytest.CaptureFixture[str]
) -> None:
    claxon.instrument(url="", log_events=True, interval_s=60)
    await ask(client, f"500:{SOON},200")
    assert claxon.flush(5)

    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["event"], first["level"], first["category"]) == ("claude.attempt", "warning", "server")
    assert (first["status"], first["attempt"], first["final"]) == (500, 1, False)
    assert (second["level"], second["category"], second["attempt"]) == ("info", "ok", 2)
    assert first["time"].endswith("Z")
    assert first["call_id"] == second["call_id"]


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (Event(model="m", status=200), "info"),
        (Event(model="m", error_type="cancelled"), "info"),
        (Event(model="m", status=529, final=False), "warning"),
        (Event(model="m", status=529, final=True), "error"),
        (Event(model="m", status=401), "error"),
    ],
)
def test_the_level_says_who_should_care(event: Event, level: str) -> None:
    stream = io.StringIO()

    EventLog(stream).write(ATTEMPT, event)

    assert json.loads(stream.getvalue())["level"] == level


def test_an_app_that_configured_structlog_gets_events_through_its_own_processors() -> None:
    lines: list[Any] = []

    def keep(logger: Any, name: str, line: Any) -> Any:
        lines.append(dict(line))
        raise structlog.DropEvent

    own = io.StringIO()
    log = EventLog(own)
    log.write(ATTEMPT, Event(model="m"))
    structlog.configure(processors=[structlog.processors.add_log_level, keep])
    log.write(ATTEMPT, Event(model="m", status=401))

    assert [(line["event"], line["level"], line["status"]) for line in lines] == [("claude.attempt", "error", 401)]
    assert len(own.getvalue().splitlines()) == 1


async def test_no_line_is_written_unless_asked_for(
    client: anthropic.Anthropic, capsys: pytest.CaptureFixture[str]
) -> None:
    claxon.instrument(url="")
    client.messages.create(**ARGUMENTS)
    assert claxon.flush(5)

    assert capsys.readouterr().out == ""
