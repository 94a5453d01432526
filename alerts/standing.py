"""Standing: one alert as several partitions say it; it fires while it fires in any of them.

≠ who is told, what else is on the board.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum

import msgspec

from .decisions import Transition
from .evidence import MAX_SAMPLES, Evidence
from .lifecycle import Alert, Change, State, Value


class Standing(msgspec.Struct, kw_only=True):
    """One alert.

    Attributes:
        alert: As people see it; its episodes are counted here, as those of any one partition are not all.
        parts: As the partitions said it last in which it is pending or fires.
    """

    alert: Alert
    parts: dict[int, Alert] = msgspec.field(default_factory=dict)


class _Level(IntEnum):
    INACTIVE = 0
    PENDING = 1
    KEPT = 2
    FIRING = 3


_STEPS: dict[tuple[_Level, _Level], tuple[Change, ...]] = {
    (_Level.INACTIVE, _Level.PENDING): (Change.PENDING,),
    (_Level.INACTIVE, _Level.KEPT): (Change.FIRED, Change.KEPT),
    (_Level.INACTIVE, _Level.FIRING): (Change.FIRED,),
    (_Level.PENDING, _Level.INACTIVE): (Change.CALMED,),
    (_Level.PENDING, _Level.KEPT): (Change.FIRED, Change.KEPT),
    (_Level.PENDING, _Level.FIRING): (Change.FIRED,),
    (_Level.KEPT, _Level.INACTIVE): (Change.RESOLVED,),
    (_Level.KEPT, _Level.PENDING): (Change.RESOLVED, Change.PENDING),
    (_Level.KEPT, _Level.FIRING): (Change.HELD,),
    (_Level.FIRING, _Level.INACTIVE): (Change.RESOLVED,),
    (_Level.FIRING, _Level.PENDING): (Change.RESOLVED, Change.PENDING),
    (_Level.FIRING, _Level.KEPT): (Change.KEPT,),
}


def moved(standing: Standing, partition: int, transition: Transition) -> Iterator[tuple[Change, Alert]]:
    """Take what changed in one partition; yield what changes by it, each with the alert as it is from then on.

    A partition that says the same twice changes nothing.
    """
    said, before = transition.alert, _level([standing.alert])
    if said.state is State.INACTIVE:
        standing.parts.pop(partition, None)
    else:
        standing.parts[partition] = said
    after = _level(standing.parts.values())
    if before is after and after is not _Level.INACTIVE:
        standing.alert = _whole(standing.alert, standing.parts.values())
    for change in _STEPS.get((before, after), ()):
        standing.alert = _changed(standing, change, transition)
        yield change, msgspec.structs.replace(standing.alert)


def _level(parts: Collection[Alert]) -> _Level:
    return max((_level_of(alert) for alert in parts), default=_Level.INACTIVE)


def _level_of(alert: Alert) -> _Level:
    match alert.state:
        case State.INACTIVE:
            return _Level.INACTIVE
        case State.PENDING:
            return _Level.PENDING
        case State.FIRING:
            return _Level.KEPT if alert.kept_at is not None else _Level.FIRING


def _changed(standing: Standing, change: Change, transition: Transition) -> Alert:
    known = standing.alert
    match change:
        case Change.RESOLVED | Change.CALMED:
            # As the last partition said it; when it began, and who looks after it, is of all of them.
            ended = transition.alert
            return msgspec.structs.replace(
                ended,
                state=State.INACTIVE,
                active_at=None,
                kept_at=None,
                resolved_at=transition.at if change is Change.RESOLVED else ended.resolved_at,
                fired_at=known.fired_at if change is Change.RESOLVED else ended.fired_at,
                **_ours(known, known.episode),
            )
        case Change.FIRED:
            begun = _whole(known, standing.parts.values())
            return msgspec.structs.replace(
                begun,
                fired_at=_lead(standing.parts.values()).fired_at,
                acked_by="",
                acked_at=None,
                episode=known.episode + 1,
            )
        case _:
            return _whole(known, standing.parts.values())


def _ours(known: Alert, episode: int) -> dict[str, object]:
    return {"episode": episode, "acked_by": known.acked_by, "acked_at": known.acked_at}


def _whole(known: Alert, parts: Collection[Alert]) -> Alert:
    """Return what several partitions say of an alert as one; of one that fires, with the beginning that is known."""
    lead = _lead(parts)
    changes: dict[str, object] = _ours(known, known.episode)
    if known.state is State.FIRING:
        changes["fired_at"] = known.fired_at
    if len(parts) > 1:
        changes["last_at"] = max(part.last_at for part in parts)
        changes["value"] = _value(lead, parts)
        changes["evidence"] = _evidence(part.evidence for part in parts)
        if _level(parts) is _Level.KEPT:
            changes["kept_at"] = max(part.kept_at for part in parts if part.kept_at is not None)
    return msgspec.structs.replace(lead, **changes)


def _lead(parts: Collection[Alert]) -> Alert:
    """Return the part that is worst, of those the one that began first."""
    return min(parts, key=lambda part: (-_level_of(part), part.fired_at or part.active_at or 0.0, part.episode))


def _value(lead: Alert, parts: Iterable[Alert]) -> Value:
    """Return what was measured where it is worst; matches are counted in all, for each is in one partition."""
    firing = [part for part in parts if part.state is State.FIRING]
    if "streak" in lead.value or not all("count" in part.value for part in (lead, *firing)):
        return lead.value
    return lead.value | {"count": sum(part.value["count"] for part in firing)}


def _evidence(parts: Iterable[Evidence]) -> Evidence:
    found = [part for part in parts if part.failures]
    if not found:
        return Evidence()
    whole = Evidence(
        first_at=min(part.first_at for part in found),
        last_at=max(part.last_at for part in found),
        failures=sum(part.failures for part in found),
    )
    for part in found:
        for counts, more in ((whole.errors, part.errors), (whole.categories, part.categories)):
            for name, n in more.items():
                counts[name] = counts.get(name, 0) + n
    whole.samples = sorted((s for part in found for s in part.samples), key=lambda s: s.at)[:MAX_SAMPLES]
    return whole


def refreshed(standing: Standing, partition: int, latest: Alert) -> None:
    """Take what a partition measures of an alert by now, if it is still as that partition said last."""
    said = standing.parts.get(partition)
    if said is None or (said.state, said.episode) != (latest.state, latest.episode):
        return
    standing.parts[partition] = msgspec.structs.replace(
        said, value=latest.value, peak=latest.peak, evidence=latest.evidence, last_at=max(said.last_at, latest.last_at)
    )
    standing.alert = _whole(standing.alert, standing.parts.values())
