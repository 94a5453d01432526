"""Matchers in Alertmanager's grammar: =  !=  =~  !~ ; regular expressions match the whole value.

Alertmanager has an old grammar and a new one; what both read, it reads by the old one. So does this.

≠ routes, silences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .errors import MatcherError
from .patterns import Pattern, PatternError, compile_pattern
from .problems import shown

OPERATORS = ("=", "!=", "=~", "!~")

_OLD = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL)
_RESERVED = r"\s{}!=~,\\\"'`"
_NEW_TERM = rf'("(?:[^"\\]|\\.)*"|[^{_RESERVED}]+)'
_NEW = re.compile(rf"\s*{_NEW_TERM}\s*(=~|=|!=|!~)\s*{_NEW_TERM}\s*", re.DOTALL)
_IS_RESERVED = re.compile(rf"[{_RESERVED}]")
_FORM = 'write name="value", name!="v", name=~"regex" or name!~"regex"'
_GO_ESCAPE = re.compile(
    r'\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.)|$)', re.DOTALL
)
_GO_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; an absent label counts as empty."""

    name: str
    operator: str
    value: str
    _pattern: Pattern | None = field(default=None, compare=False, repr=False)

    def matches(self, value: str) -> bool:
        """Whether the condition is true for this value of its label."""
        if self._pattern is not None:
            return self._pattern.matches(value) == (self.operator == "=~")
        return (value == self.value) == (self.operator == "=")

    def __str__(self) -> str:
        if _IS_RESERVED.search(self.name) or not self.name:
            return f"{_go_quoted(self.name)}{self.operator}{_go_quoted(self.value)}"
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
        return Matcher(name, operator, value, compile_pattern(value))
    except PatternError as fault:
        raise MatcherError(f"{name}{operator}{shown(value)}: not a regular expression: {fault}") from fault


def parse_matcher(text: str) -> Matcher:
    """Return the matcher written as `name="value"`; the quotes of the value may be left out.

    Raises:
        MatcherError: It is not of that form.
    """
    if text.startswith("{") or text.endswith("}"):
        raise MatcherError(f"{shown(text)}: not a matcher: leave the braces out")
    try:
        return _old(text)
    except MatcherError as fault:
        found = _new(text)
        if found is None:
            raise fault from None
        if len(found) != 1:
            raise MatcherError(f"{shown(text)}: {len(found)} matchers: write each alone") from None
        return found[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of one text, with or without braces: `a="b",c=~"d"`, `{a="b"}`; none for "" and "{}".

    Raises:
        MatcherError: It is not of that form.
    """
    try:
        return tuple(_old(part) for part in _old_parts(text))
    except MatcherError as fault:
        found = _new(text)
        if found is None:
            raise fault from None
        return found


def all_match(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    """Whether every matcher is true for a label set."""
    return all(m.matches(labels.get(m.name, "")) for m in matchers)


def sorted_matchers(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Return matchers in Alertmanager's order: by name, value, operator."""
    return tuple(sorted(matchers, key=lambda m: (m.name, m.value, OPERATORS.index(m.operator))))


def matchers_text(matchers: Iterable[Matcher]) -> str:
    """Return matchers as Alertmanager writes those of a route: `{app="chat",severity=~"page|ticket"}`."""
    return "{" + ",".join(map(str, sorted_matchers(matchers))) + "}"


# ── the old grammar ───────────────────────────────────────────────────────────


def _old_parts(text: str) -> list[str]:
    """Return the texts between the commas that no quotes enclose."""
    parts, part = [], ""
    quoted = escaped = False
    for char in text.removeprefix("{").removesuffix("}"):
        if char == "," and not quoted:
            parts.append(part)
            part = ""
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
        part += char
    return [*parts, part] if part.strip() else parts


def _old(text: str) -> Matcher:
    form = _OLD.fullmatch(text)
    if form is None:
        raise MatcherError(f"{shown(text)}: not a matcher: {_FORM}")
    name, operator, raw = form.groups()
    quoted = raw.startswith('"')
    value, closed = _old_value(raw[1:] if quoted else raw)
    if closed != quoted:
        raise MatcherError(f'{shown(text)}: the value is not closed by a quote: write {name}{operator}"value"')
    return make_matcher(name, operator, value)


def _old_value(raw: str) -> tuple[str, bool | None]:
    """Return what a value means, and whether a quote ends it; None where one stands elsewhere."""
    said, at = "", 0
    while at < len(raw):
        char, following = raw[at], raw[at + 1 : at + 2]
        if char == '"':
            return said, True if not following else None
        if char == "\\" and following:
            # A backslash before anything else is a backslash.
            said += {"n": "\n", '"': '"', "\\": "\\"}.get(following, char + following)
            at += 2
        else:
            said, at = said + char, at + 1
    return said, False


# ── the new grammar ───────────────────────────────────────────────────────────


def _new(text: str) -> tuple[Matcher, ...] | None:
    """Return the matchers of a text; None if it is not of the new grammar.

    Raises:
        MatcherError: It is, but a regular expression in it is none.
    """
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        return None
    if inner.startswith("{"):
        inner = inner[1:-1]
    found: list[Matcher] = []
    at = 0
    while at < len(inner) and inner[at:].strip():
        form = _NEW.match(inner, at)
        if form is None or not (form.end() == len(inner) or inner[form.end()] == ","):
            return None
        name, value = _go_unquoted(form[1]), _go_unquoted(form[3])
        if name is None or value is None:
            return None
        found.append(make_matcher(name, form[2], value))
        at = form.end() + 1
    return tuple(found)


def _go_unquoted(term: str) -> str | None:
    """Return what a term means; None if Go reads no string in its quotes."""
    if not term.startswith('"'):
        return term
    try:
        said = _GO_ESCAPE.sub(_go_escape, term[1:-1])
        return None if "\n" in term else said.encode("utf-8", "surrogateescape").decode("utf-8")
    except ValueError:
        return None


def _go_escape(form: re.Match[str]) -> str:
    control, *codes, octal, _ = form.groups()
    if control is not None:
        return _GO_CONTROLS.get(control, control)
    code = next((int(digits, 16) for digits in codes if digits), int(octal, 8) if octal else -1)
    if code < 0 or 0xD800 <= code < 0xE000 or (octal and code > 0xFF):
        raise ValueError(form[0])
    # A byte may be a piece of a character.
    return chr(code + 0xDC00) if code > 0x7F and (codes[0] or octal) else chr(code)


def _go_quoted(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\"} | {char: f"\\{name}" for name, char in _GO_CONTROLS.items()}
    return '"' + "".join(escapes.get(char, char if char.isprintable() else _code(char)) for char in text) + '"'


def _code(char: str) -> str:
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
