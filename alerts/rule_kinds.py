"""The fields of each kind of rule, in one table: read, written back and described for editors.

≠ what a rule has beside its condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from . import conditions
from .budgets import Tier
from .conditions import KINDS, Budget, Condition, Of
from .errors import ConfigError
from .problems import Path, Problem, nearest, shown
from .rule_values import COUNT, DURATION, FINE_DURATION, FLAG, NUMBER, SHARE, ValueKind, choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a mapping in a rule file.

    Attributes:
        name: In the file.
        attribute: Of the record.
        value: What it holds.
        about: For people who write one, in a phrase.
        quiet: Not written when it is the default.
    """

    name: str
    attribute: str
    value: ValueKind
    about: str
    quiet: bool = False


TIER_FIELDS = (
    Field(name="burn", attribute="burn", value=NUMBER, about="how many times faster than the period allows"),
    Field(name="long", attribute="long_s", value=DURATION, about="the window that says it matters"),
    Field(name="short", attribute="short_s", value=DURATION, about="the window that says it still goes on"),
)

_CONFIDENCE = Field(
    name="confidence",
    attribute="confidence",
    value=SHARE,
    about="begin only when it is so sure that this is no chance; left out: the literal condition",
)

BURN_FIELDS = (
    Field(name="objective", attribute="objective", value=SHARE, about="the share of calls that must succeed"),
    Field(name="period", attribute="period_s", value=DURATION, about="the budget's period"),
    Field(name="min_exhausted", attribute="min_exhausted", value=COUNT, about="the floor, in the long window"),
    _CONFIDENCE,
)

MAX_FIELDS = (
    Field(name="max", attribute="max_count", value=COUNT, about="fires when more calls than this are exhausted"),
    Field(name="window", attribute="window_s", value=DURATION, about="in which they are counted; whole minutes"),
)

FIELDS: dict[str, tuple[Field, ...]] = {
    "any": (),
    "error_rate": (
        Field(name="of", attribute="of", value=choice(Of), about="what it is a share of"),
        Field(name="above", attribute="above", value=SHARE, about="fires when more than this share failed"),
        Field(name="window", attribute="window_s", value=DURATION, about="in which it is counted; whole minutes"),
        Field(name="min_failed", attribute="min_failed", value=COUNT, about="the floor, on failures"),
        _CONFIDENCE,
        Field(
            name="min_absorbed",
            attribute="min_absorbed",
            value=COUNT,
            about="with `of: attempts`: so many failures that a retry absorbed, and a call that succeeded",
            quiet=True,
        ),
    ),
    "consecutive": (
        Field(name="count", attribute="count", value=COUNT, about="failures in a row, of different calls"),
        Field(name="settle", attribute="settle_s", value=FINE_DURATION, about="the wait for successes that lie before"),
        Field(name="adaptive", attribute="adaptive", value=FLAG, about="ask for more where chance makes such runs"),
        Field(
            name="floor",
            attribute="floor",
            value=SHARE,
            about="with `adaptive`: the least share of failures that chance is reckoned with",
            quiet=True,
        ),
    ),
    "budget": (*BURN_FIELDS, *MAX_FIELDS),
    "parked": (
        Field(name="over", attribute="over_s", value=FINE_DURATION, about="a sleep that counts is longer"),
        Field(name="calls", attribute="calls", value=COUNT, about="so many calls at once"),
    ),
    "headroom": (
        Field(name="window", attribute="window_s", value=DURATION, about="over which the pace is taken"),
        Field(name="below", attribute="below", value=SHARE, about="looks only at what is left below this share"),
    ),
    "silent": (
        Field(name="after", attribute="after_s", value=DURATION, about="the silence"),
        Field(name="steady", attribute="steady_s", value=DURATION, about="how long it must have called before"),
        Field(name="per_minute", attribute="per_minute", value=NUMBER, about="attempts a minute that are steady"),
    ),
    "end_of_life": (Field(name="within", attribute="within_s", value=DURATION, about="how soon"),),
}
"""By kind of rule, but for `tiers` of a budget."""


# ── from a file ───────────────────────────────────────────────────────────────


class Problems:
    """Collects what is wrong."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def wrong(self, path: Path, text: str) -> None:
        """Note one thing."""
        self.found.append(Problem(path, text))

    def mapping(self, data: object, path: Path, remedy: str) -> Mapping[str, object] | None:
        """Return a mapping with names as keys; None, and a problem, for anything else."""
        if isinstance(data, Mapping):
            return {str(name): value for name, value in data.items()}
        self.wrong(path, f"{shown(data)}: {remedy}")
        return None

    def entries(self, data: object, path: Path, remedy: str) -> list[tuple[Path, object]]:
        """Return a list's entries, each with its path; a problem for anything else."""
        if isinstance(data, list):
            return [((*path, i), entry) for i, entry in enumerate(data)]
        self.wrong(path, f"{shown(data)}: {remedy}")
        return []

    def value(self, kind: ValueKind, data: object, path: Path) -> object:
        """Return what a value means; None, and a problem, if it cannot be taken."""
        try:
            return kind.read(data)
        except ConfigError as fault:
            self.wrong(path, str(fault))
            return None


