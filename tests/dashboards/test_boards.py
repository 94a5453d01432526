"""dashboards/*.json: what their code builds, of metrics that exist, in PromQL that parses, as Grafana reads it."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from dashboards.build import DASHBOARDS, FOLDER, render
from dashboards.thresholds import ERROR_RATE, HEADROOM, PARKED_CALLS, RETRY_STORM_SHARE, TIERS
from service.metrics.catalog import METRICS, OF_NODES
from tests.dashboards.queries import load_all, panels, queries, variables, with_values
from tests.support.peers import require

BOARDS = load_all()
ALL = (*METRICS, *OF_NODES)
LABELS = {metric.name: set(metric.labels) for metric in ALL}
LABELS |= {f"{metric.name}_bucket": {*metric.labels, "le"} for metric in METRICS if metric.histogram}

each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())


def test_the_committed_files_are_what_their_code_builds() -> None:
    """To renew them: make dashboards."""
    assert set(BOARDS) == set(DASHBOARDS)
    assert {name: (FOLDER / name).read_text(encoding="utf-8") for name in DASHBOARDS} == {
        name: render(name) for name in DASHBOARDS
    }


def test_links_to_them_stay_good() -> None:
    assert {name: (board["title"], board["uid"]) for name, board in BOARDS.items()} == {
        "overview.json": ("Claxon / Overview", "claxon-overview"),
        "errors.json": ("Claxon / Errors and retries", "claxon-errors"),
        "budget.json": ("Claxon / Error budget", "claxon-budget"),
        "limits.json": ("Claxon / Limits, tokens and cost", "claxon-limits"),
        "claxon.json": ("Claxon / Claxon itself", "claxon-itself"),
        "nodes.json": ("Claxon / Several nodes", "claxon-nodes"),
    }
    assert {board.get("id") for board in BOARDS.values()} == {None}


# ── as Grafana reads it ───────────────────────────────────────────────────────

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "grafana").glob("*.json")}

# What the Prometheus data source keeps beside the published fields of an annotation.
ANNOTATION = {"expr", "titleFormat", "textFormat", "useValueForTime"}
# What came after Grafana 11, and has a default.
LATER = {"percentChangeColorMode"}


@each_board
@pytest.mark.parametrize("version", sorted(SCHEMAS))
def test_grafanas_published_schema_has_every_field(board: dict[str, Any], version: str) -> None:
    schemas = SCHEMAS[version]
    frame = {**board, "panels": [], "annotations": {"list": [_published(one) for one in board["annotations"]["list"]]}}
    faults = _faults(schemas["dashboard"], frame)
    for panel in board["panels"]:
        kind = panel["type"]
        if kind == "row":
            faults += _faults(schemas["row"], panel)
            continue
        faults += _faults(schemas["panel"], panel)
        faults += _faults(schemas[f"{kind}.options"], panel["options"])
        if "custom" in panel["fieldConfig"]["defaults"]:
            faults += _faults(schemas[f"{kind}.custom"], panel["fieldConfig"]["defaults"]["custom"])

    assert faults == []


def test_the_oldest_and_the_newest_grafana_are_looked_at() -> None:
    assert sorted(int(version.partition(".")[0]) for version in SCHEMAS) == [11, 13]


def test_a_field_that_grafana_does_not_know_is_found() -> None:
    for schemas in SCHEMAS.values():
        board = {**BOARDS["overview.json"], "panels": [], "annotations": {"list": []}}
        assert _faults(schemas["dashboard"], board) == []
        assert _faults(schemas["dashboard"], board | {"colour": "red"})
        assert _faults(schemas["dashboard"], board | {"refresh": 30})


def _published(annotation: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in annotation.items() if name not in ANNOTATION}


def _faults(schema: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return what a schema says of something; a field that came later may be missing."""
    return [
        f"{found.get('title', '')} {fault.json_path}: {fault.message}"
        for fault in Draft7Validator(schema).iter_errors(found)
        if not (fault.validator == "required" and any(f"'{name}'" in fault.message for name in LATER))
    ]


