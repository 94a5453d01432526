"""docs/howto/who-watches-the-watcher.md: what a reader copies works, and what is shown is so."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from service.commands.fire_drill import lines
from service.config_file import load_config
from service.metrics.catalog import METRICS
from service.watch import audit, failing
from service.watch.blindness import REPEAT_S, RETRY_S
from service.watch.drill import WAIT_S, Drilled, Leg
from service.watch.troubles import PATIENCE, Part
from tests.support.repository import ROOT

PAGE = (ROOT / "docs/howto/who-watches-the-watcher.md").read_text("utf-8")


def block(name: str) -> str:
    found = re.search(rf"^```yaml\n(# {re.escape(name)}\n.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, name
    return found.group(1)


def test_the_configuration_of_the_page_loads(tmp_path: Path) -> None:
    (tmp_path / "heartbeat-url").write_text("https://example.org/ping/abc\n")
    (tmp_path / "claxon.yml").write_text(block("heartbeat.yml"))

    loaded = load_config(tmp_path / "claxon.yml")

    assert loaded.beat is not None
    assert (loaded.beat.method, loaded.beat.interval_s) == ("GET", 60.0)
    assert loaded.config.fallback_receiver == "backup"


def test_prometheus_is_asked_for_metrics_that_there_are() -> None:
    names = {metric.name for metric in METRICS}
    asked = set(re.findall(r"claxon_\w+", block("prometheus-rules.yml")))

    assert asked
    assert asked <= names


@pytest.mark.peer("prometheus")
def test_prometheus_takes_the_rules_of_the_page(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool is not None
    rules = tmp_path / "rules.yml"
    rules.write_text(block("prometheus-rules.yml"))

    done = subprocess.run([promtool, "check", "rules", str(rules)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(yaml.safe_load(rules.read_text())['groups'][0]['rules'])} rules found" in done.stdout


def test_the_output_of_a_drill_is_what_is_printed() -> None:
    said = '{"status":"success","message":"Event processed"}'
    drilled = Drilled(
        target="pager/pagerduty/0",
        trigger=Leg(state="delivered", seconds=0.31, status=202, answer=said),
        resolve=Leg(state="delivered", seconds=0.24, status=202, answer=said),
    )

    assert "\n".join(lines(drilled)) in PAGE


def test_the_numbers_of_the_page_are_those_that_count() -> None:
    blind = PATIENCE.blind_after
    assert {blind[part] for part in (Part.CORE, Part.LOOP, Part.WRITES)} == {30.0}
    assert blind[Part.EVALUATION] + PATIENCE.late == blind[Part.TIMER] + PATIENCE.late == 60.0
    assert (PATIENCE.answer, PATIENCE.write_every, PATIENCE.failing, PATIENCE.calm) == (2.0, 5.0, 300.0, 30.0)
    assert (REPEAT_S, RETRY_S, WAIT_S, failing.HOLD_S, audit.AFTER_S) == (1800.0, 15.0, 30.0, 120.0, 120.0)
    for said in (
        "within 2 s",
        "every 5 s",
        "for over 5 minutes",
        "every 30 minutes",
        "every 15 s",
        "worked for 2 minutes",
    ):
        assert said in PAGE
