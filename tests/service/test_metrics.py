"""/metrics: named as written down, agreeing with the engine, and bounded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from claxon.event import Event
from claxon.taxonomy import Category
from prometheus_client.parser import text_string_to_metric_families

from alerts.config import KeyConfig
from alerts.default_rules import DEFAULT_RULES
from alerts.notifier import Notifier
from alerts.routes import Route
from service.core import Core
from service.delivery import Deliverer
from service.intake import Intake
from service.metrics import Metrics, exposition, sample
from service.metrics.catalog import METRICS
from service.metrics.reference import reference
from service.metrics.sample import Sample
from service.receivers import Receiver
from service.receivers.console import ConsoleConfig, ConsoleReceiver
from service.scheduler import Scheduler
from service.settings import hash_key
from service.storage.database import open_database
from tests.support.events import NOON, exhausted, make_event, success
from tests.support.running import Running

ROOT = Path(__file__).resolve().parents[2]

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Series:
    """Return each series' number by its name and its labels."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(series: Series, name: str, **labels: str) -> float:
    """Return the sum of the series that have these labels."""
    found = [n for (other, has), n in series.items() if other == name and labels.items() <= dict(has).items()]
    assert found, (name, labels)
    return sum(found)


class Bench:
    """Metrics of a core that stands still, at noon: events go straight to its engine."""

    def __init__(self, folder: Path) -> None:
        self.intake, self.scheduler = Intake(), Scheduler()
        notifier = Notifier(Route(receiver="ops"), (), external_url="http://127.0.0.1:5290")
        self.core = Core(open_database(folder), DEFAULT_RULES, notifier, clock=lambda: NOON + 7.5, targets=lambda _: [])
        receivers: dict[str, Receiver] = {"a/b/console/0": ConsoleReceiver(ConsoleConfig())}
        self.deliverer = Deliverer(self.core, receivers, clock=lambda: NOON)
        self.metrics = Metrics(self.core, self.deliverer, self.intake, self.scheduler)

    def observe(self, events: Iterable[Event], now: float = NOON) -> None:
        self.core.engine.observe(events, now)

    def read(self, found: Sample | None = None) -> Series:
        body, _ = self.metrics.render(found or self.metrics.sample())
        return parsed(body.decode())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    found.core.connection.close()


# ── over HTTP ─────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return /metrics of a service that has seen one of everything."""
    events: list[dict[str, Any]] = [
        {"model": "m", "app": "shop", "environment": "prod", "status": 200, "duration_ms": 250, "input_tokens": 7},
        {"model": "m", "app": "shop", "environment": "prod", "status": 200, "stop_reason": "refusal"},
        {"model": "m", "app": "shop", "environment": "prod", "status": 401},
        {"model": "m", "app": "shop", "environment": "prod", "status": 429, "final": False},
        {"model": "m", "app": "shop", "environment": "prod", "status": 500, "final": True, "exhausted": True},
        {"model": "m", "app": "shop", "environment": "prod", "status": 500, "final": True, "exhausted": False},
        {"model": "m", "app": "shop", "environment": "prod", "status": 777},
        {"model": "m", "app": "shop", "environment": "prod", "status": 200, "event_id": "1", "colour": "red"},
        {"model": "m", "app": "shop", "environment": "prod", "status": 200, "event_id": "1"},
    ]
    key = KeyConfig(name="all", scope="admin", sha256=hash_key("x" * 40), requests_per_second=1000)
    bearer = {"Authorization": f"Bearer {'x' * 40}"}
    with Running(tmp_path_factory.mktemp("metrics"), keys=(key,)) as running:
        running.post(events, claxon_client_dropped="3", **bearer)
        running.core(running.service.core.tick)
        yield running.request("GET", "/metrics", headers=bearer)[1]


def test_every_metric_of_the_catalog_is_on_the_page_and_no_other(page: str) -> None:
    """The SDK swallows what a callback raises: a metric that cannot be read is missing, and nothing else tells."""
    names = {name for name, _ in parsed(page)}

    assert {name for name in names if not name.startswith("process_")} == {metric.name for metric in METRICS}


def test_no_label_is_the_exporters_own(page: str) -> None:
    assert "otel" not in page
    assert "target_info" not in page


def test_what_ends_in_total_is_a_counter_and_all_else_a_gauge(page: str) -> None:
    said = {line.split()[2]: line.split()[3] for line in page.splitlines() if line.startswith("# TYPE")}

    assert {name: "counter" if name.endswith("_total") else "gauge" for name in said} == said


