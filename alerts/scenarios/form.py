"""Form: what a file says -> scenarios, and all that is wrong with it.

A file is one scenario, or a list `scenarios` beside what they share. ≠ YAML; files are read by
functions that the caller brings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import TypeVar

from ..default_rules import DEFAULT_RULES
from ..errors import ConfigError
from ..offsets import format_offset
from ..problems import Path, Problem
from ..rule_form import parse_rules
from ..rules import Rule
from .event_form import read_defaults, read_step
from .expect_form import ExpectReader
from .reading import Entry, Reader
from .records import Counts, Expectation, Notifies, Scenario, Setup, Stands, Step

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""Where nothing else is said."""

TAIL_S = 60.0
"""How long time goes on after the last event and expectation: what settles has settled by then."""

_SHARED = ("config", "rule_files", "rules", "start", "defaults")
_OWN = ("name", "description", "events", "end", "expect")


def _no_config(name: str) -> Setup:
    raise ConfigError(f"{name!r}: no file can be read here: name rules instead")


def _no_rules(name: str) -> tuple[Rule, ...]:
    raise ConfigError(f"{name!r}: no file can be read here: name rules instead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """How the files that a scenario names are read; each function raises ConfigError.

    Attributes:
        config: A configuration's name -> its rules, route and inhibit rules.
        rules: A rule file's name -> its rules.
    """

    config: Callable[[str], Setup] = _no_config
    rules: Callable[[str], tuple[Rule, ...]] = _no_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What the scenarios of a file share.

    Attributes:
        setup: Rules, route, inhibit rules.
        known: The rules that `rules` may name; those of the setup are some of them.
        start: Unix seconds.
        defaults: Fields of every event.
    """

    setup: Setup
    known: tuple[Rule, ...]
    start: float = START
    defaults: Entry


def parse_scenarios(data: object, files: Files | None = None) -> tuple[list[Scenario], list[Problem]]:
    """Return the scenarios that a file's content means, and all that is wrong with it.

    Scenarios of a file with problems are not to be run: what could not be read is missing in them.

    Args:
        data: What the YAML holds: mappings, lists, scalars.
        files: How other files are read; without it none can be named.
    """
    reader = _ScenarioReader(files if files is not None else Files())
    return reader.read(data), reader.problems


class _ScenarioReader(Reader):
    def __init__(self, files: Files) -> None:
        super().__init__()
        self.files = files

    def read(self, data: object) -> list[Scenario]:
        top = self.filled(data, (), "a scenario: name, events, expect")
        nothing = _Shared(setup=Setup(), known=DEFAULT_RULES, defaults={})
        if not top:
            return []
        if "scenarios" not in top:
            return [self.scenario(top, (), nothing)]
        self.known(top, (), (*_SHARED, "scenarios"))
        shared = self.shared(top, (), nothing)
        found: list[Scenario] = []
        for path, item in self.items(top["scenarios"], ("scenarios",), "a list of scenarios"):
            entry = self.filled(item, path, "a scenario: name, events, expect")
            if entry:
                found.append(self.scenario(entry, path, shared))
            if any(other.name == found[-1].name for other in found[:-1]):
                self.wrong((*path, "name"), f"{found[-1].name!r}: used twice: give each scenario a name of its own")
        return found

    def scenario(self, entry: Entry, path: Path, shared: _Shared) -> Scenario:
        self.known(entry, path, (*_OWN, *_SHARED))
        for name, remedy in _NEEDED.items():
            if name not in entry:
                self.wrong(path, f"{name}: missing: {remedy}")
        own = self.shared(entry, path, shared)
        steps = self.steps(entry, path, own.defaults)
        expect = self.expectations(entry, path, own.setup)
        return Scenario(
            name=self.text(entry["name"], (*path, "name")) if "name" in entry else "",
            path=path,
            setup=own.setup,
            start=own.start,
            steps=steps,
            expect=expect,
            end=self.end(entry, path, steps, expect),
        )

    # ── what scenarios of a file may share ────────────────────────────────────

    def shared(self, entry: Entry, path: Path, outer: _Shared) -> _Shared:
        """Return the settings of a scenario, or of a whole file: its own in place of the outer ones."""
        defaults = read_defaults(self, entry.get("defaults", {}), (*path, "defaults"))
        setup, known = self.setup(entry, path, outer)
        return _Shared(
            setup=setup,
            known=known,
            start=self.instant(entry["start"], (*path, "start")) if "start" in entry else outer.start,
            defaults={**outer.defaults, **defaults},
        )

    def setup(self, entry: Entry, path: Path, outer: _Shared) -> tuple[Setup, tuple[Rule, ...]]:
        """Return what is tested, and the rules that may be named; what an entry does not say is as outside."""
        setup, known = outer.setup, outer.known
        if "config" in entry:
            inside = (*path, "config")
            name = self.text(entry["config"], inside)
            setup = self.from_file(self.files.config, name, inside, setup)
            known = setup.rules
        if "rule_files" in entry:
            known = self.rule_files(entry["rule_files"], (*path, "rule_files"))
            setup = replace(setup, rules=known)
        if "rules" in entry:
            setup = replace(setup, rules=self.rules(entry["rules"], (*path, "rules"), known))
        return setup, known

    def from_file(self, read: Callable[[str], T], name: str, path: Path, otherwise: T) -> T:
        """Return what another file says; if it cannot be read, that is a problem of this one."""
        if not name:
            return otherwise
        try:
            return read(name)
        except ConfigError as fault:
            self.wrong(path, str(fault))
            return otherwise

    def rule_files(self, data: object, path: Path) -> tuple[Rule, ...]:
        found: dict[str, Rule] = {}
        for place, item in self.items(data, path, "a list of rule files"):
            none: tuple[Rule, ...] = ()
            for rule in self.from_file(self.files.rules, self.text(item, place), place, none):
                if rule.id in found:
                    self.wrong(place, f"{rule.id}: an earlier file has a rule of this name: rename one of them")
                found[rule.id] = rule
        return tuple(found.values())

    def rules(self, data: object, path: Path, known: tuple[Rule, ...]) -> tuple[Rule, ...]:
        """Return the rules that a list names, in the order in which they are known; then those it holds itself."""
        named: set[str] = set()
        items = self.items(data, path, "a list of rules, or their names")
        for place, item in items:
            if isinstance(item, Mapping):
                continue
            name = self.text(item, place)
            found = {rule.id for rule in known if name in (rule.alert, rule.id)}
            if name and not found:
                names = ", ".join(dict.fromkeys(rule.alert for rule in known))
                self.wrong(place, f"{name!r}: no such rule: one of {names}")
            named |= found
        rules = [rule for rule in known if rule.id in named]
        for place, rule in self.written(items):
            if rule.id in named:
                self.wrong(place, f"{rule.id}: named in this list too: leave one of them out")
            rules.append(rule)
        return tuple(rules)

    def written(self, items: Sequence[tuple[Path, object]]) -> list[tuple[Path, Rule]]:
        """Return the rules among these that are written as in a rule file."""
        if not any(isinstance(item, Mapping) for _, item in items):
            return []
        parsed = parse_rules({"rules": [item for _, item in items]})
        for problem in parsed.problems:
            # Each path begins with ("rules", index). That a name is no rule is no problem here.
            place, item = items[int(problem.path[1])]
            if isinstance(item, Mapping):
                self.problems.append(Problem((*place, *problem.path[2:]), problem.text))
        return [(items[int(parsed.paths[rule.id][1])][0], rule) for rule in parsed.rules]

    # ── what happens, and what is expected ────────────────────────────────────

    def steps(self, entry: Entry, path: Path, defaults: Entry) -> tuple[Step, ...]:
        inside = (*path, "events")
        items = self.items(entry.get("events", []), inside, "a list of events")
        if "events" in entry and not items:
            self.wrong(inside, "none: write at least one, such as {at: 0s, status: 500}")
        found = [read_step(self, item, place, defaults=defaults) for place, item in items]
        return tuple(step for step in found if step is not None)

    def expectations(self, entry: Entry, path: Path, setup: Setup) -> tuple[Expectation, ...]:
        inside = (*path, "expect")
        items = self.items(entry.get("expect", []), inside, "a list of expectations")
        if "expect" in entry and not items:
            self.wrong(inside, "none: write at least one, such as {at: 1m, firing: []}")
        reader = ExpectReader(self, setup.rules)
        found = [reader.read(item, place) for place, item in items]
        return tuple(expectation for expectation in found if expectation is not None)

    def end(self, entry: Entry, path: Path, steps: Sequence[Step], expect: Sequence[Expectation]) -> float:
        last = max([0.0, *(step.ends_at for step in steps), *map(_asks_until, expect)])
        if "end" not in entry:
            return last + TAIL_S
        end = self.offset(entry["end"], (*path, "end"), otherwise=last)
        if end < last:
            self.wrong((*path, "end"), f"{format_offset(last)} is the last event or expectation: end no earlier")
        return end


_NEEDED = {
    "name": "write a sentence that says what is promised",
    "events": "write what happens, such as events: [{at: 0s, status: 500}]",
    "expect": "write what must be so, such as expect: [{at: 1m, firing: []}]",
}


def _asks_until(expectation: Expectation) -> float:
    """Return the last instant that an expectation speaks of; 0 where it speaks of none."""
    match expectation:
        case Stands(at=at):
            return at
        case Notifies(wanted=wanted):
            ends = [asked.span.end for asked in wanted]
        case Counts():
            ends = []
        case _:
            ends = [expectation.span.end]
    return max((end for end in ends if end < inf), default=0.0)
