"""What a query asks for: alerts, groups or silences.

≠ what is found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query

from alerts.errors import MatcherError
from alerts.matchers import Matcher, all_match, parse_matcher
from alerts.overview import Wanted
from alerts.patterns import Pattern, PatternError, compile_pattern

from ..problems import Problem

_YES = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})
_MOST = 100

Matchers = Annotated[
    list[str] | None, Query(alias="filter", description='Such as app="chat"; may be repeated: all must match')
]
Flag = Annotated[str, Query(max_length=20, description="true or false")]
Receiver = Annotated[str, Query(max_length=1000, description="A regular expression for the whole name of a receiver")]
ReceiverMatchers = Annotated[list[str] | None, Query(description="For labels of receivers, of which Claxon has none")]


def read_flag(text: str) -> bool:
    """Return whether a flag is set, by the words that Alertmanager knows for it; all others are false."""
    return text.lower() in _YES


def read_matchers(texts: Iterable[str] | None, where: str = "filter") -> tuple[Matcher, ...]:
    """Return the matchers of a query.

    Raises:
        Problem: One is none.
    """
    texts = list(texts or ())
    if len(texts) > _MOST:
        raise Problem(400, f"{where}: {len(texts)} matchers: at most {_MOST}")
    try:
        matchers = tuple(parse_matcher(text) for text in texts)
    except MatcherError as fault:
        raise Problem(400, f"{where}: {fault}") from fault
    return matchers


def read_wanted(
    matchers: Matchers = None,
    receiver: Receiver = "",
    active: Flag = "true",
    silenced: Flag = "true",
    inhibited: Flag = "true",
    muted: Flag = "true",
    unprocessed: Flag = "true",  # noqa: ARG001 — every alert is processed when it is taken
    receiver_matchers: ReceiverMatchers = None,
) -> Wanted | None:
    """Return which alerts are asked for; None if none can be, for no receiver has the labels that are asked for.

    Raises:
        Problem: The query makes no sense.
    """
    wanted = Wanted(
        matchers=read_matchers(matchers),
        receiver=_pattern(receiver),
        active=read_flag(active),
        silenced=read_flag(silenced),
        inhibited=read_flag(inhibited),
        muted=read_flag(muted),
    )
    return wanted if any_receiver(receiver_matchers) else None


def any_receiver(receiver_matchers: Iterable[str] | None) -> bool:
    """Whether receivers without labels match.

    Raises:
        Problem: One is no matcher.
    """
    return all_match(read_matchers(receiver_matchers, "receiver_matchers"), {})


def _pattern(text: str) -> Pattern | None:
    if not text:
        return None
    try:
        return compile_pattern(text)
    except PatternError as fault:
        raise Problem(400, f"receiver: {text[:100]!r}: not a regular expression: {fault}") from fault
