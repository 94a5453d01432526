"""The configuration file: YAML -> Config and receivers; every problem with file, line, value, remedy.

≠ what the settings mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from alerts.config import Config, Problem, parse_config
from alerts.config import Path as KeyPath

from .receivers import KINDS, Receiver, ReceiverConfigError, build


class ConfigFileError(Exception):
    """A file that cannot be used; `problems` has a line for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file means.

    Attributes:
        config: Routes, inhibit rules, keys.
        receivers: By "receiver/kind/index".
    """

    config: Config
    receivers: dict[str, Receiver]


def load_config(path: Path | None) -> Loaded:
    """Return what a configuration file means; without one, the defaults.

    Raises:
        ConfigFileError: It cannot be read, or something in it is wrong.
    """
    if path is None:
        return _build(Config(), lambda _: "default", Path())
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigFileError([f"{path}: cannot be read: {fault}"]) from fault
    data, lines = _parse(path, text)
    config, problems = parse_config(data, tuple(KINDS))
    if problems:
        raise ConfigFileError([_line(path, lines, problem) for problem in problems])
    return _build(config, lambda at: f"{path}:{_nearest(lines, at)}", path.parent)


def _build(config: Config, place: Callable[[KeyPath], str], folder: Path) -> Loaded:
    receivers: dict[str, Receiver] = {}
    problems: list[str] = []
    for receiver in config.receivers:
        for index, (kind, settings, path) in enumerate(receiver.integrations):
            where = f"{place(path)}: {Problem(path, '').where}"
            try:
                built = build(kind, settings, where=where, folder=folder)
            except ReceiverConfigError as fault:
                problems += fault.problems
                continue
            receivers[f"{receiver.name}/{built.kind}/{index}"] = built
    if problems:
        raise ConfigFileError(problems)
    return Loaded(config, receivers)


def _parse(path: Path, text: str) -> tuple[object, dict[KeyPath, int]]:
    """Return a file's content, and the line of each thing in it."""
    lines: dict[KeyPath, int] = {}
    doubles: list[str] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return None, lines
        _walk(root, (), lines, doubles, path)
        data = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise ConfigFileError([_yaml_problem(path, fault)]) from fault
    except RecursionError as fault:
        raise ConfigFileError([f"{path}: too deeply nested"]) from fault
    if doubles:
        raise ConfigFileError(doubles)
    return data, lines


def _walk(node: yaml.Node, at: KeyPath, lines: dict[KeyPath, int], doubles: list[str], path: Path) -> None:
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


def _line(path: Path, lines: dict[KeyPath, int], problem: Problem) -> str:
    where = f"{problem.where}: " if problem.path else ""
    return f"{path}:{_nearest(lines, problem.path)}: {where}{problem.text}"


def _nearest(lines: dict[KeyPath, int], at: KeyPath) -> int:
    """Return the line of a path, or of the nearest thing around it."""
    while at and at not in lines:
        at = at[:-1]
    return lines.get(at, 1)
