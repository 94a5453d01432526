"""dashboards/prometheus-rules.yml: what its code builds, of metrics that exist; and it fires as it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.default_rules import DEFAULT_RULES
from alerts.durations import format_duration
from alerts.error_rate import wilson_lower, z_value
from dashboards import prometheus_rules
from dashboards.build import FOLDER
from dashboards.own_rules import OWN
from dashboards.promql import wilson
from service.metrics.catalog import METRICS, OF_NODES
from tests.support.peers import require

FILE = FOLDER / prometheus_rules.FILE
TESTS = sorted(Path(__file__).parent.glob("prometheus-rules*.test.yml"))
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
ROOT = FOLDER.parent

UNSEEN = {"ClaudeModelEndOfLife"}
"""No metric says when a model ends."""


def promtool(*arguments: str) -> None:
    """Run promtool; fails with what it says."""
    require("prometheus")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_file_is_what_its_code_builds() -> None:
    """To renew it: make dashboards."""
    assert FILE.read_text(encoding="utf-8") == prometheus_rules.render()


@pytest.mark.peer("prometheus")
def test_prometheus_takes_the_file() -> None:
    promtool("check", "rules", str(FILE))


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_the_rules_fire_as_they_should_and_not_otherwise(file: Path) -> None:
    promtool("test", "rules", str(file))


def test_each_alert_is_tried() -> None:
    tried = "".join(file.read_text() for file in TESTS)

    assert {rule["alert"] for rule in ALERTS if f'alertname="{rule["alert"]}"' not in tried} - {
        rule["alert"] for rule in ALERTS if f"alertname: {rule['alert']}" in tried
    } == set()


def test_each_default_rule_is_there_by_its_name_and_stays_as_long() -> None:
    there = {(rule["alert"], rule["labels"]["severity"]): rule for rule in ALERTS}
    missing = {rule.alert for rule in DEFAULT_RULES if (rule.alert, rule.severity) not in there}

    assert missing == UNSEEN
    for rule in DEFAULT_RULES:
        if rule.alert not in UNSEEN:
            found = there[rule.alert, rule.severity]
            assert found.get("keep_firing_for", "0s") == format_duration(rule.keep_firing_for_s)
            assert found["labels"] == rule.labels
    assert there.keys() - {(rule.alert, rule.severity) for rule in DEFAULT_RULES} == {
        (own.alert, own.severity) for own in OWN
    }


def test_every_metric_and_label_in_it_exists() -> None:
    labels = {metric.name: set(metric.labels) for metric in (*METRICS, *OF_NODES)}
    for rule in RULES:
        for name, selector in re.findall(r"\b(claxon_\w+)(?:\{([^}]*)\})?", rule["expr"]):
            assert name in labels, (rule, name)
            assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= labels[name], rule


def test_what_a_rule_asks_of_a_record_is_recorded_before() -> None:
    recorded: set[str] = set()
    for rule in RULES:
        assert set(re.findall(r"claxon:\w+:\w+", rule["expr"])) <= recorded, rule
        recorded |= {rule["record"]} if "record" in rule else set()


def test_the_page_about_them_names_each_rule_that_is_not_there() -> None:
    told = (ROOT / "docs/howto/prometheus-rules.md").read_text(encoding="utf-8")

    assert [name for name in UNSEEN if name not in told] == []
    assert [own.alert for own in OWN if own.alert not in told] == []


COUNTS = [(0, 1), (1, 1), (3, 3), (3, 53), (6, 100), (60, 1000), (999, 1000), (1000, 1000), (12_345, 678_901)]


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("confidence", [0.95, 0.99, 0.995])
def test_the_wilson_bound_in_promql_is_the_rules_own(tmp_path: Path, confidence: float) -> None:
    series = [
        {"series": f'{name}{{i="{i}"}}', "values": f"{number}x1"}
        for i, (failed, calls) in enumerate(COUNTS)
        for name, number in (("failed", failed), ("calls", calls))
    ]
    bound = wilson("failed", "calls", confidence=confidence)
    checks = [
        {
            "expr": f"count(abs({bound} - {wilson_lower(*counts, z_value(confidence)):.6f}) < 0.00001 "
            f'and on (i) calls{{i="{i}"}})',
            "eval_time": "0m",
            "exp_samples": [{"value": 1}],
        }
        for i, counts in enumerate(COUNTS)
    ]
    file = tmp_path / "wilson.test.yml"
    test = {"interval": "1m", "input_series": series, "promql_expr_test": checks}
    file.write_text(yaml.safe_dump({"tests": [test]}))

    promtool("test", "rules", str(file))
