"""One entry of `events` -> Series or Restart.

≠ expectations, rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from math import ceil

import msgspec
from claxon.event import FIELDS, Event, EventError, complete, shown

from ..problems import Path
from .reading import Entry, Reader
from .records import Restart, Series, Step, Template

MAX_EVENTS = 1_000_000
"""Of one series."""

MODEL = "claude-sonnet-5"
"""The model of events that name none."""

_SERIES = ("at", "every", "until", "times", "burst", "failing", "late", "ahead", "observed_at")
_RESTART = ("at", "restart", "pause")
_OURS = ("time",)  # said by `at`
_BOTH = "write one of them"


def read_step(reader: Reader, data: object, path: Path, *, defaults: Entry) -> Step | None:
    """Return what an entry of `events` means; None where it cannot be read.

    Args:
        reader: Notes what is wrong.
        data: The entry.
        path: Its path.
        defaults: Fields of every event, checked already.
    """
    entry = reader.filled(data, path, "a mapping, such as {at: 0s, status: 500}")
    if not entry:
        return None
    if "at" not in entry:
        reader.wrong(path, "at: missing: write when the attempt ended, such as at: 30s")
    at = reader.offset(entry.get("at", 0), (*path, "at"))
    if "restart" in entry or "pause" in entry:
        return _restart(reader, entry, path, at)
    return _series(reader, entry, path, at, defaults)


def _restart(reader: Reader, entry: Entry, path: Path, at: float) -> Restart:
    reader.known(entry, path, _RESTART)
    reader.true(entry.get("restart", True), (*path, "restart"))
    return Restart(path=path, at=at, pause=reader.offset(entry.get("pause", 0), (*path, "pause")))


def _series(reader: Reader, entry: Entry, path: Path, at: float, defaults: Entry) -> Series:
    every, times = _instants(reader, entry, path, at)
    burst = reader.whole(entry.get("burst", 1), (*path, "burst"), least=1)
    if times * burst > MAX_EVENTS:
        reader.wrong(path, f"{times * burst} events: at most {MAX_EVENTS}: write fewer, or further apart")
        times = burst = 1
    delay, observed_at = _arrival(reader, entry, path)
    fields = {name: value for name, value in entry.items() if name not in _SERIES}
    usual = _template(reader, fields, path, defaults)
    failing, share = _failing(reader, entry, path, {**defaults, **fields})
    return Series(
        path=path,
        at=at,
        every=every,
        times=times,
        burst=burst,
        usual=usual,
        failing=failing,
        share=share,
        delay=delay,
        observed_at=observed_at,
    )


def _instants(reader: Reader, entry: Entry, path: Path, at: float) -> tuple[float, int]:
    """Return the time between two instants, and how many instants there are."""
    if "every" not in entry:
        for name in ("until", "times"):
            if name in entry:
                reader.wrong((*path, name), "without every: write how far apart the events are, such as every: 3s")
        return 0.0, 1
    every = reader.offset(entry["every"], (*path, "every"), otherwise=1.0)
    last = reader.one_of(entry, path, ("until", "times"))
    if every <= 0:
        reader.wrong((*path, "every"), "more than 0s; for several events at once write burst")
        return 0.0, 1
    if last == "times":
        return every, reader.whole(entry["times"], (*path, "times"), least=1)
    if not last:
        return every, 1
    until = reader.offset(entry["until"], (*path, "until"), otherwise=at + every)
    if until <= at:
        reader.wrong((*path, "until"), "not after at, so there is no event: write a later instant")
        return every, 1
    # The instant `until` is left out, so that the next series can begin there.
    return every, ceil((until - at) / every - 1e-9)


def _arrival(reader: Reader, entry: Entry, path: Path) -> tuple[float, float | None]:
    """Return how long after its end an event arrives, or when all arrive at once."""
    said = [name for name in ("late", "ahead", "observed_at") if name in entry]
    if len(said) > 1:
        reader.wrong(path, f"{' and '.join(said)}: {_BOTH}")
    if "observed_at" in entry:
        return 0.0, reader.offset(entry["observed_at"], (*path, "observed_at"))
    late = reader.offset(entry.get("late", 0), (*path, "late"))
    return late - reader.offset(entry.get("ahead", 0), (*path, "ahead")), None


def _failing(reader: Reader, entry: Entry, path: Path, fields: Entry) -> tuple[Template | None, Fraction]:
    if "failing" not in entry:
        return None, Fraction(0)
    inside = (*path, "failing")
    failing = reader.mapping(entry["failing"], inside, "a mapping, such as {share: 5%, status: 500}")
    if "share" not in failing:
        reader.wrong(inside, "share: missing: write which part of the events this is, such as share: 5%")
    own = {name: value for name, value in failing.items() if name != "share"}
    return _template(reader, own, inside, fields), reader.share(failing.get("share", 1), (*inside, "share"))


# ── events ────────────────────────────────────────────────────────────────────


def read_defaults(reader: Reader, data: object, path: Path) -> Entry:
    """Return the fields of every event, those that can be read."""
    fields = reader.mapping(data, path, "a mapping of the fields of every event")
    before = len(reader.problems)
    _template(reader, fields, path, {})
    return _texts(fields) if len(reader.problems) == before else {}


def _template(reader: Reader, fields: Entry, path: Path, more: Entry) -> Template:
    """Return the template of an entry's own fields and what it takes over; only its own are checked one by one."""
    fields = _texts(fields)
    checked = {name: value for name, value in fields.items() if _good(reader, name, value, (*path, name))}
    whole = {"model": MODEL, **more, **checked}
    resets, whole["ratelimit"] = _resets(reader, whole.get("ratelimit"), (*path, "ratelimit"))
    event = msgspec.convert({name: value for name, value in whole.items() if value is not None}, Event)
    numbered = {name: value for name, value in whole.items() if isinstance(value, str) and "{n}" in value}
    template = Template(event=event, numbered=numbered, resets=resets)
    try:
        complete(template.make(1, 0.0), received_at=0.0)
    except EventError as fault:
        reader.wrong((*path, fault.field) if fault.field in fields else path, str(fault))
    return template


def _texts(fields: Entry) -> Entry:
    """Return fields with the texts that YAML takes for dates: an event's `model_end_of_life` is a text."""
    return {name: value.isoformat() if type(value) is date else value for name, value in fields.items()}


def _good(reader: Reader, name: str, value: object, path: Path) -> bool:
    if name not in FIELDS or name in _OURS:
        reader.wrong(path, f"no field of an event: one of {', '.join(f for f in FIELDS if f not in _OURS)}")
        return False
    probe: dict[str, object] = {"model": MODEL, name: value}
    if name == "ratelimit" and isinstance(value, Mapping):
        probe[name] = {k: v for k, v in value.items() if not (_is_reset(k) and isinstance(v, str))}
    try:
        msgspec.convert({n: v for n, v in probe.items() if v is not None}, Event)
    except msgspec.ValidationError:
        reader.wrong(path, f"{shown(value)}: expected {FIELDS[name]}")
        return False
    return True


def _is_reset(name: object) -> bool:
    return str(name).endswith("_reset")


def _resets(reader: Reader, ratelimit: object, path: Path) -> tuple[dict[str, float], object]:
    """Return how long after each event a limit is full again, and what else is said of the limits."""
    if not isinstance(ratelimit, Mapping):
        return {}, None
    after = {name: value for name, value in ratelimit.items() if _is_reset(name) and isinstance(value, str)}
    rest = {name: value for name, value in ratelimit.items() if name not in after}
    return {str(name): reader.offset(value, (*path, str(name))) for name, value in after.items()}, rest
