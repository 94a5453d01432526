"""`claxon top` on a real terminal, beside a real service: what is seen, when, and how the terminal is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from tests.support.pager import Pager, Reply
from tests.support.running import Process, until
from tests.support.screens import ENTER, LEAVE, OnTerminal

EVIL = "ev\x1b[31mil\x9b2J\u202e"
ADMIN, READ = "an-admin-key-for-these-tests", "a-read-key-for-these-tests"


@pytest.fixture
def claxon(tmp_path: Path) -> Iterator[Process]:
    with Process(tmp_path) as process:
        yield process


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A service that nobody posts to, for all tests that ask no more of it."""
    with Process(tmp_path_factory.mktemp("quiet")) as process:
        yield process


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Process]:
    """A service with keys."""
    with Process(tmp_path, environment={**os.environ, "CLAXON_ADMIN_KEY": ADMIN, "CLAXON_READ_KEY": READ}) as process:
        yield process


def top(process: Process, *more: str, cells: int = 80, lines: int = 24, **variables: str) -> OnTerminal:
    return OnTerminal(["top", "--url", process.url, *more], cells=cells, lines=lines, variables=variables)


def failed(app: str = "search", **more: Any) -> dict[str, Any]:
    return {"app": app, "environment": "prod", "model": "claude-sonnet-5", "status": 401} | more


# ── what is seen ──────────────────────────────────────────────────────────────


def test_an_alert_is_on_the_screen_within_two_seconds_of_its_event(claxon: Process) -> None:
    with top(claxon) as terminal:
        terminal.shows("none fires")
        claxon.post([failed()])
        took = terminal.shows("ClaudeAuthError")

        assert took < 2.0
        terminal.shows("1 firing (1 page)")
        terminal.shows("search/prod")
        terminal.shows("1 attempt; one is enough; authentication (401) × 1")
        terminal.shows("READY  lag ")


def test_a_model_shows_its_pace_its_errors_and_what_is_left_of_the_budget(claxon: Process) -> None:
    fine = [failed(status=200)] * 100
    claxon.post([*fine, *[failed(status=529, final=False)] * 4, *[failed(status=429, throttled_ms=2500)] * 2])

    with top(claxon, cells=120, lines=40) as terminal:
        terminal.shows("MODELS  1 with attempts in the last")
        terminal.shows("overloaded 4 rate_limit 2")
        [line] = [line for line in terminal.screen.text.splitlines() if "overloaded 4" in line]

    app, model, _, failures, absorbed, exhausted, left, _, held, *_ = line.removeprefix("!").split()
    assert (app, model, failures, absorbed, exhausted, left, held) == (
        "search/prod", "claude-sonnet-5", "6", "4", "-", "100", "5s",
    )  # fmt: skip


def test_it_fills_the_window_and_follows_its_size(claxon: Process) -> None:
    claxon.post([failed()])
    with top(claxon) as terminal:
        terminal.shows("ClaudeAuthError")
        for cells, lines in ((120, 40), (60, 20), (40, 8), (20, 5), (200, 50)):
            terminal.resize(cells, lines)
            foot = "20x5: too small" if lines < 8 else "q quit"
            terminal.shows(foot, within=5)
            rows = terminal.screen.text.split("\n")
            assert len(rows) == lines
            assert ("q quit" in rows[-1]) == (lines >= 8)


def test_only_what_has_changed_is_written(quiet: Process) -> None:
    with top(quiet, cells=120, lines=40) as terminal:
        terminal.shows("none fires")
        before, wiped = len(terminal.written), terminal.screen.wiped
        seen = terminal.screen.text
        terminal.until(lambda: terminal.screen.text != seen, what="another second")

        assert len(terminal.written) - before < 600
        assert terminal.screen.wiped == wiped


def test_no_app_orders_the_terminal_about(claxon: Process) -> None:
    """The screen of the test fails on every order but the few that are ours."""
    claxon.post([failed(EVIL, model=EVIL, error_message=EVIL, environment=EVIL, path=EVIL)])
    with top(claxon) as terminal:
        terminal.shows("ClaudeAuthError")
        terminal.press("\r")
        terminal.shows("fingerprint")
        assert "ev\ufffd[31mil\ufffd2J" in terminal.screen.text


def test_an_alert_is_chosen_and_shown_as_a_whole(claxon: Process) -> None:
    claxon.post([failed(request_id="req_011A"), failed("checkout")])
    with top(claxon) as terminal:
        terminal.until(lambda: terminal.screen.text.count("ClaudeAuthError") == 2, what="both")
        for _ in range(3):
            terminal.press("\x1b[A")
        terminal.until(lambda: _chosen(terminal).endswith("ClaudeAuthError"))
        first = _chosen(terminal)
        terminal.press("j")
        terminal.until(lambda: _chosen(terminal) != first, what="the other one")
        terminal.press("k" if "search" in first else "j")
        terminal.until(lambda: "search" in _chosen(terminal))

        terminal.press("\r")
        terminal.shows("request ids  req_011A")
        terminal.shows("blame        key")
        terminal.press("\x1b")
        terminal.shows("MODELS")


