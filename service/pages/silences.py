"""The silences' page, and the form that makes one: what is asked, what it would hide.

≠ HTTP, how a silence is put in force.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from alerts.durations import format_duration, parse_duration
from alerts.labels import Labels
from alerts.matchers import Matcher, make_matcher, parse_matcher, sorted_matchers
from alerts.silences import Silence, SilenceMatcher

from ..preview import Preview
from ..silence_views import Silences, SilenceView

LENGTHS_S = (1800, 3600, 7200, 14_400, 28_800, 86_400, 259_200, 604_800, 2_592_000)
USUAL = "2h"

MAX_MATCHERS = 4000
MAX_COMMENT = 1000
MAX_LINES = 32

_NAMES = ("matchers", "begins", "for", "by", "comment", "previewed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wrote into the form.

    Attributes:
        fields: As they were written, for the form to show again.
        matchers: What was understood of them, in order.
        begins_at: Unix seconds; None is at once.
        lasts_s: How long.
        problem: What was not understood; "" is nothing.
    """

    fields: dict[str, str]
    matchers: tuple[Matcher, ...] = ()
    begins_at: float | None = None
    lasts_s: float = 0.0
    problem: str = ""

    @property
    def previewed(self) -> bool:
        """Whether the form showed what these matchers hide."""
        return self.fields["previewed"] == named(self.matchers)

    def silence(self, *, now: float) -> Silence:
        """Return the silence that is asked for."""
        begins_at = self.begins_at if self.begins_at is not None else now
        return Silence(
            id="",
            matchers=[_silence_matcher(m) for m in self.matchers],
            starts_at=begins_at,
            ends_at=max(begins_at, now) + self.lasts_s,
            updated_at=now,
            created_by=self.fields["by"],
            comment=self.fields["comment"],
        )


def named(matchers: tuple[Matcher, ...]) -> str:
    """Return 16 hex digits for matchers, the same in whatever order they were written."""
    return hashlib.sha256("\n".join(map(str, sorted_matchers(matchers))).encode()).hexdigest()[:16]


def _silence_matcher(matcher: Matcher) -> SilenceMatcher:
    return SilenceMatcher(
        name=matcher.name,
        value=matcher.value,
        is_regex=matcher.operator in ("=~", "!~"),
        is_equal=matcher.operator in ("=", "=~"),
    )


def read(fields: Mapping[str, str]) -> Draft:
    """Return what a form asks for; the first thing that cannot be understood is said."""
    kept = {name: fields.get(name, "").replace("\r", "") for name in _NAMES}
    kept["matchers"] = kept["matchers"][:MAX_MATCHERS]
    kept["by"] = " ".join(kept["by"].split())[:100]
    kept["comment"] = " ".join(kept["comment"].split())[:MAX_COMMENT]
    draft = Draft(fields=kept)
    try:
        draft = replace(draft, matchers=read_matchers(kept["matchers"].split("\n")))
        draft = replace(draft, lasts_s=float(parse_duration(kept["for"] or USUAL)))
        return replace(draft, begins_at=_read_begin(kept["begins"]))
    except ValueError as fault:
        return replace(draft, problem=str(fault))


def read_matchers(lines: list[str]) -> tuple[Matcher, ...]:
    """Return the matchers of some lines; empty lines are passed over.

    Raises:
        MatcherError: A line is none.
        ValueError: There are none, or too many.
    """
    written = [line for line in lines if line.strip()]
    if not written:
        raise ValueError("matchers: none: name at least one label, or everything would be silent")
    if len(written) > MAX_LINES:
        raise ValueError(f"matchers: {len(written)}: at most {MAX_LINES}")
    return tuple(map(parse_matcher, written))


def _read_begin(text: str) -> float | None:
    """Return what a browser's field of date and time says, as UTC; None for "", which is now."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as fault:
        raise ValueError(f"begins: {text[:40]!r}: write a time such as 2026-11-25T22:00, in UTC") from fault
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def prefilled(labels: Labels, *, by: str) -> Draft:
    """Return the form for an alert: exactly its labels, so that nothing else is hidden unless somebody wants that."""
    order = ("alertname", "severity", "app", "environment")
    names = [*(n for n in order if n in labels), *(n for n in labels if n not in order)]
    matchers = tuple(make_matcher(name, "=", labels[name]) for name in names)
    return _draft(matchers, by=by, comment="")


def renewed(view: SilenceView, *, by: str) -> Draft:
    """Return the form for making a silence again that is over."""
    return _draft(read_matchers(view.matchers), by=by, comment=view.comment)


def _draft(matchers: tuple[Matcher, ...], *, by: str, comment: str) -> Draft:
    fields = dict.fromkeys(_NAMES, "") | {"for": USUAL, "by": by, "comment": comment}
    return Draft(fields=fields | {"matchers": "\n".join(map(str, matchers))}, matchers=matchers)


def empty(*, by: str) -> Draft:
    """Return the form with nothing in it."""
    return _draft((), by=by, comment="")


def lengths(longest_s: float) -> list[str]:
    """Return how long a silence may last, to choose from; 0 is for ever."""
    allowed = [n for n in LENGTHS_S if not longest_s or n <= longest_s]
    if longest_s and int(longest_s) not in allowed:
        allowed.append(int(longest_s))
    return [format_duration(n) for n in allowed]


def new_context(
    draft: Draft, found: Preview | None, *, clock: float, firing: int, longest_s: float, problem: str = ""
) -> dict[str, Any]:
    """Return what the form's template needs."""
    chosen = lengths(longest_s)
    wanted = draft.fields["for"] or USUAL
    return {
        "nav": "silences",
        "now": clock,
        "firing": firing,
        "fields": draft.fields,
        "problem": problem or draft.problem,
        "found": found,
        "previewed": named(draft.matchers),
        "lengths": chosen if wanted in chosen else [*chosen, wanted] if not draft.problem else chosen,
        "chosen": wanted,
        "longest": format_duration(int(longest_s)) if longest_s else "",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A list of silences under one heading."""

    state: str
    heading: str
    rows: list[SilenceView] = field(default_factory=list)


def context(found: Silences, *, clock: float, may: bool, known_as: str, problem: str = "") -> dict[str, Any]:
    """Return what the list's template needs."""
    return {
        "nav": "silences",
        "now": clock,
        "firing": found.firing,
        "parts": [
            Part(state="active", heading="In force", rows=found.active),
            Part(state="pending", heading="To come", rows=found.pending),
            Part(state="expired", heading="Over, in the last week", rows=found.expired),
        ],
        "hidden": len({name for view in found.active for name, _ in view.hides}),
        "lengths": lengths(found.longest_s),
        "may": may,
        "known_as": known_as,
        "problem": problem,
    }
