"""What a change of the rules adds, removes and moves.

Episodes of the same labels that overlap are the same one; each is paired at most once, the earliest first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

from .outcome import Episode, Outcome, Told


@dataclass(slots=True, kw_only=True)
class Moved:
    """An episode that both have, and that is not the same in both.

    Attributes:
        before: As the rules that stand make it.
        after: As the changed ones make it.
    """

    before: Episode
    after: Episode

    @property
    def starts_later_s(self) -> float:
        """How much later it starts; negative is earlier."""
        return self.after.starts_at - self.before.starts_at

    @property
    def ends_later_s(self) -> float | None:
        """How much later it ends; None when either still fires at the end."""
        if self.after.ends_at is None or self.before.ends_at is None:
            return None
        return self.after.ends_at - self.before.ends_at


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What a change of the rules does.

    Attributes:
        added: Episodes that only the changed rules make.
        removed: Episodes that only the rules that stand make.
        moved: Episodes with another start, end, or other receivers.
        same: How many stay as they are.
        told_more: Notifications that only the changed rules send.
        told_less: Notifications that only the rules that stand send.
        told_moved: Those of the same episode, receiver and status at another instant: (before, after).
    """

    added: list[Episode] = field(default_factory=list)
    removed: list[Episode] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    same: int = 0
    told_more: list[Told] = field(default_factory=list)
    told_less: list[Told] = field(default_factory=list)
    told_moved: list[tuple[Told, Told]] = field(default_factory=list)


def compare(before: Outcome, after: Outcome) -> Comparison:
    """Return what the change from one to the other does, in order of time."""
    result = Comparison()
    old_told, new_told = _by_episode(before), _by_episode(after)
    old, new = _by_labels(before), _by_labels(after)
    for name in [*old, *(name for name in new if name not in old)]:
        for was, becomes in _pairs(old.get(name, []), new.get(name, [])):
            _sort_episode(result, was, becomes)
            _sort_told(result, old_told[_name(was)], new_told[_name(becomes)])
    for episodes in (result.added, result.removed):
        episodes.sort(key=lambda episode: episode.starts_at)
    result.moved.sort(key=lambda moved: moved.before.starts_at)
    for messages in (result.told_more, result.told_less):
        messages.sort(key=lambda told: told.at)
    result.told_moved.sort(key=lambda pair: pair[0].at)
    return result


def _sort_episode(result: Comparison, was: Episode | None, becomes: Episode | None) -> None:
    if was is None:
        assert becomes is not None
        result.added.append(becomes)
    elif becomes is None:
        result.removed.append(was)
    elif _shape(was) == _shape(becomes):
        result.same += 1
    else:
        result.moved.append(Moved(before=was, after=becomes))


def _sort_told(result: Comparison, was: list[Told], becomes: list[Told]) -> None:
    left = {(told.receiver, told.status): told for told in was}
    for told in becomes:
        earlier = left.pop((told.receiver, told.status), None)
        if earlier is None:
            result.told_more.append(told)
        elif earlier.at != told.at:
            result.told_moved.append((earlier, told))
    result.told_less += left.values()


def _pairs(old: list[Episode], new: list[Episode]) -> Iterator[tuple[Episode | None, Episode | None]]:
    """Yield the episodes of one label set, both of those that overlap together."""
    i = j = 0
    while i < len(old) and j < len(new):
        was, becomes = old[i], new[j]
        if _end(was) < becomes.starts_at:
            yield was, None
            i += 1
        elif _end(becomes) < was.starts_at:
            yield None, becomes
            j += 1
        else:
            yield was, becomes
            i, j = i + 1, j + 1
    yield from ((was, None) for was in old[i:])
    yield from ((None, becomes) for becomes in new[j:])


def _end(episode: Episode) -> float:
    return inf if episode.ends_at is None else episode.ends_at


def _shape(episode: Episode) -> tuple[float, float | None, tuple[str, ...]]:
    return episode.starts_at, episode.ends_at, tuple(episode.receivers)


def _name(episode: Episode | None) -> tuple[str, int]:
    return ("", 0) if episode is None else (episode.fingerprint, episode.episode)


def _by_labels(outcome: Outcome) -> dict[str, list[Episode]]:
    found: dict[str, list[Episode]] = defaultdict(list)
    for episode in outcome.alerts:
        found[episode.fingerprint].append(episode)
    return found


def _by_episode(outcome: Outcome) -> dict[tuple[str, int], list[Told]]:
    found: dict[tuple[str, int], list[Told]] = defaultdict(list)
    for told in outcome.notifications:
        found[told.fingerprint, told.episode].append(told)
    return found
