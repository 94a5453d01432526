"""verdicts: what becomes of a job after a run, decided from numbers alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..taxonomy import KINDS, Category
from .job import Job, Reason

BLOCKED = frozenset({Category.AUTHENTICATION, Category.ACCOUNT})
"""What fails every call of the worker alike: its key, its account. No job is to blame."""

_LATER = frozenset({Category.BAD_RESPONSE})
"""What is not worth another try at once, and is worth one later: a proxy's page instead of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a job is tried.

    Attributes:
        first_s: The longest pause after the first run; doubles with each run.
        most_s: The longest pause of all, but for a longer retry-after.
        most_runs: Runs before it is given up.
        most_age_s: Seconds from `defer` until it is given up.
        most_lost: Runs that may end without a word before it is given up: it seems to kill its worker.
    """

    first_s: float = 5.0
    most_s: float = 3600.0
    most_runs: int = 50
    most_age_s: float = 7 * 86_400.0
    most_lost: int = 5

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"Patience: {name}: {getattr(self, name)!r}: give a number above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a run ended that did not end well.

    Attributes:
        category: The taxonomy's; UNKNOWN where `handle` raised.
        retryable: Whether the same call may succeed later.
        retry_after_s: How long the API asked to wait.
    """

    reason: Reason
    category: Category
    retryable: bool
    retry_after_s: float | None = None

    @property
    def everybodys(self) -> bool:
        """Whether any other call would probably have failed as well."""
        return self.category in BLOCKED or (self.retryable and self.category is not Category.UNKNOWN)


class Fate(StrEnum):
    """What becomes of a job."""

    AGAIN = "again"
    DEAD = "dead"
    BLOCKED = "blocked"  # again, and the run was none: nobody's call can succeed now


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do with a job, and in how many seconds it is due again."""

    fate: Fate
    reason: Reason
    after_s: float = 0.0


def is_retryable(category: Category, *, told_to: bool | None) -> bool:
    """Return whether a call that failed so may succeed later.

    `told_to` is `x-should-retry`: its false speaks of a retry now, not of one in minutes.
    """
    return category not in BLOCKED and (KINDS[category].retryable or category in _LATER or told_to is True)


def given_up(job: Job, patience: Patience, *, now: float) -> Reason | None:
    """Return why a job that was just taken is not to be run; None if it is."""
    if job.lost >= patience.most_lost:
        return Reason(category="lost", type="lease ran out", limit="most_lost")
    if job.runs > patience.most_runs:
        return _past("most_runs", job)
    if now - job.deferred_at > patience.most_age_s:
        return _past("most_age_s", job)
    return None


def judge(job: Job, failure: Failure, patience: Patience, *, now: float, chance: float) -> Verdict:
    """Return what becomes of a job whose run failed.

    Args:
        now: By the clock of the store.
        chance: In [0, 1), drawn anew.
    """
    if failure.category in BLOCKED:
        return Verdict(fate=Fate.BLOCKED, reason=failure.reason)
    if not failure.retryable:
        return Verdict(fate=Fate.DEAD, reason=failure.reason)
    after_s = max(backoff_s(job.runs, patience, chance=chance), failure.retry_after_s or 0.0)
    limit = _limit(job, patience, due_at=now + after_s)
    if limit is not None:
        return Verdict(fate=Fate.DEAD, reason=_with_limit(failure.reason, limit))
    return Verdict(fate=Fate.AGAIN, reason=failure.reason, after_s=after_s)


def backoff_s(runs: int, patience: Patience, *, chance: float) -> float:
    """Return the pause after that many runs: exponential, full jitter, so that jobs that failed together part."""
    return chance * min(patience.first_s * 2.0 ** min(runs - 1, 60), patience.most_s)


def _limit(job: Job, patience: Patience, *, due_at: float) -> str | None:
    if job.runs >= patience.most_runs:
        return "most_runs"
    return "most_age_s" if due_at - job.deferred_at > patience.most_age_s else None


def _past(limit: str, job: Job) -> Reason:
    return _with_limit(job.reason or Reason(category="lost", type="lease ran out"), limit)


def _with_limit(reason: Reason, limit: str) -> Reason:
    return Reason(**{name: getattr(reason, name) for name in Reason.__struct_fields__ if name != "limit"}, limit=limit)
