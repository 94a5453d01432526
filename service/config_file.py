"""The configuration file: YAML -> Config, receivers and rules; every problem with file, line, value, remedy.

≠ what the settings mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from glob import glob
from pathlib import Path

from alerts.config import Config, parse_config
from alerts.config_notes import config_notes
from alerts.config_receivers import taken, with_defaults
from alerts.default_rules import DEFAULT_RULES
from alerts.problems import Path as KeyPath
from alerts.problems import Problem, shown
from alerts.rules import Rule

from .receivers import KINDS, RETIRED, Receiver, ReceiverConfigError, build
from .rule_file import LoadedRules, load_rules
from .watch.heartbeat import Beat, read_beat
from .yaml_file import ConfigFileError, YamlFile, read_yaml

__all__ = ["ConfigFileError", "Loaded", "load_config"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file means.

    Attributes:
        config: Routes, inhibit rules, time intervals, keys and the rest of the file.
        receivers: By "receiver/kind/index".
        rules: Those of `rule_files`, or the default ones.
        warnings: What is odd about them, a line each.
        rule_places: "file:line" of each rule that stands in a file, by id.
        notes: What is noteworthy about routes, receivers and settings, a line each.
        written: The text of the file, with its secrets; None without a file.
        beat: How somebody is told that Claxon works; None: nobody is.
        build_again: Makes the receivers once more, for who may not share them.
    """

    config: Config
    receivers: dict[str, Receiver]
    rules: tuple[Rule, ...] = DEFAULT_RULES
    warnings: tuple[str, ...] = ()
    rule_places: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    written: str | None = field(default=None, repr=False)
    beat: Beat | None = None
    build_again: Callable[[], dict[str, Receiver]] = dict


def load_config(path: Path | None, *, build_receivers: bool = True) -> Loaded:
    """Return what a configuration file means; without one, the defaults.

    Args:
        path: The file.
        build_receivers: Whether to build the receivers too, which needs their secrets.

    Raises:
        ConfigFileError: It, or a rule file it names, cannot be read, or something in one is wrong.
    """
    if path is None:
        build_again = partial(_receivers, Config(), lambda _: "default", Path())
        return Loaded(Config(), build_again(), build_again=build_again)
    file = read_yaml(path)
    config, wrong = parse_config(file.data, (*KINDS, *RETIRED))
    problems = [file.say(problem) for problem in sorted(wrong, key=lambda problem: file.line(problem.path))]
    rules = LoadedRules(rules=DEFAULT_RULES)
    receivers: dict[str, Receiver] = {}
    try:
        if config.rule_files:
            rules = load_rules(_rule_files(config, path.parent, file))
    except ConfigFileError as fault:
        problems += fault.problems
    # What is wrong already would be said again, in other words.
    told = frozenset(problem.path for problem in wrong)
    build_again = partial(_receivers, config, file.place, path.parent, told=told)
    try:
        receivers = build_again() if build_receivers else {}
    except ConfigFileError as fault:
        problems += fault.problems
    beat = None
    if build_receivers and config.heartbeat is not None and not told:
        try:
            beat = read_beat(config.heartbeat, path.parent)
        except ValueError as fault:
            problems.append(file.say(Problem(("heartbeat",), f"{fault}")))
    if problems:
        raise ConfigFileError(problems)
    notes = tuple(file.say(note) for note in config_notes(config, file.data, kinds=KINDS))
    return Loaded(
        config,
        receivers,
        rules.rules,
        rules.warnings,
        rules.places,
        notes,
        file.text,
        beat=beat,
        build_again=build_again,
    )


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


def _receivers(
    config: Config, place: Callable[[KeyPath], str], folder: Path, *, told: Collection[KeyPath] = ()
) -> dict[str, Receiver]:
    receivers: dict[str, Receiver] = {}
    problems: list[str] = []
    for receiver in config.receivers:
        for index, (kind, own, path) in enumerate(receiver.integrations):
            if path in told or ("global",) in told:
                continue
            settings = with_defaults(kind, own, config.global_)
            where = f"{place(path)}: {Problem(path, '').where}"
            try:
                built = build(kind, settings, where=where, folder=folder)
            except ReceiverConfigError as fault:
                sources = taken(kind, own, config.global_)
                problems += [_of_global(problem, where, sources=sources, place=place) for problem in fault.problems]
                continue
            receivers[f"{receiver.name}/{built.kind}/{index}"] = built
    if problems:
        raise ConfigFileError(list(dict.fromkeys(problems)))
    return receivers


def _of_global(problem: str, where: str, *, sources: Mapping[str, str], place: Callable[[KeyPath], str]) -> str:
    """Return a problem of an integration; one of a setting that stands in `global` with its place there."""
    for name, source in sources.items():
        if problem.startswith(f"{where}: {name}:"):
            return f"{place(('global', source))}: global.{source}:{problem.removeprefix(f'{where}: {name}:')}"
    return problem
