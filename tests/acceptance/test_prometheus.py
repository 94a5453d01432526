"""A real Prometheus scrapes a real `claxon serve`: each panel of each dashboard has data, no counter goes back."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.decoding import decode_logged
from service.metrics.calls import CALLS
from service.storage import event_log
from service.storage.database import open_database
from tests.dashboards.faulty_traffic import CHAT, CLAXON, batch
from tests.dashboards.queries import FOLDER, load_of_one_node, panels, queries, variables, with_values
from tests.support.pager import Pager
from tests.support.peers import require, start_prometheus
from tests.support.running import Process, until

POST_FOR_S = 15
PAUSE_S = 0.25
# Prometheus reads once a second, so each of these holds a rate's two points and more.
RATE_INTERVAL = "5s"

BOARDS = load_of_one_node()
OVERVIEW = BOARDS["overview.json"]

each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: claxon
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Scene(NamedTuple):
    """What the tests look at: a Claxon, two Prometheuses that read it, how many batches, from when to when.

    Attributes:
        prometheus: Has classic buckets, as by default.
        native: Has native histograms in their place.
    """

    claxon: Process
    prometheus: str
    native: str
    batches: int
    begin: float
    end: float

    def ask(self, path: str, **parameters: Any) -> Any:
        """Return the data of one request to Prometheus's API."""
        url = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as fault:
            with fault:
                raise AssertionError((parameters, fault.read().decode())) from fault

    def points(self, expr: str, *, instant: bool) -> dict[tuple[tuple[str, str], ...], list[float]]:
        """Return the numbers of a query by its series' labels, as a panel would draw them."""
        if instant:
            found = self.ask("query", query=expr, time=self.end)["result"]
            return {_labels(one): [float(one["value"][1])] for one in found}
        found = self.ask("query_range", query=expr, start=self.begin, end=self.end, step=1)["result"]
        return {_labels(one): [float(n) for _, n in one["values"]] for one in found}

    def number(self, expr: str) -> float:
        """Return the one number of a query."""
        ((number,),) = self.points(expr, instant=True).values()
        return number


def _labels(series: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(series["metric"].items()))


