"""`claxon check`: all that is wrong with a configuration or a rule file, and what is odd.

≠ what they mean.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from .saying import add_json, refuse, say_json, wants_json, warn


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    check = commands.add_parser(
        "check",
        help="say all that is wrong with a configuration or a rule file",
        description="Says all that is wrong with a configuration, its rule files, or one rule file: file, line, value, "
        "remedy; and warns of what is odd, such as a route that nothing reaches, or a page that waits for its group. "
        "Ends with 0 if it is good, 2 if not. Starts nothing, sends nothing.",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="a configuration or a rule file")
    add_json(
        check,
        {
            "file": "what was checked",
            "good": "whether it loads",
            "kind": "`configuration`, `rules` for a rule file, or null if it is too bad to say",
            "receivers": "the names of its receivers",
            "rules": "how many rules it has",
            "default_rules": "whether these are the ones Claxon ships",
            "problems": "all that is wrong, each as *file: line: value: remedy*",
            "warnings": "what is odd",
        },
        exits={0: "good", 2: "not good"},
    )
    check.set_defaults(command=_check)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Good:
    """What a good file holds, and what is odd about it."""

    kind: str
    receivers: tuple[str, ...]
    rules: int
    default_rules: bool
    warnings: tuple[str, ...]

    @property
    def words(self) -> str:
        if self.kind == "rules":
            return f"Rules: {self.rules}"
        origin = " (the default ones)" if self.default_rules else ""
        return f"Receivers: {', '.join(self.receivers) or 'none'}. Rules: {self.rules}{origin}"


def _check(options: argparse.Namespace) -> int:
    from ..yaml_file import ConfigFileError

    try:
        good = _good(options.file)
    except ConfigFileError as fault:
        if wants_json(options):
            say_json(_answer(options.file, None, problems=fault.problems))
        return refuse(options, *fault.problems)
    for warning in good.warnings:
        warn(options, warning)
    if wants_json(options):
        say_json(_answer(options.file, good, problems=[]))
    else:
        print(f"{options.file}: good. {good.words}")
    return 0


def _answer(file: Path, good: _Good | None, *, problems: list[str]) -> dict[str, object]:
    return {
        "file": str(file),
        "good": good is not None,
        "kind": good.kind if good is not None else None,
        "receivers": good.receivers if good is not None else [],
        "rules": good.rules if good is not None else 0,
        "default_rules": good is not None and good.default_rules,
        "problems": problems,
        "warnings": good.warnings if good is not None else [],
    }


def _good(path: Path) -> _Good:
    from ..config_file import load_config
    from ..rule_file import is_rule_file, load_rules
    from ..yaml_file import read_yaml

    if is_rule_file(read_yaml(path).data):
        rules = load_rules([path])
        return _Good(
            kind="rules", receivers=(), rules=len(rules.rules), default_rules=False, warnings=tuple(rules.warnings)
        )
    loaded = load_config(path)
    return _Good(
        kind="configuration",
        receivers=tuple(loaded.receivers),
        rules=len(loaded.rules),
        default_rules=not loaded.config.rule_files,
        warnings=(*loaded.warnings, *loaded.notes),
    )
