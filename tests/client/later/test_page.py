"""docs/client/later.md: its commands say what they print, its defaults are those of the code."""

from __future__ import annotations

import inspect
import re
import shlex

import pytest
from claxon.__main__ import main
from claxon.later import DeferredCalls, Patience, Pauses, Reason
from claxon.later.shift import WorkSettings

from tests.client.later.working import arguments
from tests.support.repository import ROOT

PAGE = (ROOT / "docs/client/later.md").read_text()
_COMMANDS = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_IDS = re.compile(r"\b[0-9a-f]{16}\b")


def prepare(queue: DeferredCalls) -> None:
    """Make the queue that the page shows: one job done, one that waits for its next run, one dead."""
    for key in ("order-16", "order-17", "order-18"):
        queue.defer(**arguments("Hello"), key=key, context={"path": "checkout/summary"})
    done, again, dead = queue.store.take(lease_s=60, most=3)
    queue.store.finish(done)
    overloaded = Reason(category="overloaded", type="overloaded_error", status=529, request_id="req_011a")
    queue.store.put_back(again, after_s=2400, reason=overloaded, counted=True)
    queue.store.bury(dead, Reason(category="not_found", type="not_found_error", status=404, request_id="req_011b"))


def comparable(text: str) -> str:
    """Return a text in which ids are the same whenever they are in the same places, and instants are none."""
    seen: dict[str, str] = {}
    named = _IDS.sub(lambda found: seen.setdefault(found[0], f"{len(seen):016}"), text)
    named = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "0000-00-00T00:00:00.000Z", named)
    return re.sub(r"\b\d s ago", "0 s ago", named)


def test_each_command_of_the_page_prints_what_the_page_says(
    queue: DeferredCalls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(queue)
    monkeypatch.setenv("CLAXON_LATER", str(queue.store))
    (block,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    shown = _COMMANDS.findall(block)

    printed = ""
    for command, _ in shown:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "claxon"]
        assert main(words[3:]) == 0
        printed += f"$ {command}\n{capsys.readouterr().out}"

    assert {command.split()[4] for command, _ in shown} == {"list", "show", "stats", "retry", "drop", "purge"}
    assert comparable(printed) == comparable(block)


def test_the_defaults_of_the_page_are_those_of_the_code() -> None:
    signature = inspect.signature(DeferredCalls).parameters
    settings = WorkSettings()

    assert f"| `most_waiting` | {signature['most_waiting'].default:,} |" in PAGE
    assert f"| `keep_s` | {signature['keep_s'].default / 86_400:.0f} days |" in PAGE
    for name in ("concurrency", "lease_s", "poll_s", "grace_s", "until_empty", "signals"):
        assert re.search(rf"\| `{name}` \| {getattr(settings, name):g} \|", PAGE) or (
            f"| `{name}` | {getattr(settings, name)} |" in PAGE
        ), name
    for kind in (Patience(), Pauses()):
        said = re.search(rf"`{type(kind).__name__}\((.*?)\)`", PAGE)
        assert said is not None
        shown = dict(pair.split("=") for pair in said[1].split(", "))
        assert {name: float(value.replace("_", "")) for name, value in shown.items()} == {
            name: getattr(kind, name) for name in kind.__slots__
        }
