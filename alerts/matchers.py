"""Matchers in Alertmanager's grammar: =  !=  =~  !~ ; regular expressions match the whole value.

≠ routes, silences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import MatcherError

_FORM = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; an absent label counts as empty."""

    name: str
    operator: str
    value: str
    _regex: re.Pattern[str] | None = field(default=None, compare=False, repr=False)

    def matches(self, value: str) -> bool:
        """Whether the condition is true for this value of its label."""
        if self._regex is not None:
            return (self._regex.fullmatch(value) is not None) == (self.operator == "=~")
        return (value == self.value) == (self.operator == "=")

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{escaped}"'


def make_matcher(name: str, operator: str, value: str) -> Matcher:
    """Return a matcher.

    Raises:
        MatcherError: The value is no regular expression where one is needed.
    """
    if operator not in ("=~", "!~"):
        return Matcher(name, operator, value)
    try:
        return Matcher(name, operator, value, re.compile(value))
    except (re.error, OverflowError, RecursionError) as fault:
        raise MatcherError(f"{name}{operator}{value!r}: not a regular expression: {fault}") from fault


def parse_matcher(text: str) -> Matcher:
    """Return the matcher written as `name="value"`; the quotes may be left out.

    Raises:
        MatcherError: It is not of that form.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise MatcherError(f'{text!r}: not a matcher: write name="value", name!="v", name=~"regex" or name!~"regex"')
    name, operator, raw = form.groups()
    quoted = _QUOTED.fullmatch(raw)
    if quoted is not None:
        raw = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), quoted[1], flags=re.DOTALL)
    elif '"' in raw or not raw:
        raise MatcherError(f'{text!r}: the value is not closed by a quote: write {name}{operator}"value"')
    return make_matcher(name, operator, raw)


def all_match(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    """Whether every matcher is true for a label set."""
    return all(m.matches(labels.get(m.name, "")) for m in matchers)