def hasty_rules(folder: Path) -> Path:
    """Return our rules for Prometheus, evaluated each second, for the scene is short."""
    file = folder / "rules.yml"
    rules = (FOLDER / "prometheus-rules.yml").read_text(encoding="utf-8")
    file.write_text(re.sub(r"interval: (30s|1m)$", "interval: 1s", rules, flags=re.MULTILINE))
    return file


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Post everything for a while, then wait until Prometheus has read the last of it."""
    require("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        pager = stack.enter_context(Pager())
        claxon = stack.enter_context(Process(folder, config=CLAXON.format(url=pager.url)))
        config = CONFIG.format(port=claxon.port, rules=hasty_rules(folder))
        prometheus = stack.enter_context(start_prometheus(config, folder))
        native = stack.enter_context(start_prometheus(config, folder / "native", "--enable-feature=native-histograms"))
        begin = time.time()
        batches = 0
        while time.time() < begin + POST_FOR_S:
            status, answer, _ = claxon.post(batch(batches), claxon_client_dropped="2")
            assert status == 202, answer
            batches += 1
            time.sleep(PAUSE_S)
        posted = Scene(claxon, prometheus.url, native.url, batches, begin, math.nan)

        def read() -> bool:
            now = posted._replace(end=time.time())
            return any(n == [batches] for n in now.points("claxon_ingest_batches_total", instant=True).values())

        assert until(read, 10), prometheus.folder
        # A rule may fire a moment after its last event.
        time.sleep(2)
        yield posted._replace(end=time.time())


@pytest.mark.peer("prometheus")
@each_board
def test_every_query_of_a_dashboard_has_data(scene: Scene, board: dict[str, Any]) -> None:
    empty = [
        query.where
        for query in queries(board)
        if not any(
            math.isfinite(number)
            for numbers in scene.points(
                with_values(query.expr, rate_interval=RATE_INTERVAL), instant=query.instant
            ).values()
            for number in numbers
        )
    ]

    assert empty == []


@pytest.mark.peer("prometheus")
@each_board
def test_every_legend_names_labels_that_its_series_have(scene: Scene, board: dict[str, Any]) -> None:
    legends = {
        f"{panel['title']} {target['refId']}": set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
        for panel in panels(board)
        for target in panel["targets"]
    }
    wrong = {}
    for query in queries(board):
        found = scene.points(with_values(query.expr, rate_interval=RATE_INTERVAL), instant=query.instant)
        names = {name for labels in found for name, _ in labels}
        if not legends.get(query.where, set()) <= names:
            wrong[query.where] = names

    assert wrong == {}


@pytest.mark.peer("prometheus")
def test_quantiles_are_the_same_where_prometheus_has_native_histograms(scene: Scene) -> None:
    """To the width of a classic bucket: these are far wider."""
    asked = [query for query in queries(BOARDS["limits.json"]) if "histogram_quantile" in query.expr]
    other = scene._replace(prometheus=scene.native)
    assert list(other.points("claxon_attempt_duration_seconds_bucket", instant=True)) == []

    for query in asked:
        expr = with_values(query.expr, rate_interval=RATE_INTERVAL)
        classic, native = scene.points(expr, instant=True), other.points(expr, instant=True)
        assert native.keys() == classic.keys() != set(), query.where
        for labels, (number,) in native.items():
            assert 0.3 < number / classic[labels][0] < 3, query.where
    assert len(asked) == 10


@pytest.mark.peer("prometheus")
def test_prometheus_renames_no_label_of_ours(scene: Scene) -> None:
    assert [name for name in scene.ask("labels") if name.startswith("exported_")] == []


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("board", [board for board in BOARDS.values() if list(variables(board))])
def test_every_variable_of_a_dashboard_has_its_values(scene: Scene, board: dict[str, Any]) -> None:
    span = {"start": scene.begin, "end": scene.end}
    found = {
        one.variable: scene.ask(
            f"label/{one.label}/values", **span, **{"match[]": with_values(one.series, rate_interval=RATE_INTERVAL)}
        )
        for one in variables(board)
    }

    assert found == {
        "app": ["chat", "nightly", "shop"],
        "environment": ["prod"],
        "model": ["claude-haiku-5", "claude-opus-5", "claude-sonnet-5"],
    }


@pytest.mark.peer("prometheus")
@each_board
def test_a_chosen_app_is_the_only_one_in_the_panels_about_apps(scene: Scene, board: dict[str, Any]) -> None:
    seen = {}
    for query in queries(board):
        if "$app" in query.expr:
            expr = with_values(query.expr, rate_interval=RATE_INTERVAL, app="(nightly|nobody)")
            labels = [dict(labels) for labels in scene.points(expr, instant=query.instant)]
            seen[query.where] = {one["app"] for one in labels if "app" in one}

    assert {where: apps for where, apps in seen.items() if not apps <= {"nightly"}} == {}
    if board is OVERVIEW:
        assert seen["Firing alerts A"] == {"nightly"}


@pytest.mark.peer("prometheus")
def test_prometheus_holds_what_was_posted(scene: Scene) -> None:
    n = scene.batches

    assert scene.number('sum(claxon_attempts_total{app="chat"})') == 14 * n
    assert scene.number('sum(claxon_calls_total{app="chat", outcome="ok"})') == 10 * n
    assert scene.number('sum(claxon_calls_total{app="chat", outcome="failed"})') == n
    assert scene.number('sum(claxon_calls_total{app="shop", outcome="failed"})') == n
    assert scene.number('sum(claxon_calls_total{app="shop", outcome="exhausted"})') == 4 * n
    assert scene.number("sum(claxon_absorbed_attempts_total)") == 2 * n
    assert scene.number('sum(claxon_tokens_total{kind="input"})') == 10 * n * 900
    assert scene.number("claxon_ingest_events_total") == 24 * n
    assert scene.number("claxon_ingest_duplicates_total") == n
    assert scene.number("claxon_ingest_rejected_events_total") == n
    assert scene.number("claxon_client_dropped_events_total") == 2 * n


@pytest.mark.peer("prometheus")
def test_the_panels_tell_whose_fault_it_is(scene: Scene) -> None:
    """Five of seven of shop's calls fail, as its app's line says; and the provider's share is the largest."""
    found = {query.where: query for query in queries(OVERVIEW)}

    def last(where: str, label: str) -> dict[str, float]:
        expr = with_values(found[where].expr, rate_interval=RATE_INTERVAL)
        return {dict(labels)[label]: numbers[-1] for labels, numbers in scene.points(expr, instant=False).items()}

    rates = last("Error rate of calls by app A", "app")
    assert rates["shop"] == pytest.approx(5 / 7)
    assert rates["chat"] == pytest.approx(1 / 11)
    assert set(last("Failed attempts by where to look first A", "blame")) >= {"provider", "key", "account"}
    assert max(last("Absorbed attempts by app A", "app").items(), key=lambda one: one[1])[0] == "chat"


