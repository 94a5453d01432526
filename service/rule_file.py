"""Rule files: YAML -> rules, every problem and warning with file and line.

≠ what rules mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alerts.problems import Path as KeyPath
from alerts.problems import Problem
from alerts.rule_form import FILE_FIELDS, merge, parse_rules
from alerts.rules import Rule

from .yaml_file import ConfigFileError, YamlFile, read_yaml

_INCLUDED: KeyPath = ("include",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRules:
    """What rule files mean together.

    Attributes:
        rules: The included ones first.
        warnings: What is odd, a line each.
        places: "file:line" of each rule, by id; of an included one, where it is included.
    """

    rules: tuple[Rule, ...]
    warnings: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)


def load_rules(paths: Sequence[Path]) -> LoadedRules:
    """Return what rule files mean together; a rule that two of them have is a problem.

    Raises:
        ConfigFileError: One cannot be read, or something in it is wrong; all problems of all files.
    """
    problems: list[str] = []
    files: list[YamlFile] = []
    for path in paths:
        try:
            files.append(read_yaml(path))
        except ConfigFileError as fault:
            problems += fault.problems
    loaded = _read(files, problems)
    if problems:
        raise ConfigFileError(problems)
    return loaded


def is_rule_file(data: object) -> bool:
    """Whether a file's content is that of a rule file, and not of a configuration."""
    return isinstance(data, Mapping) and any(name in data for name in FILE_FIELDS)


def _read(files: Sequence[YamlFile], problems: list[str]) -> LoadedRules:
    included: dict[str, Rule] = {}
    own: dict[str, Rule] = {}
    places: dict[str, str] = {}
    warnings: list[str] = []
    for file in files:
        parsed = parse_rules(file.data)
        problems += map(file.say, parsed.problems)
        warnings += map(file.say, parsed.warnings)
        for rule in parsed.rules:
            path = parsed.paths[rule.id]
            if path == _INCLUDED:
                included[rule.id] = rule
                places.setdefault(rule.id, file.place(path))
            elif rule.id in own:
                text = f"{rule.id}: makes the same alerts as {places[rule.id]}: give one a label of its own"
                problems.append(file.say(Problem(path, text)))
            else:
                own[rule.id], places[rule.id] = rule, file.place(path)
    return LoadedRules(rules=merge(included.values(), own.values()), warnings=tuple(warnings), places=places)
