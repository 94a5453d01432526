"""`claxon backtest`, as a process."""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.backtest.progress import line
from service.backtest.sources import Source
from service.cli import main
from tests.support.events import NOON
from tests.support.logs import lines, rejected, traffic, wire, write

OUTAGE = [*traffic(0, 100), rejected(100), *traffic(101, 1100)]
LABELS = f"start,end,app\n{NOON + 90},{NOON + 120},shop\n"


def claxon(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "service", "backtest", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def test_standard_input_is_read_compressed_or_not() -> None:
    plain = claxon("-", "--format", "json", stdin=lines(OUTAGE))
    compressed = claxon("-", "--format", "json", stdin=gzip.compress(lines(OUTAGE)))

    assert (plain.returncode, plain.stderr) == (0, b"")
    found = json.loads(plain.stdout)
    assert [alert["labels"]["alertname"] for alert in found["alerts"]] == ["ClaudeAuthError"]
    assert found == json.loads(compressed.stdout)


def test_bad_lines_are_said_and_fail_only_if_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path / "log", lines(OUTAGE) + b"oops\n" * 12)

    assert main(["backtest", str(log)]) == 0
    said = capsys.readouterr()
    assert ", 12 refused" in said.out
    assert "claxon: 12 refused:\n" in said.err
    assert f"  {log}:1101: event: oops: not valid JSON: " in said.err
    assert said.err.endswith("  and 2 more\n")
    assert main(["backtest", "--strict", str(log)]) == 1
    assert main(["backtest", "--strict", str(write(tmp_path / "good", OUTAGE))]) == 0


def test_a_file_that_breaks_off_is_a_failure_that_still_shows_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path / "log.gz", OUTAGE)
    log.write_bytes(log.read_bytes()[:-9])

    assert main(["backtest", str(log), "--format", "json"]) == 1

    said = capsys.readouterr()
    found = json.loads(said.out)
    assert len(found["alerts"]) == 1
    assert found["broken"] == [f"{log}: the gzip data end too early: copy the whole file"]
    assert json.loads(said.err) == {"error": found["broken"][0]}


def test_all_that_is_asked_for_wrongly_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "labels"
    labels.write_text("begin,end\n1,2\n")

    assert main(["backtest", "none", str(tmp_path), "-", "-", "--labels", str(labels)]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert [text.split(":")[1].strip() for text in said.err.splitlines()] == ["-", "none", str(tmp_path), str(labels)]


def test_a_bad_duration_is_refused_with_what_it_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["backtest", "-", "--tail", "soon"])

    assert "'soon': not a duration: write a number and a unit" in capsys.readouterr().err


def test_labels_are_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(LABELS)

    assert main(["backtest", str(write(tmp_path / "log", OUTAGE)), "--labels", str(labels)]) == 0

    assert "all pages                           100 % (1 of 1)  100 % (1 of 1)  median 10s" in capsys.readouterr().out


def test_a_configuration_says_whom_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("night", "day"):
        (tmp_path / name).write_text(
            f"route: {{receiver: {name}}}\nreceivers: [{{name: {name}, console_configs: [{{}}]}}]\n"
        )
    files = ["--config", str(tmp_path / "night"), "--against", str(tmp_path / "day"), "--format", "json"]

    assert main(["backtest", str(write(tmp_path / "log", OUTAGE)), *files]) == 0

    found: Any = json.loads(capsys.readouterr().out)
    assert [alert["receivers"] for alert in found["alerts"]] == [["night"]]
    assert [alert["receivers"] for alert in found["against"]["alerts"]] == [["day"]]
    changes = found["against"]["changes"]
    assert [(n["receiver"], n["status"]) for n in changes["notifications"]["added"]] == [
        ("night", "firing"),
        ("night", "resolved"),
    ]
    assert len(changes["notifications"]["removed"]) == 2


def test_a_configuration_that_is_wrong_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "claxon.yml"
    config.write_text("rout: {}\n")

    assert main(["backtest", str(write(tmp_path / "log", OUTAGE)), "--config", str(config)]) == 2
    assert f"claxon: {config}:1: rout: not a setting" in capsys.readouterr().err


# ── on a terminal ─────────────────────────────────────────────────────────────