# ── variables, links ──────────────────────────────────────────────────────────


@each_board
def test_one_variable_names_the_data_source_and_everything_uses_it(board: dict[str, Any]) -> None:
    kinds = [(v["name"], v["query"]) for v in board["templating"]["list"] if v["type"] == "datasource"]
    used = set(re.findall(r'"uid": "(\$[^"]+)"', json.dumps(board)))

    assert kinds == [("datasource", "prometheus")]
    assert used == {"${datasource}"}
    asking = [*panels(board), *(target for panel in panels(board) for target in panel["targets"])]
    assert all(one["datasource"] == {"type": "prometheus", "uid": "${datasource}"} for one in asking)


def test_app_environment_and_model_can_be_chosen_many_at_a_time_or_all() -> None:
    """All is `.*`: a list of the values would leave out apps whose environment is empty."""
    for name, board in BOARDS.items():
        chosen = {v["name"]: v for v in board["templating"]["list"] if v["type"] == "query"}

        assert list(chosen) == ([] if name in ("claxon.json", "nodes.json") else ["app", "environment", "model"])
        assert all(v["multi"] and v["includeAll"] and v["allValue"] == ".*" for v in chosen.values())


@each_board
def test_a_variable_asks_for_a_label_that_its_series_have(board: dict[str, Any]) -> None:
    for one in variables(board):
        assert one.label == one.variable
        assert one.label in LABELS[one.series.partition("{")[0]]


@each_board
def test_every_dashboard_leads_to_the_others_and_to_the_on_call_page(board: dict[str, Any]) -> None:
    """With the same apps and the same time; the page's address is a variable."""
    page, others = board["links"]

    assert (page["type"], page["url"]) == ("link", "${claxon_url}/")
    assert (others["type"], others["tags"], others["includeVars"], others["keepTime"]) == (
        "dashboards",
        ["claxon"],
        True,
        True,
    )
    assert board["tags"] == ["claxon"]
    assert [v["type"] for v in board["templating"]["list"] if v["name"] == "claxon_url"] == ["textbox"]