def test_the_page_agrees_with_what_was_posted(page: str) -> None:
    series = parsed(page)
    shop = {"app": "shop", "environment": "prod", "model": "m"}

    attempts = {c.value: value(series, "claxon_attempts_total", **shop, category=c.value) for c in Category}
    assert {name: n for name, n in attempts.items() if n} == {
        "ok": 3,
        "authentication": 1,
        "rate_limit": 1,
        "server": 2,
    }
    assert [value(series, "claxon_calls_total", **shop, outcome=o) for o in ("ok", "failed", "exhausted")] == [3, 2, 1]
    assert value(series, "claxon_absorbed_attempts_total", **shop) == 1
    assert value(series, "claxon_refusals_total", **shop) == 1
    assert value(series, "claxon_tokens_total", **shop, kind="input") == 7
    assert value(series, "claxon_attempt_seconds_total", **shop) == 0.25
    assert value(series, "claxon_timed_attempts_total", **shop) == 1
    assert value(series, "claxon_recent_calls", app="shop") == 6
    assert value(series, "claxon_recent_failed_calls", app="shop") == 3


def test_the_page_agrees_with_what_came_in(page: str) -> None:
    series = parsed(page)

    assert value(series, "claxon_ingest_requests_total") == 1
    assert value(series, "claxon_ingest_batches_total") == 1
    assert value(series, "claxon_ingest_events_total") == 7
    assert value(series, "claxon_ingest_duplicates_total") == 1
    assert value(series, "claxon_ingest_rejected_events_total") == 1
    assert value(series, "claxon_ingest_dropped_fields_total") == 1
    assert value(series, "claxon_client_dropped_events_total") == 3


def test_the_page_names_the_alert_that_fires(page: str) -> None:
    series = parsed(page)
    auth = {"alertname": "ClaudeAuthError", "severity": "page"}

    assert value(series, "claxon_alerts", **auth, state="firing") == 1
    assert value(series, "claxon_alert_firing", **auth, app="shop", environment="prod", model="", path="") == 1
    assert value(series, "claxon_alert_fired_timestamp_seconds", **auth, app="shop") > NOON


# ── the catalog ───────────────────────────────────────────────────────────────


def test_the_reference_is_what_the_catalog_says() -> None:
    """To renew it: python -m service.metrics > docs/reference/metrics.md."""
    assert (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8") == reference()


def test_no_label_is_one_that_prometheus_gives_to_targets() -> None:
    """It would rename ours to exported_job, and a panel by job would show its own."""
    assert [metric.name for metric in METRICS if {"job", "instance"} & set(metric.labels)] == []


def test_no_two_series_of_a_metric_have_the_same_labels(bench: Bench) -> None:
    """The SDK would add them up in silence."""
    bench.observe([make_event(now=NOON, status=401, app=app) for app in ("a", "b")])
    found = bench.metrics.sample()

    for metric in METRICS:
        labels = [labels for labels, _ in metric.read(found)]
        assert len(set(labels)) == len(labels), metric.name
        assert all(len(one) == len(metric.labels) for one in labels), metric.name


def test_what_has_not_happened_yet_is_there_as_zero(bench: Bench) -> None:
    """Prometheus sees no increase from nothing to one."""
    bench.observe([success(NOON, app="shop")])

    series = bench.read()

    assert [value(series, "claxon_attempts_total", category=c.value) for c in Category if c != "ok"] == [0] * 16
    assert value(series, "claxon_calls_total", outcome="exhausted") == 0
    assert all(value(series, "claxon_alerts", alertname=r.alert, severity=r.severity) == 0 for r in DEFAULT_RULES)
    outcomes = {dict(labels)["outcome"]: n for (name, labels), n in series.items() if "notifications" in name}
    assert outcomes == dict.fromkeys(sample.OUTCOMES, 0)
    assert value(series, "claxon_notifications_total", receiver="a/b", kind="console") == 0


def test_no_evidence_of_a_lag_is_no_number(bench: Bench) -> None:
    """An engine that was never told the time is not behind it by infinity."""
    before = bench.read()
    bench.core.engine.tick(NOON)

    assert [name for name, _ in before if name == "claxon_evaluation_lag_seconds"] == []
    assert value(bench.read(), "claxon_evaluation_lag_seconds") == 7.5


# ── bounds ────────────────────────────────────────────────────────────────────


def test_models_over_the_limit_share_one_set_of_series_and_no_attempt_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "MAX_MODELS", 3)
    shared = {"app": "(overflow)", "environment": "(overflow)", "model": "(overflow)"}
    for i in range(5):
        bench.observe([exhausted(NOON, model=f"m{i}", duration_ms=1000, tokens=10), success(NOON, model=f"m{i}")])

    series = bench.read()

    models = {dict(labels)["model"] for name, labels in series if name == "claxon_attempts_total"}
    assert models == {"m0", "m1", "m2", "(overflow)"}
    assert value(series, "claxon_attempts_total") == 10
    assert value(series, "claxon_attempts_total", **shared, category="server") == 2
    assert value(series, "claxon_calls_total", **shared, outcome="exhausted") == 2
    assert value(series, "claxon_calls_total", **shared, outcome="ok") == 2
    assert value(series, "claxon_tokens_total", **shared, kind="requested") == 20
    assert value(series, "claxon_attempt_seconds_total", **shared) == 2
    assert value(series, "claxon_timed_attempts_total", **shared) == 2


