"""The configuration file: YAML -> Config, receivers and rules; every problem with file, line, value, remedy.

≠ what the settings mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from alerts.config import Config, parse_config
from alerts.default_rules import DEFAULT_RULES
from alerts.problems import Path as KeyPath
from alerts.problems import Problem, shown
from alerts.rules import Rule

from .receivers import KINDS, Receiver, ReceiverConfigError, build
from .rule_file import LoadedRules, load_rules
from .yaml_file import ConfigFileError, YamlFile, read_yaml

__all__ = ["ConfigFileError", "Loaded", "load_config"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file means.

    Attributes:
        config: Routes, inhibit rules, keys.
        receivers: By "receiver/kind/index".
        rules: Those of `rule_files`, or the default ones.
        warnings: What is odd about them, a line each.
        rule_places: "file:line" of each rule that stands in a file, by id.
    """

    config: Config
    receivers: dict[str, Receiver]
    rules: tuple[Rule, ...] = DEFAULT_RULES
    warnings: tuple[str, ...] = ()
    rule_places: Mapping[str, str] = field(default_factory=dict)


def load_config(path: Path | None, *, build_receivers: bool = True) -> Loaded:
    """Return what a configuration file means; without one, the defaults.

    Args:
        path: The file.
        build_receivers: Whether to build the receivers too, which needs their secrets.

    Raises:
        ConfigFileError: It, or a rule file it names, cannot be read, or something in one is wrong.
    """
    if path is None:
        return Loaded(Config(), _receivers(Config(), lambda _: "default", Path()))
    file = read_yaml(path)
    config, wrong = parse_config(file.data, tuple(KINDS))
    problems = [file.say(problem) for problem in wrong]
    rules = LoadedRules(rules=DEFAULT_RULES)
    receivers: dict[str, Receiver] = {}
    try:
        if config.rule_files:
            rules = load_rules(_rule_files(config, path.parent, file))
    except ConfigFileError as fault:
        problems += fault.problems
    try:
        # What is wrong already would be said again, in other words.
        receivers = _receivers(config, file.place, path.parent) if build_receivers and not wrong else {}
    except ConfigFileError as fault:
        problems += fault.problems
    if problems:
        raise ConfigFileError(problems)
    return Loaded(config, receivers, rules.rules, rules.warnings, rules.places)


def _rule_files(config: Config, folder: Path, file: YamlFile) -> list[Path]:
    """Return the files that the patterns match, each once.

    Raises:
        ConfigFileError: A pattern matches none.
    """
    found: list[Path] = []
    problems: list[str] = []
    for i, pattern in enumerate(config.rule_files):
        # `glob` and not Path.glob, which takes no absolute pattern.
        names = [folder / name for name in sorted(glob(pattern, root_dir=folder, recursive=True))]
        matched = [name for name in names if name.is_file()]
        found += [name for name in matched if name not in found]
        if not matched:
            text = f"{shown(pattern)}: no such file in {folder}: mend the name, or leave it out"
            problems.append(file.say(Problem(("rule_files", i), text)))
    if problems:
        raise ConfigFileError(problems)
    return found


def _receivers(config: Config, place: Callable[[KeyPath], str], folder: Path) -> dict[str, Receiver]:
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
    return receivers
