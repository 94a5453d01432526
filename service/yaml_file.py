"""YAML -> its content, and the line of each thing in it; problems as file, line, place, text.

≠ what the content means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from alerts.problems import Path as KeyPath
from alerts.problems import Problem

MAX_NODES = 100_000
"""Things in one file; aliases of aliases can make more of them than there is memory."""


class ConfigFileError(Exception):
    """A file that cannot be used; `problems` has a line for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file holds.

    Attributes:
        path: The file.
        data: Mappings, lists, scalars; None for an empty file.
        lines: The line of each thing, by its path.
        text: The file itself.
    """

    path: Path
    data: object
    lines: dict[KeyPath, int]
    text: str = field(default="", repr=False)

    def line(self, at: KeyPath) -> int:
        """Return the line of a path, or of the nearest thing around it."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)

    def place(self, at: KeyPath) -> str:
        """Return file and line of a path."""
        return f"{self.path}:{self.line(at)}"

    def say(self, problem: Problem) -> str:
        """Return a problem on one line: file, line, place, text."""
        return f"{self.place(problem.path)}: {problem.said}"


def read_yaml(path: Path) -> YamlFile:
    """Return what a file holds.

    Raises:
        ConfigFileError: It cannot be read, or is no YAML.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigFileError([f"{path}: cannot be read: {fault}"]) from fault
    lines: dict[KeyPath, int] = {}
    doubles: list[str] = []
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            return YamlFile(path, None, lines)
        _walk(root, (), lines, doubles, path)
        # Nothing but what this loader makes of SafeLoader's plain values.
        data = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as fault:
        raise ConfigFileError([_yaml_problem(path, fault)]) from fault
    except RecursionError as fault:
        raise ConfigFileError([f"{path}: too deeply nested"]) from fault
    if doubles:
        raise ConfigFileError(doubles)
    return YamlFile(path, data, lines, text)


class _Loader(yaml.SafeLoader):
    """Says the line of a value that looks like a date or a number and is none, such as 2026-13-01."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, AttributeError) as fault:
            said = f"{str(getattr(node, 'value', ''))[:60]!r}: {fault}: write a text in quotes"
            raise yaml.constructor.ConstructorError(problem=said, problem_mark=node.start_mark) from fault


def _walk(node: yaml.Node, at: KeyPath, lines: dict[KeyPath, int], doubles: list[str], path: Path) -> None:
    if len(lines) > MAX_NODES:
        raise ConfigFileError([f"{path}: over {MAX_NODES:,} things in one file: split it, or use fewer aliases"])
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            key = (*at, str(name.value))
            if key in lines:
                doubles.append(f"{path}:{name.start_mark.line + 1}: {name.value}: written twice: keep one")
                continue
            lines[key] = name.start_mark.line + 1
            _walk(value, key, lines, doubles, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*at, index), lines, doubles, path)


def _yaml_problem(path: Path, fault: yaml.YAMLError) -> str:
    mark = getattr(fault, "problem_mark", None)
    said = getattr(fault, "problem", None) or str(fault)
    place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    return f"{place}: not valid YAML: {said}"
