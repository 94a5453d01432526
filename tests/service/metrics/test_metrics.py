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
from service import measures
from service.core import Core
from service.delivery import Deliverer
from service.intake import Intake
from service.metrics import Metrics, sample
from service.metrics.catalog import METRICS
from service.metrics.labels import BOUNDS
from service.metrics.reference import reference
from service.metrics.sample import Sample
from service.receivers import Receiver
from service.receivers.console import ConsoleConfig, ConsoleReceiver
from service.scheduler import Scheduler
from service.settings import hash_key
from service.storage.database import open_database
from tests.support.events import NOON, exhausted, make_event, success
from tests.support.running import Running

ROOT = Path(__file__).resolve().parents[3]

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Series:
    """Return each series' number by its name and its labels."""
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def metrics_of(series: Series) -> set[str]:
    """Return the names of the catalog's metrics that there are series of."""
    spread = {metric.name + end: metric.name for metric in METRICS if metric.histogram for end in _ENDS}
    return {spread.get(name, name) for name, _ in series if not name.startswith("process_")}


_ENDS = ("_bucket", "_sum", "_count")


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


PROCESS = {
    *("process_virtual_memory_bytes", "process_resident_memory_bytes", "process_start_time_seconds"),
    *("process_cpu_seconds_total", "process_open_fds", "process_max_fds"),
}

CLAUDE = {"app": "chat", "environment": "prod", "model": "claude-opus-4-5"}
# Of each metric that measures events, one or two.
MEASURED: list[dict[str, Any]] = [
    CLAUDE | {"status": 200, "duration_ms": 700, "time_to_first_token_ms": 90, "input_tokens": 10_000},
    CLAUDE | {"status": 500, "final": True, "input_tokens": 5, "cache_read_tokens": 2, "output_tokens": 9},
    CLAUDE | {"status": 200, "ratelimit": {"tokens_limit": 800, "tokens_remaining": 200}, "output_tokens": 100},
    CLAUDE | {"status": 200, "circuit": "half_open", "throttled_ms": 1500, "cache_read_tokens": 1_000_000},
    CLAUDE | {"status": 529, "final": True, "exhausted": True, "stopped_by": "deadline"},
    CLAUDE | {"status": 529, "final": True, "exhausted": True, "stopped_by": "the moon"},
    CLAUDE | {"status": 200, "fallback_from": "claude-sonnet-5"},
    CLAUDE | {"status": 200, "cached": True},
    CLAUDE | {"status": 429, "final": False, "call_id": "parked", "retry_after_s": 600},
]


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
        *MEASURED,
    ]
    key = KeyConfig(name="all", scope="admin", sha256=hash_key("x" * 40), requests_per_second=1000)
    bearer = {"Authorization": f"Bearer {'x' * 40}"}
    with Running(tmp_path_factory.mktemp("metrics"), keys=(key,)) as running:
        running.post(events, claxon_client_dropped="3", **bearer)
        running.core(running.service.core.tick)
        running.request("GET", "/metrics", headers=bearer)
        yield running.request("GET", "/metrics", headers=bearer)[1]


def test_every_metric_of_the_catalog_is_on_the_page_and_no_other(page: str) -> None:
    names = {name for name, _ in parsed(page)}

    assert metrics_of(parsed(page)) == {metric.name for metric in METRICS}
    assert {name for name in names if name.startswith("process_")} == PROCESS


def test_the_page_says_of_each_metric_what_it_is(page: str) -> None:
    said = {line.split()[2]: line.split()[3] for line in page.splitlines() if line.startswith("# TYPE")}
    spread = {"claxon_attempt_duration_seconds", "claxon_time_to_first_token_seconds"}

    assert {name for name, kind in said.items() if kind == "histogram"} == spread
    assert {name for name, kind in said.items() if kind == "counter"} == {name for name in said if "_total" in name}


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
    assert value(series, "claxon_ingest_events_total") == 7 + len(MEASURED)
    assert value(series, "claxon_ingest_duplicates_total") == 1
    assert value(series, "claxon_ingest_rejected_events_total") == 1
    assert value(series, "claxon_ingest_dropped_fields_total") == 1
    assert value(series, "claxon_client_dropped_events_total") == 3