def test_firing_alerts_over_the_limit_are_counted_and_pages_come_first(bench: Bench) -> None:
    pages = sample.MAX_FIRING - 1
    three = [exhausted(NOON, app=f"app{i}") for i in range(2) for _ in range(3)]
    bench.observe([*three, *(make_event(now=NOON, status=401, app=f"app{i}") for i in range(pages))])
    bench.core.engine.tick(NOON + 1)

    found = bench.metrics.sample()

    severities = [labels[1] for labels in found.firing]
    assert len(severities) == sample.MAX_FIRING
    fire = len(bench.core.engine.firing())
    assert found.unlisted == fire - sample.MAX_FIRING > 0
    assert severities.count("page") >= pages
    assert sum(n for (_, _, state), n in found.alerts.items() if state == "firing") == fire


def test_apps_over_the_limit_share_one_series_of_recent_calls(bench: Bench) -> None:
    bench.observe([success(NOON - 1, app=f"app{i}") for i in range(sample.MAX_APPS + 2)])
    bench.core.engine.tick(NOON + 1)

    recent = bench.metrics.sample().recent

    assert len(recent) == sample.MAX_APPS + 1
    assert recent["(overflow)", "(overflow)"] == (2, 0)


@pytest.mark.parametrize("scrapes", [1, exposition._RENEW_AFTER])
def test_an_alert_that_has_ended_has_no_series(bench: Bench, scrapes: int) -> None:
    """Also across the renewal of the SDK's provider, which else keeps all labels it ever saw."""
    bench.observe([make_event(now=NOON, status=401, app="shop")])
    firing = bench.metrics.sample()
    page = bench.metrics._exposition
    page._scrapes = exposition._RENEW_AFTER - scrapes

    during = bench.read(firing)
    after = bench.read(dataclasses.replace(firing, firing={}))

    assert value(during, "claxon_alert_firing", app="shop") == 1
    assert "claxon_alert_firing" not in {name for name, _ in after}
    assert value(after, "claxon_attempts_total", category="authentication") == 1


def test_a_sample_does_not_move_while_it_is_rendered(bench: Bench) -> None:
    """The core goes on meanwhile, in its own thread."""
    bench.observe([success(NOON)])
    found = bench.metrics.sample()

    bench.observe([success(NOON)] * 9)
    bench.core.tally.events += 9

    series = bench.read(found)
    assert value(series, "claxon_attempts_total") == 1
    assert value(series, "claxon_ingest_events_total") == 0


@pytest.mark.parametrize(
    ("happen", "name"),
    [
        (lambda b: setattr(b.core.tally, "failures", 1), "claxon_commit_failures_total"),
        (lambda b: b.core._guarded(lambda: 1 / 0), "claxon_evaluation_faults_total"),
        (lambda b: setattr(b.core.engine.state, "overflowed", 1), "claxon_keys_overflowed_total"),
        (lambda b: b.scheduler.troubles.update({("evaluate", "error"): 1}), "claxon_scheduler_troubles_total"),
        (lambda b: b.deliverer.deliveries.count("a/b/console/0", "timeout"), "claxon_notifications_total"),
        (
            lambda b: b.deliverer.deliveries.give_up("a/b/console/0", handed_over=True),
            "claxon_pages_handed_over_total",
        ),
        (lambda b: b.deliverer.deliveries.give_up("a/b/console/0", handed_over=False), "claxon_pages_lost_total"),
        (lambda b: b.core.submit(int), "claxon_queue_length"),
    ],
)
def test_claxons_own_troubles_are_counted(bench: Bench, happen: Callable[[Bench], object], name: str) -> None:
    happen(bench)

    assert value(bench.read(), name) == 1