@pytest.mark.peer("prometheus")
def test_firing_alerts_are_those_of_the_api(scene: Scene) -> None:
    names = ("alertname", "severity")
    by_metric = Counter(
        tuple(dict(labels)[name] for name in names) for labels in scene.points("claxon_alert_firing", instant=True)
    )
    by_api = Counter(
        tuple(one["alert"]["labels"][name] for name in names) for one in scene.claxon.get("/v1/alerts")["alerts"]
    )

    assert by_metric == by_api
    assert ("ClaudeAuthError", "page") in by_metric


@pytest.mark.peer("prometheus")
def test_the_rules_for_prometheus_fire_for_whom_claxons_own_do(scene: Scene) -> None:
    """Of what both can see in so short a time: causes, and shares of calls."""
    names = (
        "ClaudeAuthError",
        "ClaudeAccountBlocked",
        "ClaudeErrorRate",
        "ClaudeRetriesExhausted",
        "ClaudeCallsParked",
    )

    def keyed(labels: dict[str, str]) -> tuple[str, ...]:
        return tuple(labels.get(name, "") for name in ("alertname", "severity", "app", "environment", "model"))

    expr = f'ALERTS{{alertstate="firing", alertname=~"{"|".join(names)}"}}'
    found = {keyed(dict(labels)) for labels in scene.points(expr, instant=True)}
    own = {keyed(one["alert"]["labels"]) for one in scene.claxon.get("/v1/alerts")["alerts"]}

    assert found == {one for one in own if one[0] in names}
    assert {one[0] for one in found} == set(names)


@pytest.mark.peer("prometheus")
def test_promtool_finds_nothing_to_say_of_the_page(scene: Scene) -> None:
    page = scene.claxon.get("/metrics")

    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False, timeout=20
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


# ── restart ───────────────────────────────────────────────────────────────────

ENGINES = {metric.name for metric in CALLS.metrics}
Counts = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def counters(claxon: Process) -> Counts:
    """Return the engine's counters of the apps; what is measured beside them begins anew with the process."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(claxon.get("/metrics"))
        for one in family.samples
        if one.name.endswith("_total") and one.name in ENGINES
    }


def logged_attempts(data: Path) -> Counter[tuple[str, ...]]:
    """Return how many attempts the event log holds by (app, category, environment, model)."""
    connection = open_database(data)
    try:
        return Counter(
            (event.app, event.category, event.environment, event.model)
            for batch in event_log.read(connection, 0)
            if batch.n
            for event in decode_logged(batch.body, received_at=batch.received_at, app=batch.app, skip=batch.skip)
        )
    finally:
        connection.close()


def test_counters_go_on_over_a_kill_and_agree_with_the_log(tmp_path: Path) -> None:
    """Part of what is counted is in a snapshot by then, and part in the log alone."""
    undecided = CHAT | {"status": 500, "call_id": "undecided"}
    with Process(tmp_path) as claxon:
        claxon.post(batch(0))
        claxon.end(signal.SIGTERM)
        claxon.start()
        for i in range(1, 4):
            claxon.post([*batch(i), undecided] if i == 3 else batch(i))
        before = counters(claxon)
        claxon.kill()
        claxon.start()
        after = counters(claxon)
        claxon.post(CHAT | {"status": 200, "attempt": 2, "call_id": "undecided"})
        later = counters(claxon)

    assert after == before
    assert {one for one, number in later.items() if number < after[one]} == set()
    chat = tuple(sorted(CHAT.items()))
    absorbed = "claxon_absorbed_attempts_total", chat
    assert (before[absorbed], later[absorbed]) == (8, 9), "taken back over the restart"
    shown = {
        tuple(value for _, value in labels): number
        for (name, labels), number in later.items()
        if name == "claxon_attempts_total" and number
    }
    assert shown == logged_attempts(tmp_path / "data")
