"""What a timetable shows of Claxon: nothing wrong, or what is, a line each.

≠ how it is played.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from .outcome import TOLERANCE_S, Outcome, differences, unexpected, wrong_reasons
from .play import play
from .random_timetables import RANDOM
from .timetable import Timetable
from .virtual import play_virtually

Outcomes = Mapping[str, Mapping[str, Outcome]]
"""By kind of subject, then by timetable."""

TRIES = 3
"""A busy machine is late now and then; what differs each time is different."""


def of_alertmanager(timetable: Timetable, outcomes: Outcomes) -> list[str]:
    """Return where Alertmanager does something else than the timetable says of it."""
    outcome = outcomes["alertmanager"][timetable.name]
    if timetable.wobbles or timetable in RANDOM:
        return []
    return _answers(timetable.answers, outcome) + unexpected(timetable.told, outcome, within_s=_within(timetable))


def of_claxon(timetable: Timetable, outcomes: Outcomes) -> list[str]:
    """Return where Claxon does something else than Alertmanager, or than what is better."""
    here, there = outcomes["claxon"][timetable.name], outcomes["alertmanager"][timetable.name]
    if timetable.same and not timetable.wobbles:
        return differences(there, here, late=timetable.late) + wrong_reasons(here)
    lines = timetable.told if timetable.claxon is None else timetable.claxon
    found = _answers(timetable.claxon_answers or timetable.answers, here) + wrong_reasons(here)
    return found + unexpected(lines, here, within_s=_within(timetable))


def of_the_notifier(timetable: Timetable, outcomes: Outcomes) -> list[str]:
    """Return where the notifier alone does something else than Alertmanager with what chance wrote."""
    if timetable not in RANDOM:
        return []
    there, here = outcomes["alertmanager"][timetable.name], play_virtually(timetable)
    here.answers = there.answers  # nothing was asked over HTTP
    return differences(there, here) + wrong_reasons(here)


def played(
    timetables: Sequence[Timetable],
    folder: Path,
    *,
    kinds: Sequence[str],
    judges: Iterable[Callable[[Timetable, Outcomes], list[str]]],
) -> Outcomes:
    """Play timetables; those of which a judge has something to say are played again, at most twice."""
    outcomes: dict[str, dict[str, Outcome]] = {kind: {} for kind in kinds}
    left = list(timetables)
    for i in range(TRIES):
        place = folder / str(i)
        place.mkdir()
        for kind, found in play(left, place, kinds=kinds).items():
            outcomes[kind].update(found)
        left = [one for one in left if any(judge(one, outcomes) for judge in judges)]
        if not left:
            break
    return outcomes


def _answers(expected: tuple[int, ...] | None, outcome: Outcome) -> list[str]:
    if outcome.fault:
        return [outcome.fault]
    expected = expected if expected is not None else (200,) * len(outcome.answers)
    return [] if tuple(outcome.answers) == expected else [f"answers: {outcome.answers}: not {list(expected)}"]


def _within(timetable: Timetable) -> float:
    return TOLERANCE_S + timetable.late
