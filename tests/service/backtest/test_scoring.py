"""Precision, recall, detection and reset time, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.backtest.as_json import as_json
from service.backtest.as_text import as_text
from service.backtest.labelled import Window, load_windows
from service.backtest.outcome import Episode, Outcome
from service.backtest.running import backtest
from service.backtest.scoring import Scores, score
from service.backtest.sources import Source
from service.yaml_file import ConfigFileError
from tests.service.backtest.test_outcome import AUTH, RATE, ruleset
from tests.support.events import NOON
from tests.support.logs import rejected, traffic, write

NEVER = None


def page(start: float, end: float | None, app: str = "shop", *, told: bool = True, severity: str = "page") -> Episode:
    """Return a page from `start` to `end`, seconds after noon."""
    labels = {"alertname": "Auth" if severity == "page" else "Rate", "app": app, "severity": severity}
    return Episode(
        rule=f"{labels['alertname']}/{severity}",
        rule_hash="",
        labels=labels,
        fingerprint=f"{app}{start}",
        episode=1,
        starts_at=NOON + start,
        value={},
        ends_at=None if end is None else NOON + end,
        told_at=NOON + start if told else None,
    )


def window(start: float, end: float, **labels: str) -> Window:
    from alerts.matchers import Matcher

    return Window(start=NOON + start, end=NOON + end, matchers=tuple(Matcher(n, "=", v) for n, v in labels.items()))


def scored(pages: list[Episode], windows: list[Window], *, end: float = 10_000) -> Scores:
    rules = {rule.id: rule for rule in (AUTH, RATE)}
    return score(Outcome(rules=rules, alerts=pages), windows, begin=NOON, end=NOON + end)


def test_precision_is_the_share_of_pages_that_overlap_a_window() -> None:
    pages = [page(100, 200), page(500, 600), page(900, 950), page(2000, 2100)]
    windows = [window(150, 250), window(590, 700), window(950, 1000)]

    found = scored(pages, windows)

    # To touch is to overlap.
    assert (found.overall.right, found.overall.pages, found.overall.precision) == (3, 4, 0.75)
    assert [p.starts_at - NOON for p in found.wrong] == [2000]


def test_recall_is_the_share_of_windows_with_a_page() -> None:
    found = scored([page(100, 200)], [window(90, 150), window(150, 300), window(201, 300), window(400, 500)])

    assert (found.overall.found, found.overall.windows, found.overall.recall) == (2, 4, 0.5)
    assert [w.start - NOON for w in found.missed] == [201, 400]


def test_detection_runs_from_the_windows_start_to_the_first_page() -> None:
    pages = [page(130, 200), page(110, 120), page(1000, 2000), page(2990, 3010)]
    windows = [window(100, 300), window(1500, 1600), window(2970, 3000)]

    found = scored(pages, windows).overall

    # 10 s; the second fires already, 0 s; 20 s.
    assert (found.detection.n, found.detection.median_s, found.detection.max_s) == (3, 10, 20)


def test_reset_runs_from_the_windows_end_to_the_end_of_the_last_page() -> None:
    pages = [page(100, 160), page(170, 390), page(1000, 1050), page(2000, NEVER)]
    windows = [window(100, 300), window(1000, 1100), window(2000, 2100)]

    found = scored(pages, windows).overall

    # 90 s; 50 s before the end; the third still fires.
    assert (found.reset.n, found.reset.median_s, found.reset.max_s, found.open) == (2, 20, 90, 1)


def test_p95_is_the_smallest_that_95_in_100_do_not_exceed() -> None:
    pages = [page(1000 * i + i, 1000 * i + 500) for i in range(1, 21)]
    windows = [window(1000 * i, 1000 * i + 400) for i in range(1, 21)]

    detection = scored(pages, windows, end=30_000).overall.detection

    assert (detection.median_s, detection.p95_s, detection.max_s) == (10.5, 19, 20)


def test_tickets_and_pages_that_nobody_was_told_of_count_for_nothing() -> None:
    pages = [page(100, 200, severity="ticket"), page(100, 200, told=False)]

    found = scored(pages, [window(100, 200)]).overall

    assert (found.pages, found.precision, found.recall) == (0, None, 0)


@pytest.mark.parametrize(
    ("labels", "concerns"),
    [
        ({}, True),
        ({"app": "shop"}, True),
        ({"app": "web"}, False),
        ({"app": "shop", "model": "claude-haiku-4-5"}, True),  # the alert says of no model
        ({"alertname": "Auth"}, True),
        ({"alertname": "Rate"}, False),
    ],
)
def test_a_window_counts_for_alerts_that_do_not_contradict_it(labels: dict[str, str], concerns: bool) -> None:
    found = scored([page(100, 200)], [window(100, 200, **labels)])

    assert (found.overall.right, found.overall.found) == (int(concerns), int(concerns))


def test_each_rule_that_pages_has_its_own_score() -> None:
    """A window that names another rule is none of its business."""
    pages = [page(100, 200), page(500, 600)]
    windows = [window(100, 200), window(100, 200, alertname="Rate"), window(2000, 2100, alertname="Auth")]

    found = scored(pages, windows)

    assert list(found.by_rule) == ["Auth/page"]
    of_rule = found.by_rule["Auth/page"]
    assert (of_rule.right, of_rule.pages, of_rule.found, of_rule.windows) == (1, 2, 1, 2)


def test_windows_outside_the_log_are_left_out() -> None:
    found = scored([page(100, 200)], [window(-200, -100), window(-100, 150), window(10_001, 10_100)])

    assert (found.outside, found.overall.windows, found.overall.recall) == (2, 1, 1)


# ── through everything ────────────────────────────────────────────────────────


def test_a_log_is_scored_in_json_and_text(tmp_path: Path) -> None:
    """The page fires at 100 s and ends at 162 s; the window says from 80 s to 130 s. Another page has no window."""
    events = [*traffic(0, 100), rejected(100), *traffic(101, 300), rejected(300), *traffic(301, 500)]
    labels = tmp_path / "labels.csv"
    labels.write_text(f"start,end,app\n{NOON + 80},{NOON + 130},shop\n{NOON + 400},{NOON + 410},web\n")

    result = backtest([Source(write(tmp_path / "log", events))], ruleset(AUTH), windows=load_windows(labels))

    overall = json.loads(as_json(result))["labels"]["overall"]
    assert overall == {
        "pages": 2,
        "right": 1,
        "precision": 0.5,
        "windows": 2,
        "found": 1,
        "recall": 0.5,
        "detection_s": {"n": 1, "median": 20, "p95": 20, "max": 20},
        "reset_s": {"n": 1, "median": 32, "p95": 32, "max": 32},
        "still_firing": 0,
    }
    text = as_text(result)
    assert "50 % (1 of 2)" in text
    assert 'missed: 2026-09-21 14:20:00 to 2026-09-21 14:20:10 UTC app="web"' in text
    assert "no window: 2026-09-21 14:18:20 UTC Auth app=shop" in text


def test_a_page_counts_from_when_somebody_was_told(tmp_path: Path) -> None:
    """Held back by another one for as long as that fires, it wakes nobody before."""
    late = page(100, 300)
    late.told_at = NOON + 250

    assert scored([late], [window(100, 200)]).overall.found == 0
    assert scored([late], [window(200, 280)]).overall.detection.max_s == 50


# ── the file ──────────────────────────────────────────────────────────────────

FORMS = {
    "windows.csv": "start,end,app,model,note\n2026-09-21T14:13:20Z,2026-09-21T15:13:20+01:00,shop,,the outage\n",
    "windows.json": json.dumps([{"start": NOON, "end": NOON + 0.0, "app": "shop", "note": "the outage"}]).replace(
        f"{NOON}.0", "1790000000.5"
    ),
    "windows.yml": "- start: 2026-09-21T14:13:20Z\n  end: 1790000001\n  labels: {app: shop}\n  note: the outage\n",
    "matchers.yml": "- {start: 1790000000, end: 1790000001, matchers: ['app=\"shop\"'], note: the outage}\n",
    "matchers.csv": 'start,end,matchers,note\n1790000000,1790000001,"app=""shop""",the outage\n',
}


