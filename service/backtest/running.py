"""A backtest from its files to its result.

≠ arguments, how it is printed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from alerts.config import Config
from alerts.rules import Rule

from .comparing import Comparison, compare
from .duplicates import Seen
from .labelled import Window
from .merging import merged
from .outcome import Outcome
from .reading import EventFile, Refused
from .replaying import Replay
from .scoring import Scores, score
from .sources import Source

LATE_S = 300.0
"""An event that is so much older than one before it, at the end of a batch, makes the log worth a remark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """What decides: a configuration, its rules, and where they are from."""

    name: str
    config: Config
    rules: tuple[Rule, ...]


@dataclass(slots=True, kw_only=True)
class Result:
    """All that a backtest found.

    Attributes:
        begin: When the first event arrived, Unix seconds; None without events.
        end: When the last one did.
        until: Up to when time went on.
        events: Taken and counted.
        duplicates: Left out, because their id had been seen.
        refused: What could not be read.
        remarks: What makes the result doubtful.
        ruleset: What decided.
        outcome: What it made of the events.
        against: The other rule set, and what it made of the same events.
        comparison: What the change from `against` to `outcome` does.
        scores: How the pages fit the labelled windows.
    """

    sources: list[str]
    ruleset: RuleSet
    outcome: Outcome
    refused: Refused
    begin: float | None = None
    end: float | None = None
    until: float | None = None
    events: int = 0
    duplicates: int = 0
    remarks: list[str]
    against: tuple[RuleSet, Outcome] | None = None
    comparison: Comparison | None = None
    windows: int = 0
    scores: Scores | None = None

    @property
    def lasted_s(self) -> float:
        """From the first to the last event."""
        return self.end - self.begin if self.begin is not None and self.end is not None else 0.0


def backtest(
    sources: Sequence[Source],
    ruleset: RuleSet,
    *,
    against: RuleSet | None = None,
    windows: Sequence[Window] | None = None,
    tail_s: float | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Result:
    """Return what rule sets make of the events of some files, read once and never held whole.

    Args:
        sources: At least one; merged by time.
        ruleset: What decides.
        against: What it is compared with, over the same events.
        windows: When something was known to be wrong.
        tail_s: How long time goes on after the last event; None is until all that arrived is decided.
        progress: Told how many events were taken, now and then.
    """
    replays = [Replay(one.config, one.rules) for one in (ruleset, against) if one is not None]
    reading = _Reading(sources, replays)
    frozen = gc.isenabled()
    gc.collect()
    gc.freeze()
    # Events hold no cycles, and to look for some among a million costs more than to decode them.
    gc.disable()
    try:
        reading.run(progress)
    finally:
        if frozen:
            gc.enable()
        gc.unfreeze()
    return _result(reading, ruleset, against, windows, tail_s)


class _Reading:
    """The one pass over the events."""

    def __init__(self, sources: Sequence[Source], replays: Sequence[Replay]) -> None:
        self.sources = sources
        self.replays = replays
        self.refused = Refused()
        self.seen = Seen()
        self.events = 0
        self.begin: float | None = None
        self.latest_s = 0.0

    @property
    def now(self) -> float:
        return self.replays[0].now

    def run(self, progress: Callable[[int], None]) -> None:
        for read in merged([EventFile(source, self.refused) for source in self.sources]):
            events = self.seen.new(read)
            if not events:
                continue
            if self.begin is None:
                self.begin = events[0].at
            for replay in self.replays:
                # What an engine marks in an event (that it was absorbed) the next one would mark just so.
                replay.observe(events)
            self.events += len(events)
            self.latest_s = max(self.latest_s, self.now - events[-1].at)
            progress(self.events)


def _result(
    reading: _Reading,
    ruleset: RuleSet,
    against: RuleSet | None,
    windows: Sequence[Window] | None,
    tail_s: float | None,
) -> Result:
    end = reading.now if reading.events else None
    until = None
    if end is not None:
        until = end + tail_s if tail_s is not None else max(replay.settled() for replay in reading.replays)
    outcomes = [replay.end(until) for replay in reading.replays]
    result = Result(
        sources=[source.name for source in reading.sources],
        ruleset=ruleset,
        outcome=outcomes[0],
        refused=reading.refused,
        begin=reading.begin,
        end=end,
        until=until,
        events=reading.events,
        duplicates=reading.seen.duplicates,
        remarks=_remarks(reading),
    )
    if against is not None:
        result.against = (against, outcomes[1])
        result.comparison = compare(outcomes[1], outcomes[0])
    if windows is not None:
        result.windows = len(windows)
        span = (reading.begin, until) if reading.begin is not None and until is not None else (inf, -inf)
        result.scores = score(outcomes[0], windows, begin=span[0], end=span[1])
    return result


def _remarks(reading: _Reading) -> list[str]:
    remarks: list[str] = []
    if reading.latest_s > LATE_S:
        remarks.append(
            f"some events are {reading.latest_s:,.0f} s older than one before them: they count as late; "
            "is a file out of order, or one event's time wrong?"
        )
    return remarks
