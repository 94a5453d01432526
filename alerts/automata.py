"""Patterns as trees: said in Python's words where that is safe, run as an automaton where it is not.

Python tries one way after another; for `(a+)+b` there are 2^n of them, and a label of 60 letters would stop Claxon. An
automaton goes all ways at once, in time that grows with the value alone, as RE2 does.

≠ how a pattern is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

MAX_SIZE = 2_000
"""Steps of an automaton; counted repetitions are written out in it."""

_MAX_LOOPS = 2
_MAX_CHOICES = 8


@dataclass(frozen=True, slots=True)
class One:
    """One character of a set, or a place that takes none, as Python writes it."""

    said: str
    takes: bool = True


@dataclass(frozen=True, slots=True)
class Many:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """The same again and again; `high` None is without end."""

    node: Node
    low: int
    high: int | None


Node: TypeAlias = One | Many | Either | Times


def python_pattern(node: Node) -> str:
    """Return the pattern that Python reads as this tree."""
    match node:
        case One(said=said):
            return said
        case Many(parts=parts):
            return "".join(map(python_pattern, parts))
        case Either(options=options):
            return f"(?:{'|'.join(map(python_pattern, options))})"
    high = "" if node.high is None else node.high
    return f"(?:{python_pattern(node.node)}){{{node.low},{high}}}"


def is_safe(node: Node) -> bool:
    """Whether Python surely comes to an end: few choices, and none of them within a repetition."""
    loops, choices, nested = _choices(node)
    return loops <= _MAX_LOOPS and choices <= _MAX_CHOICES and not nested


def _choices(node: Node) -> tuple[int, int, bool]:
    """Return how many repetitions have no end, how many choices there are, and whether one is within a repetition."""
    match node:
        case One():
            return 0, 0, False
        case Many(parts=inner):
            return _sum(inner, choices=0)
        case Either(options=inner):
            return _sum(inner, choices=1)
    loops, choices, nested = _choices(node.node)
    again = node.high is None or node.high > 1
    return loops + (node.high is None), choices + (node.low != node.high), nested or (again and choices > 0)


def _sum(nodes: tuple[Node, ...], *, choices: int) -> tuple[int, int, bool]:
    found = [_choices(node) for node in nodes]
    return (
        sum(loops for loops, _, _ in found),
        choices + sum(inner for _, inner, _ in found),
        any(nested for _, _, nested in found),
    )


def size(node: Node) -> int:
    """Return how many steps an automaton of a tree has, about."""
    match node:
        case One():
            return 1
        case Many(parts=inner) | Either(options=inner):
            return 2 * len(inner) + sum(map(size, inner))
    return (size(node.node) + 2) * max(node.low + 1, node.high or 0)


class Automaton:
    """A pattern that is matched in one pass over a value."""

    def __init__(self, node: Node) -> None:
        self._ones: list[re.Pattern[str] | None] = []
        self._takes: list[bool] = []
        self._next: list[list[int]] = []
        self._first = self._add(node, self._step(None))

    def matches(self, value: str) -> bool:
        """Whether it matches a whole value."""
        here = self._reach([self._first], value, 0)
        for at, char in enumerate(value):
            taken = [step for step in here if (one := self._taking(step)) is not None and one.match(char)]
            here = self._reach([after for step in taken for after in self._next[step]], value, at + 1)
        return 0 in here

    def _taking(self, step: int) -> re.Pattern[str] | None:
        return self._ones[step] if self._takes[step] else None

    def _reach(self, steps: list[int], value: str, at: int) -> set[int]:
        """Return the steps that one comes to without taking a character."""
        found: set[int] = set()
        waiting = list(steps)
        while waiting:
            step = waiting.pop()
            if step in found:
                continue
            found.add(step)
            one = self._ones[step]
            if not self._takes[step] and (one is None or one.match(value, at)):
                waiting += self._next[step]
        return found

    # ── how it is built: from the end, each step knowing those after it; step 0 is the end ────────────────────────

    def _step(self, one: One | None, *after: int) -> int:
        self._ones.append(None if one is None else re.compile(one.said))
        self._takes.append(one is not None and one.takes)
        self._next.append(list(after))
        return len(self._next) - 1

    def _add(self, node: Node, after: int) -> int:
        """Return the first step of a tree, after whose last one comes `after`."""
        match node:
            case One():
                return self._step(node, after)
            case Many(parts=parts):
                for part in reversed(parts):
                    after = self._add(part, after)
                return after
            case Either(options=options):
                return self._step(None, *(self._add(option, after) for option in options))
        return self._repeat(node, after)

    def _repeat(self, times: Times, after: int) -> int:
        end = after
        if times.high is None:
            after = self._step(None, end)
            self._next[after].append(self._add(times.node, after))
        for _ in range((times.high or times.low) - times.low):
            after = self._step(None, end, self._add(times.node, after))
        for _ in range(times.low):
            after = self._add(times.node, after)
        return after
