"""A result for people at a terminal: pages first.

≠ how it is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from claxon.event import redact

from alerts.durations import format_duration
from alerts.labels import Labels

from ..receivers.text import clean
from .as_json import per_week
from .comparing import Comparison
from .outcome import Episode, Outcome, Told
from .running import Result
from .scoring import Score, Scores, Times

_DAY_S = 86_400
_MEASURED = ("failed", "exhausted", "calls", "share", "streak", "burn", "count")


def as_text(result: Result) -> str:
    """Return the whole result, without secrets and without anything that commands a terminal."""
    lines = [*_head(result), "", *_alerts(result.outcome), "", *_by_rule(result)]
    if result.comparison is not None and result.against is not None:
        title = f"From {result.against[0].name} to {result.ruleset.name}:"
        lines += ["", title, *_comparison(result.comparison)]
    if result.scores is not None:
        lines += ["", *_scores(result.scores)]
    return "\n".join(redact(clean_line(line)) for line in lines) + "\n"


def clean_line(line: str) -> str:
    """Return a line that stays one; its indentation is kept."""
    return line[: len(line) - len(line.lstrip(" "))] + clean(line)


def _head(result: Result) -> Iterator[str]:
    refused = f", {result.refused.events:,} refused" if result.refused.events else ""
    duplicates = f", {result.duplicates:,} duplicates left out" if result.duplicates else ""
    counted = f"{result.events:,} events{refused}{duplicates}"
    if result.begin is None or result.end is None or result.until is None:
        yield counted
        return
    yield f"{counted}: {_when(result.begin)} to {_when(result.end)} UTC ({format_duration(result.lasted_s)})"
    rules = result.outcome.rules
    yield f"{result.ruleset.name}: {len(rules)} rules; decided up to {_when(result.until)} UTC"


# ── alerts ────────────────────────────────────────────────────────────────────


def _alerts(outcome: Outcome) -> Iterator[str]:
    if not outcome.alerts:
        yield "No alert fired."
    else:
        rows = [_row(episode) for episode in sorted(outcome.alerts, key=_gravity)]
        yield from _table(("severity", "fired (UTC)", "for", "alert", "labels", "at its worst", "told", "ended"), rows)
    if outcome.pending:
        yield f"{outcome.pending} more wait for their `for` at the end."


def _gravity(episode: Episode) -> tuple[bool, float]:
    return episode.severity != "page", episode.starts_at


def _row(episode: Episode) -> tuple[str, ...]:
    return (
        episode.severity,
        _when(episode.starts_at),
        format_duration(episode.ends_at - episode.starts_at) if episode.ends_at is not None else "",
        episode.labels["alertname"],
        _labels(episode.labels),
        _measured(episode),
        ", ".join(episode.receivers) or "nobody",
        episode.resolve_reason or "still fires",
    )


def _labels(labels: Labels) -> str:
    shown = {name: value for name, value in labels.items() if name not in ("alertname", "severity")}
    return " ".join(f"{name}={value}" for name, value in sorted(shown.items()))


def _measured(episode: Episode) -> str:
    value = episode.peak or episode.value
    if "failed" in value and "calls" in value:
        return f"{value['failed']:,.0f} of {value['calls']:,.0f} failed"
    if "exhausted" in value and "calls" in value:
        return f"{value['exhausted']:,.0f} of {value['calls']:,.0f} exhausted"
    return ", ".join(f"{name} {value[name]:,.4g}" for name in _MEASURED if name in value)


# ── by rule ───────────────────────────────────────────────────────────────────


def _by_rule(result: Result) -> Iterator[str]:
    weekly = result.lasted_s >= _DAY_S
    rows = []
    for totals in result.outcome.by_rule():
        rate = per_week(totals.told, result.lasted_s) if weekly else None
        row = (totals.rule, totals.rule_hash, totals.alerts, totals.told, totals.notifications, totals.firing)
        rows.append((*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row), _number(rate)))
    yield from _table(("rule", "hash", "alerts", "told", "notifications", "still fire", "told a week"), rows)
    pages = sum(episode.paged for episode in result.outcome.alerts)
    every = f", {_number(per_week(pages, result.lasted_s))} a week" if weekly else ""
    yield f"{pages:,} pages{every}; {len(result.outcome.notifications):,} notifications, ends included."
    if result.outcome.passed_over:
        said = ", ".join(f"{name} {n:,}" for name, n in sorted(result.outcome.passed_over.items()))
        yield f"Passed over: {said}."


# ── what a change does ────────────────────────────────────────────────────────


def _comparison(found: Comparison) -> Iterator[str]:
    yield f"  {len(found.added)} added, {len(found.removed)} removed, {len(found.moved)} moved, {found.same} the same"
    rows: list[tuple[bool, float, tuple[str, ...]]] = []
    for sign, episodes in (("+", found.added), ("-", found.removed)):
        rows += [(*_gravity(e), (sign, *_row(e)[:5], "", "")) for e in episodes]
    for moved in found.moved:
        row = ("~", *_row(moved.after)[:5], _later(moved.starts_later_s), _later(moved.ends_later_s))
        rows.append((*_gravity(moved.after), row))
    if rows:
        rows.sort(key=lambda row: row[:2])
        header = ("", "severity", "fired (UTC)", "for", "alert", "labels", "starts", "ends")
        yield from ("  " + line for line in _table(header, [row for _, _, row in rows]))
    moved_n = len(found.told_moved)
    yield f"  notifications: {len(found.told_more)} added, {len(found.told_less)} removed, {moved_n} moved"
    for sign, messages in (("+", found.told_more), ("-", found.told_less)):
        yield from (f"    {sign} {_message(told)}" for told in messages)
    for before, after in found.told_moved:
        yield f"    ~ {_message(after)}, {_later(after.at - before.at)}"


def _message(told: Told) -> str:
    return f"{_when(told.at)} {told.status} {told.labels['alertname']} {_labels(told.labels)} to {told.receiver}"


def _later(seconds: float | None) -> str:
    if seconds is None:
        return "still fires"
    if seconds == 0:
        return "same"
    return f"{format_duration(abs(seconds))} {'later' if seconds > 0 else 'earlier'}"


# ── labelled windows ──────────────────────────────────────────────────────────


def _scores(scores: Scores) -> Iterator[str]:
    rows = [_score("all pages", scores.overall)]
    rows += [_score(rule, score) for rule, score in scores.by_rule.items()]
    header = ("against the labels", "precision", "recall", "detected after", "reset after")
    yield from _table(header, rows)
    if scores.outside:
        yield f"{scores.outside} windows lie outside the log and are left out."
    for window in scores.missed:
        about = " ".join(map(str, window.matchers))
        note = f"  {window.note}" if window.note else ""
        yield f"  missed: {_when(window.start)} to {_when(window.end)} UTC {about}{note}"
    for page in scores.wrong:
        yield f"  no window: {_when(page.starts_at)} UTC {page.labels['alertname']} {_labels(page.labels)}"


def _score(name: str, score: Score) -> tuple[str, ...]:
    return (
        name,
        _share(score.right, score.pages),
        _share(score.found, score.windows),
        _times(score.detection),
        _times(score.reset),
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole * 100:.3g} % ({part} of {whole})" if whole else "–"


def _times(times: Times) -> str:
    if times.median_s is None or times.p95_s is None or times.max_s is None:
        return "–"
    return f"median {_signed(times.median_s)}, p95 {_signed(times.p95_s)}, max {_signed(times.max_s)}"


def _signed(seconds: float) -> str:
    return f"{'-' if seconds < 0 else ''}{format_duration(abs(seconds))}"


# ── layout ────────────────────────────────────────────────────────────────────


def _when(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f}"


def _number(value: float | None) -> str:
    return f"{value:,.3g}" if value is not None else "–"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = [header, *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
