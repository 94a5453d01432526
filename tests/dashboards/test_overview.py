"""dashboards/overview.json: what its code builds, of metrics that exist, in PromQL that parses."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from alerts.conditions import ErrorRate
from alerts.default_rules import DEFAULT_RULES
from dashboards import apps
from dashboards.build import DASHBOARDS, FOLDER, render
from service.metrics.catalog import METRICS
from tests.dashboards.queries import load, queries, variables, with_values
from tests.support.peers import require

BOARD = load("overview.json")
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
LABELS = {metric.name: set(metric.labels) for metric in METRICS}


def test_the_committed_files_are_what_their_code_builds() -> None:
    """To renew them: make dashboards."""
    assert {path.name for path in FOLDER.glob("*.json")} == set(DASHBOARDS)
    assert {name: (FOLDER / name).read_text(encoding="utf-8") for name in DASHBOARDS} == {
        name: render(name) for name in DASHBOARDS
    }


def test_grafanas_schema_has_every_field() -> None:
    """Its models drop what they do not know."""
    assert json.loads(json.dumps(Dashboard.from_json(BOARD), cls=JSONEncoder)) == BOARD


def test_links_to_it_stay_good() -> None:
    assert (BOARD["title"], BOARD["uid"]) == ("Claxon / Overview", "claxon-overview")
    assert BOARD.get("id") is None


def test_one_variable_names_the_data_source_and_everything_uses_it() -> None:
    kinds = [(v["name"], v["query"]) for v in BOARD["templating"]["list"] if v["type"] == "datasource"]
    used = Counter(re.findall(r'"uid": "(\$[^"]+)"', json.dumps(BOARD)))

    assert kinds == [("datasource", "prometheus")]
    assert set(used) == {"${datasource}"}
    asking = [*PANELS, *(target for panel in PANELS for target in panel["targets"])]
    assert all(one["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for one in asking)


def test_app_environment_and_model_can_be_chosen_many_at_a_time_or_all() -> None:
    """All is `.*`: a list of the values would leave out apps whose environment is empty."""
    chosen = {v["name"]: v for v in BOARD["templating"]["list"] if v["type"] == "query"}

    assert list(chosen) == ["app", "environment", "model"]
    assert all(v["multi"] and v["includeAll"] and v["allValue"] == ".*" for v in chosen.values())


def test_every_panel_asks_and_explains_and_has_a_unit() -> None:
    assert [p["title"] for p in PANELS if not (p["targets"] and p["description"].endswith("."))] == []
    unitless = [p["title"] for p in PANELS if p["type"] != "table" and "unit" not in p["fieldConfig"]["defaults"]]
    assert unitless == []


def test_panels_fill_the_grid_and_none_lies_on_another() -> None:
    taken = Counter(
        (x, y)
        for panel in BOARD["panels"]
        for box in [panel["gridPos"]]
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    )

    assert max(taken.values()) == 1
    assert len(taken) == 24 * (1 + max(y for _, y in taken))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_every_metric_and_label_in_it_exists() -> None:
    """A renamed metric would leave a panel empty, and nobody would know which."""
    for query in queries(BOARD):
        for name, selector in re.findall(r"\b((?:claxon|process)_\w+)(?:\{([^}]*)\})?", query.expr):
            if name.startswith("claxon_"):
                assert name in LABELS, (query.where, name)
                assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= LABELS[name], query.where


def test_nothing_of_other_processes_gets_in() -> None:
    """`process_*` are names that all have; a Prometheus scrapes more than Claxon."""
    foreign = [
        q.expr for q in queries(BOARD) if "process_" in q.expr and "group_left () claxon_build_info" not in q.expr
    ]

    assert foreign == []


def test_the_error_rate_line_is_where_the_rules_have_it() -> None:
    rates = [rule.condition for rule in DEFAULT_RULES if rule.alert == "ClaudeErrorRate"]
    limits = {rate.above for rate in rates if isinstance(rate, ErrorRate)}
    lines = [
        [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        for panel in PANELS
        if panel["title"].startswith(("Error rate", "Calls failed"))
    ]

    assert limits == {apps.ERROR_RATE}
    assert lines == [[None, apps.ERROR_RATE]] * 3


def test_a_variable_asks_for_a_label_that_its_series_have() -> None:
    for one in variables(BOARD):
        assert one.label == one.variable
        assert one.label in LABELS[one.series.partition("{")[0]]


def test_every_rate_is_over_the_interval_that_grafana_computes() -> None:
    """A fixed one is empty as soon as somebody scrapes less often."""
    windows = [window for query in queries(BOARD) for window in re.findall(r"\[([^\]]+)\]", query.expr)]

    assert set(windows) == {"$__rate_interval"}


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("app", [".*", "(shop|chat)"])
def test_every_query_parses(tmp_path: Path, app: str) -> None:
    require("prometheus")
    exprs = [with_values(query.expr, rate_interval="1m", app=app) for query in queries(BOARD)]
    exprs += [with_values(one.series, rate_interval="1m", app=app) for one in variables(BOARD)]
    rules = [{"record": f"q{i}", "expr": expr} for i, expr in enumerate(exprs)]

    assert (checked := check_rules(rules, tmp_path)).returncode == 0, checked.stdout + checked.stderr


@pytest.mark.peer("prometheus")
def test_a_query_that_does_not_parse_is_found(tmp_path: Path) -> None:
    require("prometheus")

    assert check_rules([{"record": "q", "expr": "sum(rate(claxon_calls_total)"}], tmp_path).returncode != 0


def check_rules(rules: list[dict[str, Any]], folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what promtool says of recording rules: it has Prometheus's own parser."""
    file = folder / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    return subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
