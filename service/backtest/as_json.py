"""A result as JSON. docs/howto/backtest.md says what each field means.

≠ how it is found.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from claxon.event import redact

from .comparing import Comparison, Moved
from .outcome import WEEK_S, Episode, Outcome, RuleTotals, Told
from .running import Result
from .scoring import Score, Scores, Times


def as_json(result: Result) -> str:
    """Return the whole result, indented, with instants in RFC 3339."""
    text = msgspec.json.format(msgspec.json.encode(_result(result)), indent=2).decode()
    return redact(text) + "\n"


def instant(at: float | None) -> str | None:
    """Return Unix seconds in RFC 3339, UTC, with milliseconds; None stays None, as does what no calendar has."""
    if at is None:
        return None
    try:
        moment = datetime.fromtimestamp(round(at, 3), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def per_week(n: int, lasted_s: float) -> float | None:
    """Return a count as a rate; None for a log that lasts no time."""
    return round(n * WEEK_S / lasted_s, 3) if lasted_s > 0 else None


def _result(result: Result) -> dict[str, Any]:
    found = {
        "sources": result.sources,
        "from": instant(result.begin),
        "to": instant(result.end),
        "until": instant(result.until),
        "events": result.events,
        "rejected": result.refused.events,
        "rejected_shown": result.refused.shown,
        "broken": result.refused.broken,
        "duplicates": result.duplicates,
        "remarks": result.remarks,
        "config": result.ruleset.name,
        **_outcome(result.outcome, result.lasted_s),
    }
    if result.against is not None and result.comparison is not None:
        ruleset, outcome = result.against
        found["against"] = {
            "config": ruleset.name,
            **_outcome(outcome, result.lasted_s),
            "changes": _comparison(result.comparison),
        }
    if result.scores is not None:
        found["labels"] = _scores(result.scores)
    return found


def _outcome(outcome: Outcome, lasted_s: float) -> dict[str, Any]:
    return {
        "rules": [rule.hash for rule in outcome.rules.values()],
        "ledger_hash": outcome.ledger_hash,
        "decided": outcome.decided,
        "alerts": [_episode(episode) for episode in outcome.alerts],
        "notifications": [_told(told) for told in outcome.notifications],
        "firing": sum(episode.ends_at is None for episode in outcome.alerts),
        "pending": outcome.pending,
        "pages": sum(episode.paged for episode in outcome.alerts),
        "by_rule": [_totals(totals, lasted_s) for totals in outcome.by_rule()],
        "passed_over": dict(outcome.passed_over),
    }


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "labels": episode.labels,
        "startsAt": instant(episode.starts_at),
        "endsAt": instant(episode.ends_at),
        "resolve_reason": episode.resolve_reason,
        "value": episode.value,
        "peak": episode.peak,
        "fingerprint": episode.fingerprint,
        "episode": episode.episode,
        "rule": episode.rule,
        "rule_hash": episode.rule_hash,
        "evidence": episode.request_ids,
        "notifiedAt": instant(episode.told_at),
        "receivers": episode.receivers,
    }


def _told(told: Told) -> dict[str, Any]:
    return {
        "at": instant(told.at),
        "status": told.status,
        "receiver": told.receiver,
        "labels": told.labels,
        "reason": told.reason,
        "dedup_key": told.dedup_key,
    }


def _totals(totals: RuleTotals, lasted_s: float) -> dict[str, Any]:
    return {
        "rule": totals.rule,
        "rule_hash": totals.rule_hash,
        "severity": totals.severity,
        "alerts": totals.alerts,
        "told": totals.told,
        "notifications": totals.notifications,
        "firing": totals.firing,
        "told_per_week": per_week(totals.told, lasted_s),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    return {
        "alerts": {
            "added": [_episode(episode) for episode in found.added],
            "removed": [_episode(episode) for episode in found.removed],
            "moved": [_moved(moved) for moved in found.moved],
            "same": found.same,
        },
        "notifications": {
            "added": [_told(told) for told in found.told_more],
            "removed": [_told(told) for told in found.told_less],
            "moved": [_told(after) | {"was_at": instant(before.at)} for before, after in found.told_moved],
        },
    }


def _moved(moved: Moved) -> dict[str, Any]:
    return {
        "labels": moved.after.labels,
        "was": _episode(moved.before),
        "becomes": _episode(moved.after),
        "starts_later_s": moved.starts_later_s,
        "ends_later_s": moved.ends_later_s,
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "overall": _score(scores.overall),
        "by_rule": {rule: _score(score) for rule, score in scores.by_rule.items()},
        "windows_outside": scores.outside,
        "missed": [
            {"start": instant(window.start), "end": instant(window.end), "matchers": [str(m) for m in window.matchers]}
            | ({"note": window.note} if window.note else {})
            for window in scores.missed
        ],
        "wrong": [_episode(page) for page in scores.wrong],
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "pages": score.pages,
        "right": score.right,
        "precision": score.precision,
        "windows": score.windows,
        "found": score.found,
        "recall": score.recall,
        "detection_s": _times(score.detection),
        "reset_s": _times(score.reset),
        "still_firing": score.open,
    }


def _times(times: Times) -> dict[str, Any]:
    return {"n": times.n, "median": times.median_s, "p95": times.p95_s, "max": times.max_s}