def read_condition(kind: str, data: object, path: Path, problems: Problems, *, tiers: tuple[Tier, ...]) -> Condition:
    """Return a condition; what is wrong is collected, and stands as if it were left out.

    Args:
        kind: One of `KINDS`.
        data: What the file holds for it.
        path: Where that stands.
        problems: Collects what is wrong.
        tiers: Of a budget that names none.
    """
    record: type[Condition] = KINDS[kind]
    held = problems.mapping(data, path, _remedy(kind))
    if held is None:
        return record()
    if record is Budget:
        return _read_budget(held, path, problems, tiers=tiers)
    _refuse_unknown(held, [field.name for field in FIELDS[kind]], path, problems)
    return record(**_read_fields(held, FIELDS[kind], path, problems))


def _remedy(kind: str) -> str:
    names = [field.name for field in FIELDS[kind]]
    return f"expected a mapping of {', '.join(names)}; {{}} for the defaults" if names else "write {}"


def _refuse_unknown(held: Mapping[str, object], names: list[str], path: Path, problems: Problems) -> None:
    for name in held:
        if name not in names:
            remedy = nearest(name, names) if names else "it has none: leave it out"
            problems.wrong((*path, name), f"not a field of `{path[-1]}`: {remedy}")


def _read_fields(
    held: Mapping[str, object], known: tuple[Field, ...], path: Path, problems: Problems
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in known:
        if field.name in held:
            value = problems.value(field.value, held[field.name], (*path, field.name))
            if value is not None:
                found[field.attribute] = value
    return found


def _read_budget(held: Mapping[str, object], path: Path, problems: Problems, *, tiers: tuple[Tier, ...]) -> Condition:
    _refuse_unknown(held, [*(field.name for field in FIELDS["budget"]), "tiers"], path, problems)
    if "max" in held:
        for name in ("tiers", *(field.name for field in BURN_FIELDS)):
            if name in held:
                problems.wrong((*path, name), "stands beside `max`: a plain count has only max and window")
        return Budget(**_read_fields(held, MAX_FIELDS, path, problems))
    if "window" in held:
        problems.wrong((*path, "window"), "stands without `max`: a burn rate has the windows of its tiers")
    if "tiers" in held:
        tiers = tuple(_read_tiers(held["tiers"], (*path, "tiers"), problems))
    return Budget(**_read_fields(held, BURN_FIELDS, path, problems), tiers=tiers)


def _read_tiers(data: object, path: Path, problems: Problems) -> Iterator[Tier]:
    remedy = "expected a list such as [{burn: 14.4, long: 1h, short: 5m}]"
    for place, entry in problems.entries(data, path, remedy):
        held = problems.mapping(entry, place, "expected a mapping such as {burn: 14.4, long: 1h, short: 5m}")
        if held is None:
            continue
        for name in held:
            if name not in [field.name for field in TIER_FIELDS]:
                problems.wrong((*place, name), "not a field of a tier: one of burn, long, short")
        found = _read_fields(held, TIER_FIELDS, place, problems)
        for name in ("burn", "long"):
            if name not in held:
                problems.wrong(place, f"{name}: missing: a tier has burn, long and, if not a twelfth of it, short")
        if "burn" in found and "long_s" in found and ("short_s" in found or "short" not in held):
            yield Tier(**{"short_s": twelfth(found["long_s"]), **found})


def twelfth(long_s: int) -> int:
    """Return the short window of a tier that names none: a twelfth of the long one, in whole minutes."""
    return -(-long_s // 720) * 60


# ── back into a file ──────────────────────────────────────────────────────────


def write_condition(condition: Condition) -> dict[str, object]:
    """Return what a rule file holds for a condition."""
    kind = conditions.kind_of(condition)
    if not isinstance(condition, Budget):
        return _write_fields(condition, FIELDS[kind])
    if condition.max_count is not None:
        return _write_fields(condition, MAX_FIELDS)
    tiers = [_write_fields(tier, TIER_FIELDS) for tier in condition.tiers]
    return {**_write_fields(condition, BURN_FIELDS), "tiers": tiers}


_Record = TypeVar("_Record", Condition, Tier)


def _write_fields(record: _Record, known: tuple[Field, ...]) -> dict[str, object]:
    usual = {field.name: field.default for field in fields(record)}
    found: dict[str, object] = {}
    for field in known:
        value = getattr(record, field.attribute)
        if value is not None and not (field.quiet and value == usual[field.attribute]):
            found[field.name] = field.value.write(value)
    return found


def default_of(kind: str, field: Field) -> object:
    """Return what a field is when it is left out, as a file would hold it; None if that is nothing."""
    value = next(f.default for f in fields(KINDS[kind]) if f.name == field.attribute)
    return None if value is None or value is MISSING else field.value.write(value)