def _chosen(terminal: OnTerminal) -> str:
    return next((line for line in terminal.screen.text.splitlines() if line.startswith(">")), "")


def test_models_are_sorted_by_what_is_asked_for(claxon: Process) -> None:
    claxon.post([*[failed("busy", status=200)] * 50, *[failed("broken", status=400)] * 3])
    with top(claxon) as terminal:
        terminal.shows("s sort: errors")
        terminal.until(lambda: _models(terminal) == ["broken/prod", "busy/prod"])
        terminal.press("s")
        terminal.shows(", by rate")
        terminal.until(lambda: _models(terminal) == ["busy/prod", "broken/prod"])


def _models(terminal: OnTerminal) -> list[str]:
    below = terminal.screen.text.partition("MODELS")[2].splitlines()[2:]
    return [line.removeprefix("!").split()[0] for line in below if "sonnet" in line]


# ── acknowledging ─────────────────────────────────────────────────────────────


def test_an_alert_is_acknowledged_only_after_a_yes(keyed: Process, tmp_path: Path) -> None:
    keyed.post([failed()], Authorization=f"Bearer {ADMIN}")
    with top(keyed, "--name", "Bo", CLAXON_ADMIN_KEY=ADMIN) as terminal:
        terminal.shows("ClaudeAuthError")
        terminal.press("a")
        terminal.shows("Acknowledge ClaudeAuthError of search/prod as Bo? y/n")
        terminal.press("n")
        terminal.shows("not acknowledged")
        terminal.press("a")
        terminal.shows("as Bo? y/n")
        terminal.press("y")
        terminal.shows("[acked by Bo]")
        terminal.press("a")
        terminal.shows("Bo has acknowledged it already")

    [alert] = keyed.request("GET", "/v1/alerts", headers={"Authorization": f"Bearer {ADMIN}"})[1]["alerts"]
    assert alert["ack"]["by"] == "Bo"


