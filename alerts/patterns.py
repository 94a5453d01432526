"""Regular expressions as Alertmanager reads them: RE2's.

≠ what is matched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .automata import MAX_SIZE, Automaton, Either, Many, Node, One, Times, is_safe, python_pattern, size
from .errors import ConfigError

MAX_REPEATS = 1000
"""RE2's most in `x{n,m}`."""

MAX_DEPTH = 50
"""Groups in groups; RE2 allows 1000 and Python fewer."""

_CLASSES = {"d": "0-9", "s": "\\t\\n\\f\\r ", "w": "0-9A-Za-z_"}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_NOT_POSIX = {
    "alnum": "\\x00-/:-@\\[-`{-\\U0010ffff",
    "alpha": "\\x00-@\\[-`{-\\U0010ffff",
    "ascii": "\\x80-\\U0010ffff",
    "blank": "\\x00-\\x08\\n-\\x1f!-\\U0010ffff",
    "cntrl": " -~\\x80-\\U0010ffff",
    "digit": "\\x00-/:-\\U0010ffff",
    "graph": "\\x00- \\x7f-\\U0010ffff",
    "lower": "\\x00-`{-\\U0010ffff",
    "print": "\\x00-\\x1f\\x7f-\\U0010ffff",
    "punct": "\\x00- 0-9A-Za-z\\x7f-\\U0010ffff",
    "space": "\\x00-\\x08\\x0e-\\x1f!-\\U0010ffff",
    "upper": "\\x00-@\\[-\\U0010ffff",
    "word": "\\x00-/:-@\\[-^`{-\\U0010ffff",
    "xdigit": "\\x00-/:-@G-`g-\\U0010ffff",
}
_NOT_CLASSES = {"d": _NOT_POSIX["digit"], "w": _NOT_POSIX["word"], "s": "\\x00-\\x08\\v\\x0e-\\x1f!-\\U0010ffff"}
_PLACES = {"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": r"(?!(?a:\b))"}
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_REPEAT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_GROUP = re.compile(r"\(\?(?:P?<([A-Za-z0-9_]+)>|([imsU]*)(?:-([imsU]+))?([:)]))")
_HEX = re.compile(r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_POSIX_NAME = re.compile(r"\[:(\^?)([a-z]+):\]")


class PatternError(ConfigError):
    """A pattern that RE2 does not read, or that Claxon cannot read as it does."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """An expression that matches whole values, as RE2 does, and in about the time that RE2 takes."""

    _way: Callable[[str], object]

    def matches(self, value: str) -> bool:
        """Whether it matches a value from its beginning to its end."""
        return bool(self._way(value))


def compile_pattern(text: str) -> Pattern:
    """Return what matches what RE2 matches with `^(?:text)$`.

    Raises:
        PatternError: RE2 does not read it, or it names a Unicode class, or repeats too much.
    """
    node = _Translation(text).whole()
    if is_safe(node):
        return Pattern(re.compile(python_pattern(node)).fullmatch)
    if size(node) > MAX_SIZE:
        raise PatternError("repetitions of repetitions that are too large: write smaller numbers")
    return Pattern(Automaton(node).matches)


@dataclass(slots=True)
class _Translation:
    """One pass over a pattern; flags are written at each thing they change, for Python knows no flag in the middle."""

    text: str
    at: int = 0
    depth: int = 0
    flags: frozenset[str] = field(default_factory=frozenset)

    def whole(self) -> Node:
        said = self.alternatives()
        if self.at < len(self.text):
            raise PatternError("unexpected )")
        return said

    def alternatives(self) -> Node:
        """Return everything up to the end of the group, or of the pattern; flags set inside end with it."""
        flags, self.depth = self.flags, self.depth + 1
        if self.depth > MAX_DEPTH:
            raise PatternError(f"more than {MAX_DEPTH} groups in each other")
        options: list[list[Node]] = [[]]
        repeated = False
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] == "|":
                self.at += 1
                options.append([])
                repeated = False
            elif (times := self.repeat()) is not None:
                if not options[-1] or repeated:
                    raise PatternError("a repetition of a repetition, or of nothing")
                options[-1].append(Times(options[-1].pop(), *times))
                repeated = True
            elif pieces := self.pieces():
                options[-1] += pieces
                repeated = False
        self.flags, self.depth = flags, self.depth - 1
        found = tuple(Many(tuple(option)) for option in options)
        return found[0] if len(found) == 1 else Either(found)

    def repeat(self) -> tuple[int, int | None] | None:
        """Return how often, where a repetition stands here; None where none does."""
        here = self.text[self.at]
        if here in "*+?":
            self.at += 1
            times: tuple[int, int | None] = {"*": (0, None), "+": (1, None), "?": (0, 1)}[here]
        elif (form := _REPEAT.match(self.text, self.at)) is not None:
            low = int(form[1][:6])
            high = low if form[2] is None else int(form[3][:6]) if form[3] else None
            if max(low, high or 0) > MAX_REPEATS or (high is not None and low > high):
                raise PatternError(f"{form[0][:40]}: repeats at most {MAX_REPEATS} times, the smaller number first")
            self.at = form.end()
            times = (low, high)
        else:
            return None
        # Which of two matches is preferred does not matter: all that is asked is whether there is one.
        self.at += self.text.startswith("?", self.at)
        return times

    def pieces(self) -> tuple[Node, ...]:
        """Return what stands here; nothing for flags alone."""
        here = self.text[self.at]
        if here == "(":
            return self.group()
        if here == "[":
            return (self.char_class(),)
        if here == "\\":
            return self.escape()
        self.at += 1
        match here:
            case ".":
                return (One(r"[\x00-\U0010ffff]" if "s" in self.flags else r"[^\n]"),)
            case "^":
                return (One("(?m:^)" if "m" in self.flags else r"\A", takes=False),)
            case "$":
                return (One("(?m:$)" if "m" in self.flags else r"\Z", takes=False),)
        return (self.cased(re.escape(here)),)

    def cased(self, said: str) -> Node:
        return One(f"(?i:{said})" if "i" in self.flags else said)

    def group(self) -> tuple[Node, ...]:
        if not self.text.startswith("(?", self.at):
            self.at += 1
            return (self.rest_of_group(),)
        form = _GROUP.match(self.text, self.at)
        if form is None:
            raise PatternError(f"{self.text[self.at : self.at + 4]}: not in RE2: no lookaround, no other extension")
        self.at = form.end()
        if form[1] is not None:
            return (self.rest_of_group(),)
        before = self.flags
        self.flags = (self.flags | set(form[2])) - set(form[3] or "")
        if form[4] == ")":
            return ()
        said = self.rest_of_group()
        self.flags = before
        return (said,)

    def rest_of_group(self) -> Node:
        said = self.alternatives()
        if self.at >= len(self.text):
            raise PatternError("missing )")
        self.at += 1
        return said

    def escape(self) -> tuple[Node, ...]:
        following = self.text[self.at + 1 : self.at + 2]
        if following.lower() in _CLASSES:
            self.at += 2
            negated = "^" if following.isupper() else ""
            return (self.cased(f"[{negated}{_CLASSES[following.lower()]}]"),)
        if following in _PLACES:
            self.at += 2
            return (One(_PLACES[following], takes=False),)
        if following == "Q":
            return self.quoted()
        return (self.cased(re.escape(self.escaped_char())),)

    def quoted(self) -> tuple[Node, ...]:
        """Return what stands from \\Q to \\E, or to the end; a repetition after it is of its last character."""
        end = self.text.find(r"\E", self.at + 2)
        quoted = self.text[self.at + 2 : end if end >= 0 else len(self.text)]
        self.at = end + 2 if end >= 0 else len(self.text)
        return tuple(self.cased(re.escape(char)) for char in quoted)

    def escaped_char(self) -> str:
        """Return the character that a backslash and what follows stand for."""
        if form := _HEX.match(self.text, self.at + 1):
            self.at = form.end()
            return _char(int(form[1] or form[2], 16))
        if form := _OCTAL.match(self.text, self.at + 1):
            self.at = form.end()
            return _char(int(form[0], 8))
        following = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if following in ("p", "P"):
            raise PatternError(f"\\{following}: Unicode classes are not supported: write the letters, such as [a-zäöü]")
        if following in _CONTROLS:
            return _CONTROLS[following]
        if not following or not following.isascii() or following.isalnum():
            raise PatternError(f"\\{following}: no escape of RE2: write two backslashes for one")
        return following

    def char_class(self) -> Node:
        self.at += 1
        negated = self.text.startswith("^", self.at)
        self.at += negated
        said: list[str] = []
        first = True
        while first or not self.text.startswith("]", self.at):
            if self.at >= len(self.text):
                raise PatternError("missing ]")
            said.append(self.class_part())
            first = False
        self.at += 1
        return self.cased(f"[{'^' * negated}{''.join(said)}]")

    def class_part(self) -> str:
        if form := _POSIX_NAME.match(self.text, self.at):
            if form[2] not in _POSIX:
                raise PatternError(f"{form[0]}: no such class")
            self.at = form.end()
            return (_NOT_POSIX if form[1] else _POSIX)[form[2]]
        if self.text.startswith("\\", self.at) and self.text[self.at + 1 : self.at + 2].lower() in _CLASSES:
            name = self.text[self.at + 1]
            self.at += 2
            return _CLASSES[name] if name.islower() else _NOT_CLASSES[name.lower()]
        low = self.class_char()
        if not self.text.startswith("-", self.at) or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return re.escape(low)
        self.at += 1
        high = self.class_char()
        if high < low:
            raise PatternError(f"{low}-{high}: a range that ends before it begins")
        return f"{re.escape(low)}-{re.escape(high)}"

    def class_char(self) -> str:
        if self.text.startswith("\\", self.at):
            return self.escaped_char()
        self.at += 1
        return self.text[self.at - 1]


def _char(code: int) -> str:
    if code > 0x10FFFF:
        raise PatternError(f"{code:#x}: no character has this number")
    return chr(code)