def test_the_page_agrees_with_what_was_measured(page: str) -> None:
    series = parsed(page)

    def of(name: str, **labels: str) -> float:
        return value(series, f"claxon_{name}", **CLAUDE, **labels)

    assert (of("attempt_duration_seconds_count"), of("attempt_duration_seconds_sum")) == (1, 0.7)
    assert [of("attempt_duration_seconds_bucket", le=le) for le in ("0.5", "1.0", "+Inf")] == [0, 1, 1]
    assert (of("time_to_first_token_seconds_bucket", le="0.1"), of("time_to_first_token_seconds_sum")) == (1, 0.09)
    assert (of("wasted_tokens_total", kind="input"), of("wasted_tokens_total", kind="output")) == (7, 9)
    limits = [of(f"ratelimit_{name}", bucket="tokens") for name in ("limit", "remaining", "remaining_ratio")]
    assert limits == [800, 200, 0.25]
    assert of("circuit_state") == 1
    assert of("throttled_seconds_total") == 1.5
    stopped = {reason: of("stopped_calls_total", stopped_by=reason) for reason in measures.REASONS}
    assert {reason for reason, n in stopped.items() if n} == {"deadline", "other"}
    assert of("fallback_attempts_total", fallback_from="claude-sonnet-5") == 1
    assert of("cached_answers_total") == 1
    assert value(series, "claxon_parked_calls", app="chat") == 1
    assert value(series, "claxon_parked_calls", app="shop") == 0


def test_the_page_agrees_with_the_published_prices(page: str) -> None:
    """Claude Opus 4.5: 5 and 25 dollars for a million tokens, a tenth of the first for those read from the cache."""
    series = parsed(page)
    cost = {k: value(series, "claxon_cost_dollars_total", **CLAUDE, kind=k) for k in ("input", "output", "cache_read")}

    assert cost == pytest.approx({"input": 10_005 * 5e-6, "output": 109 * 25e-6, "cache_read": 1_000_002 * 0.5e-6})
    assert value(series, "claxon_unpriced_attempts_total", **CLAUDE) == 0
    assert value(series, "claxon_unpriced_attempts_total", model="m") == 7


def test_the_page_agrees_with_the_error_budget(page: str) -> None:
    """Three of eight calls of chat are exhausted, 75 times as many as the 0.5 % that may be; it is minutes old."""
    series = parsed(page)
    chat = {"app": "chat", "environment": "prod"}
    windows = {dict(labels)["window"] for name, labels in series if name == "claxon_error_budget_burn_rate"}

    assert windows == {"5m", "30m", "1h", "2h", "6h", "1d", "3d"}
    assert value(series, "claxon_error_budget_burn_rate", **chat, window="5m") == pytest.approx(75)
    assert 1 - 75 * 160 / (30 * 1440) < value(series, "claxon_error_budget_remaining_ratio", **chat) < 1
    assert value(series, "claxon_error_budget_exhausted_timestamp_seconds", **chat) > NOON


def test_the_page_names_the_alert_that_fires(page: str) -> None:
    series = parsed(page)
    state = {"alertstate": "firing", "app": "shop", "environment": "prod", "model": "", "path": ""}
    auth = {"alertname": "ClaudeAuthError", "severity": "page"}

    assert value(series, "claxon_alerts", **auth, state="firing") == 1
    assert value(series, "claxon_alert_firing", **auth, app="shop", environment="prod", model="", path="") == 1
    assert value(series, "claxon_alert_fired_timestamp_seconds", **auth, app="shop") > NOON
    assert value(series, "claxon_alert_state", **auth, **state) == 1


# ── the catalog ───────────────────────────────────────────────────────────────


def test_the_reference_is_what_the_catalog_says() -> None:
    """To renew it: python -m service.metrics > docs/reference/metrics.md."""
    assert (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8") == reference()


def test_no_label_is_one_that_prometheus_gives_to_targets() -> None:
    """It would rename ours to exported_job, and a panel by job would show its own."""
    assert [metric.name for metric in METRICS if {"job", "instance"} & set(metric.labels)] == []


def test_no_two_series_of_a_metric_have_the_same_labels(bench: Bench) -> None:
    """Prometheus would refuse the whole page."""
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
    monkeypatch.setattr(measures, "MAX_MODELS", 3)
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


def test_an_alert_that_has_ended_has_no_series(bench: Bench) -> None:
    bench.observe([make_event(now=NOON, status=401, app="shop")])
    firing = bench.metrics.sample()

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


# ── every metric says what it is ──────────────────────────────────────────────


def test_every_metric_has_a_help_a_unit_and_labels_that_are_bounded() -> None:
    for metric in METRICS:
        assert metric.help.endswith("."), metric.name
        assert metric.unit, metric.name
        assert set(metric.labels) <= set(BOUNDS), metric.name
    assert all(BOUNDS.values())


def test_a_unit_with_a_name_of_its_own_ends_the_metrics_name() -> None:
    """As Prometheus and OpenMetrics ask: seconds, bytes, ratio, dollars; what else is counted is named by its noun."""
    own = {"seconds", "bytes", "dollars", "tokens"}
    wrong = [
        metric.name
        for metric in METRICS
        for unit in [metric.name.removesuffix("_total").rpartition("_")[2]]
        if (unit in own or metric.unit in own) and unit != metric.unit
    ]
    assert wrong == []
    assert {metric.kind for metric in METRICS if metric.name.endswith("_total")} == {"counter"}