def test_a_key_that_may_only_read_is_told_what_acknowledging_needs(keyed: Process, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(READ)
    keyed.post([failed()], Authorization=f"Bearer {ADMIN}")
    with top(keyed, "--key-file", str(tmp_path / "key"), cells=160) as terminal:
        terminal.shows("ClaudeAuthError")
        terminal.press("a")
        terminal.shows("as anna? y/n")
        terminal.press("y")
        terminal.shows(f"not acknowledged: {keyed.url}: 403: name a file with a key of scope admin by --key-file")
        terminal.press("q")
        assert terminal.ends() == 0


# ── a service that is not there ───────────────────────────────────────────────


def test_a_service_that_is_killed_is_said_to_be_gone_and_is_found_again(claxon: Process) -> None:
    claxon.post([failed()])
    with top(claxon) as terminal:
        terminal.shows("ClaudeAuthError")
        claxon.kill()
        terminal.shows("NO ANSWER for ")
        assert "ClaudeAuthError" in terminal.screen.text, "what was known last stays"
        claxon.start()
        terminal.shows("READY  lag ")
        assert "NO ANSWER" not in terminal.screen.text


def test_a_service_that_is_not_there_yet_is_waited_for(claxon: Process) -> None:
    claxon.kill()
    with top(claxon) as terminal:
        terminal.shows("NO ANSWER: ")
        terminal.shows("Connection refused")
        claxon.start()
        terminal.shows("none fires")


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_wrong_key_ends_it_with_what_to_do(keyed: Process, more: list[str]) -> None:
    with top(keyed, *more, cells=160, CLAXON_READ_KEY="wrong") as terminal:
        assert terminal.ends() == 2
        said = terminal.written.rpartition(LEAVE)[2].decode()

    assert f"{keyed.url}: 401: name a file with a key of scope read by --key-file, or set CLAXON_READ_KEY" in said
    assert terminal.screen.modes <= {"?7", "?25"}


# ── how the terminal is left ──────────────────────────────────────────────────

_AS_FOUND = {"?7", "?25"}
"""Wrapping and the cursor: on again; the other screen: left."""


@pytest.mark.parametrize(
    ("end", "status"),
    [("q", 0), ("\x03", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)],
    ids=["q", "ctrl-c", "SIGTERM", "SIGHUP", "SIGINT"],
)
def test_however_it_ends_the_terminal_is_as_it_was(quiet: Process, end: str | int, status: int) -> None:
    with top(quiet) as terminal:
        terminal.shows("none fires")
        assert terminal.screen.modes == {"?1049"}
        assert terminal.now != terminal.before
        if isinstance(end, str):
            terminal.press(end)
        else:
            terminal.hang_up(end)

        assert terminal.ends() == status
        assert terminal.now == terminal.before
        assert terminal.screen.modes == _AS_FOUND
        assert terminal.written.endswith(LEAVE)


def test_it_stops_at_ctrl_z_with_the_terminal_as_it_was_and_goes_on(quiet: Process) -> None:
    with OnTerminal(["top", "--url", quiet.url], run=_as_a_shell) as terminal:
        terminal.shows("none fires")
        terminal.press("\x1a")
        terminal.until(lambda: terminal.written.endswith(LEAVE + b"STOPPED\r\n"), what="stopped")
        assert terminal.now == terminal.before
        entered = terminal.written.count(ENTER)

        terminal.press("fg\n")
        terminal.until(lambda: terminal.written.count(ENTER) == entered + 1, what="on its screen again")
        terminal.shows("none fires")
        assert terminal.now != terminal.before
        terminal.press("q")
        assert terminal.ends() == 0
        assert terminal.now == terminal.before


def _as_a_shell(command: list[str]) -> None:
    """Run a job in the foreground, as a shell does: say when it stops, and let it go on at a line from the terminal."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = subprocess.Popen(command, process_group=0)
    os.tcsetpgrp(0, job.pid)
    while True:
        _, status = os.waitpid(job.pid, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            os._exit(os.waitstatus_to_exitcode(status))
        os.write(1, b"STOPPED\n")
        os.read(0, 100)
        os.tcsetpgrp(0, job.pid)
        os.killpg(job.pid, signal.SIGCONT)


# ── what is no terminal ───────────────────────────────────────────────────────


def test_on_what_is_no_terminal_it_prints_once_without_colour(
    claxon: Process, capsys: pytest.CaptureFixture[str]
) -> None:
    claxon.post([failed(EVIL)])
    assert until(claxon.firing, 10)

    assert main(["top", "--url", claxon.url]) == 0

    said = capsys.readouterr().out
    assert "ALERTS  1 firing (1 page)" in said
    assert "1 attempt; one is enough; authentication (401) × 1" in said
    assert [letter for letter in said if not letter.isprintable() and letter != "\n"] == []


@pytest.mark.parametrize("more", [["--once"], []], ids=["--once", "TERM=dumb"])
def test_on_a_terminal_that_wants_it_once_it_neither_clears_nor_listens(quiet: Process, more: list[str]) -> None:
    variables = {} if more else {"TERM": "dumb"}
    with OnTerminal(["top", "--url", quiet.url, *more], variables=variables) as terminal:
        assert terminal.ends() == 0

    assert b"none fires" in terminal.written
    assert (b"\x1b[" in terminal.written) == bool(more), "colour, but not on a dumb one"
    assert terminal.screen.modes == set()


def test_without_colour_it_is_the_same_view(claxon: Process) -> None:
    claxon.post([failed()])
    with top(claxon, NO_COLOR="1") as terminal:
        terminal.shows("ClaudeAuthError")
        terminal.shows("> page")
        assert {"1", "2", "7"} >= {code for codes in terminal.screen.painted for code in codes.split(";")} - {"0"}


def test_as_json_it_goes_on_and_says_on_the_other_stream_that_nobody_answers(claxon: Process) -> None:
    command = [sys.executable, "-m", "service", "top", "--url", claxon.url, "--json", "--interval", "0.6"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        said = [json.loads(running.stdout.readline()) for _ in range(2)]
        claxon.kill()
        fault = json.loads(running.stderr.readline())
        claxon.start()
        again = json.loads(running.stdout.readline())
        running.send_signal(signal.SIGINT)
        running.communicate()

    assert running.returncode == 130
    assert [one["claxon"]["ready"] for one in (*said, again)] == [True, True, True]
    assert said[0]["at"] < said[1]["at"]
    assert "Connection" in fault["error"]


def test_a_reader_who_has_had_enough_ends_it(quiet: Process) -> None:
    command = (
        f"{sys.executable} -m service top --url {quiet.url} --json --interval 0.2 | head -n 1; echo ${{PIPESTATUS[*]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True)

    line, statuses = done.stdout.splitlines()
    assert json.loads(line)["claxon"]["ready"]
    assert (statuses, done.stderr) == ("0 0", "")


def test_something_else_that_answers_is_said_to_be_that(capsys: pytest.CaptureFixture[str]) -> None:
    with Pager(Reply(status=404, body='{"detail": "Not Found"}')) as other:
        assert main(["top", "--once", "--url", other.url]) == 2
        missing = capsys.readouterr().err
        other.answer_with(Reply(body="<html>"))
        assert main(["top", "--once", "--url", other.url]) == 2
        strange = capsys.readouterr().err

    assert missing.startswith("claxon: /v1/top: 404: another version of Claxon, or something else, answers there: ")
    assert ": another version of Claxon, or something else, answers there: " in strange


def test_an_answer_that_breaks_off_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with Pager(Reply(headers={"Content-Length": "100"}, body="{")) as broken:
        assert main(["top", "--once", "--url", broken.url]) == 2
    assert capsys.readouterr().err.startswith(f"claxon: {broken.url}: ")
    assert main(["top", "--once", "--url", "http://["]) == 2
    assert capsys.readouterr().err.startswith("claxon: --url: http://[: ")


def test_once_it_ends_with_2_if_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "--url", "http://127.0.0.1:1"]) == 2
    assert capsys.readouterr().err.startswith("claxon: http://127.0.0.1:1: ")
    assert main(["top", "--interval", "0"]) == 2
    assert capsys.readouterr().err == "claxon: --interval: 0: name 0.2 to 3600 seconds\n"