def test_a_terminal_is_shown_how_far_it_is_and_left_clean(tmp_path: Path) -> None:
    log = write(tmp_path / "log", traffic(0, 60_000))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "service", "backtest", str(log)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        # Linux says EIO, others nothing, when the other side is gone.
        while piece := _read(ours):
            said += piece
        process.wait(timeout=60)
    os.close(ours)

    assert b" events, " in said
    assert "░".encode() in said  # the bar, however little of it is full when it is drawn first
    assert said.endswith(b"\r\x1b[K")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def test_the_bar_says_what_is_done_and_what_is_left(tmp_path: Path) -> None:
    sources = [Source(write(tmp_path / "a", b"x" * 300)), Source(write(tmp_path / "b", b"x" * 100))]
    sources[0].read = 300

    assert line(sources, 30_000, 6.0) == "█" * 18 + "░" * 6 + "  75 %  30,000 events, 5,000/s, 2s left"
    # Nobody knows how much a pipe will bring.
    assert line([*sources, Source(None)], 30_000, 6.0) == "30,000 events, 5,000/s"


def test_an_event_that_another_file_holds_too_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = [wire(i, event_id=f"e{i}") for i in range(10)]
    files = [str(write(tmp_path / "a", half)), str(write(tmp_path / "b.gz", [*half[5:], wire(11, event_id="x")]))]

    assert main(["backtest", *files, "--format", "json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["events"], found["duplicates"]) == (11, 5)


# ── rules of one's own ────────────────────────────────────────────────────────

PATIENT = """
include: defaults
rules:
  - alert: ClaudeAuthError
    any: {}
    match: [category="authentication"]
    keep_firing_for: 5m
    labels: {severity: page}
"""


def test_a_rule_file_is_compared_with_the_rules_that_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page that is kept for 15 min by default ends 10 min earlier."""
    (tmp_path / "rules.yml").write_text(PATIENT)
    (tmp_path / "claxon.yml").write_text("external_url: https://claxon.example\n")
    files = ["--config", str(tmp_path / "rules.yml"), "--against", str(tmp_path / "claxon.yml")]
    log = str(write(tmp_path / "log", OUTAGE))

    assert main(["backtest", log, *files, "--format", "json"]) == 0

    found: Any = json.loads(capsys.readouterr().out)
    (moved,) = found["against"]["changes"]["alerts"]["moved"]
    assert (moved["starts_later_s"], moved["ends_later_s"]) == (0, -600)
    assert main(["backtest", log, "--config", files[1], "--against", "defaults"]) == 0
    assert "0 added, 0 removed, 1 moved, 0 the same" in capsys.readouterr().out


def test_no_secret_of_a_receiver_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent, and the rules may be tried where no secret is."""
    (tmp_path / "claxon.yml").write_text(
        "route: {receiver: night}\nreceivers: [{name: night, pagerduty_configs: [{routing_key_file: /nowhere/key}]}]\n"
    )
    log = str(write(tmp_path / "log", OUTAGE))

    assert main(["backtest", log, "--config", str(tmp_path / "claxon.yml"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["alerts"][0]["receivers"] == ["night"]


def test_what_is_odd_about_the_rules_is_warned_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yml").write_text(PATIENT.replace("severity: page", "severity: urgent"))
    files = ["--config", str(tmp_path / "rules.yml"), "--against", str(tmp_path / "rules.yml")]

    assert main(["backtest", str(write(tmp_path / "log", OUTAGE)), *files]) == 0

    said = capsys.readouterr().err
    assert said.startswith(f"claxon: warning: {tmp_path / 'rules.yml'}:")
    assert said.count("neither page nor ticket") == 1


def test_an_interrupt_ends_it_even_while_a_pipe_is_silent() -> None:
    command = [sys.executable, "-m", "service", "backtest", "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Who runs the tests in the background has it ignored, and children inherit that.
    heard = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        begun = subprocess.Popen(command, **pipes)
    finally:
        signal.signal(signal.SIGINT, heard)
    with begun as process:
        assert process.stdin is not None
        # More than one block, so that it is at work, and then nothing more.
        process.stdin.write(lines(traffic(0, 20_000)))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""