def ways(board: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return the panels that lead somewhere, each with the address."""
    return [
        (panel, way["url"])
        for panel in panels(board)
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for way in one["value"]
    ]


@each_board
def test_panels_lead_to_claxons_pages_by_labels_that_every_line_has(board: dict[str, Any]) -> None:
    """Grafana leaves the name of a label that is absent in the address."""
    found = ways(board)

    assert found
    for panel, url in found:
        assert re.match(r"\$\{claxon_url\}/($|\?|(alerts|explorer)\?|(budgets|delivery|ledger|rules)$)", url), url
        used = set(re.findall(r"__field\.labels\.(\w+)", url))
        for target in panel["targets"] if used else ():
            grouped = [set(re.split(r",\s*", by)) for by in re.findall(r"\bby \(([^)]+)\)", target["expr"])]
            assert any(used <= by for by in grouped), (panel["title"], url)


# ── panels ────────────────────────────────────────────────────────────────────


@each_board
def test_every_panel_asks_and_explains_and_has_a_unit(board: dict[str, Any]) -> None:
    found = panels(board)

    assert [p["title"] for p in found if not (p["targets"] and p["description"].endswith("."))] == []
    unitless = [p["title"] for p in found if p["type"] != "table" and "unit" not in p["fieldConfig"]["defaults"]]
    assert unitless == []
    assert [title for title, n in Counter(p["title"] for p in found).items() if n > 1] == []


@each_board
def test_panels_fill_the_grid_and_none_lies_on_another(board: dict[str, Any]) -> None:
    taken = Counter(
        (x, y)
        for panel in board["panels"]
        for box in [panel["gridPos"]]
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    )

    assert max(taken.values()) == 1
    assert len(taken) == 24 * (1 + max(y for _, y in taken))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def lines(name: str, title: str) -> list[float]:
    """Return the thresholds of the panels whose title begins so."""
    return [
        step["value"]
        for panel in panels(BOARDS[name])
        if panel["title"].startswith(title)
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if step["value"] is not None
    ]


def test_lines_are_where_the_rules_have_their_thresholds() -> None:
    assert lines("overview.json", "Error rate of calls") == [ERROR_RATE, ERROR_RATE]
    assert lines("overview.json", "Calls failed") == [ERROR_RATE]
    assert lines("overview.json", "Absorbed") == lines("errors.json", "Absorbed") == [RETRY_STORM_SHARE]
    assert lines("errors.json", "Parked") == [PARKED_CALLS]
    assert lines("limits.json", "Headroom") == [HEADROOM]
    assert lines("budget.json", "Burn over") == [tier.burn for tier, _ in TIERS] == [14.4, 6, 3, 1]


# ── queries ───────────────────────────────────────────────────────────────────


@each_board
def test_every_metric_and_label_in_it_exists(board: dict[str, Any]) -> None:
    """A renamed metric would leave a panel empty, and nobody would know which."""
    for query in queries(board):
        for name, selector in re.findall(r"\b((?:claxon|process)_\w+)(?:\{([^}]*)\})?", query.expr):
            if name.startswith("claxon_"):
                assert name in LABELS, (query.where, name)
                assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= LABELS[name], query.where


def test_every_metric_is_on_a_dashboard_or_has_a_reason_not_to_be() -> None:
    """What nobody can see need not be measured."""
    shown = {
        name for board in BOARDS.values() for query in queries(board) for name in re.findall(r"claxon_\w+", query.expr)
    }

    assert {metric.name for metric in ALL if metric.name.startswith("claxon_")} - shown == NOT_SHOWN.keys()


NOT_SHOWN = {
    "claxon_commits_total": "batches are what people count",
    "claxon_config_last_reload_success_timestamp_seconds": "for rules",
    "claxon_inbox_bytes": "batches are what people count",
    "claxon_inbox_taken_batches_total": "events are what people count, where they are written",
    "claxon_inbox_written_batches_total": "events are what people count",
    "claxon_ingest_batches_total": "events are what people count",
    "claxon_ingest_requests_total": "events are what people count",
    "claxon_ingest_unkept_rejects_total": "of the rejects that are shown",
    "claxon_otlp_pushes_total": "only where a collector is named",
    "claxon_partition_duplicates_total": "nobody has to do anything",
    "claxon_partition_messages_total": "events are what people count",
    "claxon_posted_alerts_firing": "they are among the firing alerts",
    "claxon_replayed_events": "the restart's duration is shown",
    "claxon_scrub_last_timestamp_seconds": "for rules",
    "claxon_unlisted_firing_alerts": "there are over 1,000 alerts beside it",
}


def test_nothing_of_other_processes_gets_in() -> None:
    """`process_*` are names that all have; a Prometheus scrapes more than Claxon."""
    asked = [query.expr for board in BOARDS.values() for query in queries(board) if "process_" in query.expr]

    assert len(asked) == 2
    assert [expr for expr in asked if "group_left () claxon_build_info" not in expr] == []


@each_board
def test_every_rate_is_over_a_time_that_grafana_computes(board: dict[str, Any]) -> None:
    """A fixed one is empty as soon as somebody scrapes less often."""
    windows = [window for query in queries(board) for window in re.findall(r"\[([^\]]+)\]", query.expr)]

    assert set(windows) <= {"$__rate_interval", "$__range"}


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("app", [".*", "(shop|chat)"])
def test_every_query_parses(tmp_path: Path, app: str) -> None:
    require("prometheus")
    exprs = [
        with_values(expr, rate_interval="1m", app=app)
        for board in BOARDS.values()
        for expr in [*(query.expr for query in queries(board)), *(one.series for one in variables(board))]
    ]
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