@pytest.mark.parametrize("name", FORMS)
def test_windows_are_read_from_csv_json_and_yaml(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(FORMS[name].replace("15:13:20+01:00", "15:13:21+01:00"))

    (found,) = load_windows(path)

    assert (found.start, found.note) == (NOON, "the outage")
    assert found.end in (NOON + 0.5, NOON + 1)
    assert [str(m) for m in found.matchers] == ['app="shop"']


BAD: dict[str, Any] = {
    "": "neither a list nor CSV with the columns start and end",
    "app\nshop\n": "neither a list nor CSV with the columns start and end",
    "start,end\n2026-09-21T14:13:20,1790000001\n": ":2: start: 2026-09-21T14:13:20: an RFC 3339 instant",
    "start,end\nyesterday,1790000001\n": ":2: start: yesterday: an RFC 3339 instant",
    "start,end\n1790000001\n": ":2: end: missing",
    "start,end\n1790000001,1790000000\n": ":2: end: 1790000000: after start, which is 1790000001",
    "start,end,ap\n1790000000,1790000001,shop\n": ":2: ap: no alert has this label: one of alertname, app,",
    "- {start: 1, end: 2, matchers: ['app=~\"(\"']}": ": [0]: matchers: app=~'(': not a regular expression",
    "- {start: 1, end: 2, matchers: ['ap=\"x\"']}": ": [0]: matchers: ap: no alert has this label",
    "- {start: 1, end: 2, labels: [x]}": ": [0]: labels: ['x']: expected a mapping",
    "- 7": ": [0]: '7': expected a mapping with start and end",
    "- {": ": not a list in JSON or YAML",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_file_of_windows_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels"
    path.write_text(text)

    with pytest.raises(ConfigFileError) as refused:
        load_windows(path)

    assert BAD[text] in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_a_window_may_name_a_label_that_rules_add(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_text("start,end,team\n1,2,search\n")

    assert len(load_windows(path, {"team"})) == 1
