"""`claxon check`: all that is wrong with a configuration or a rule file, and what is odd.

≠ what they mean.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    check = commands.add_parser(
        "check",
        help="say all that is wrong with a configuration or a rule file",
        description="Says all that is wrong with a configuration, its rule files, or one rule file: file, line, value, "
        "remedy; and warns of what is odd, such as a route that nothing reaches, or a page that waits for its group. "
        "Ends with 0 if it is good, 2 if not. Starts nothing, sends nothing.",
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from ..yaml_file import ConfigFileError

    try:
        good, warnings = _good(options.file)
    except ConfigFileError as fault:
        for problem in fault.problems:
            print(f"claxon: {problem}", file=sys.stderr)
        return 2
    for warning in warnings:
        print(f"claxon: warning: {warning}", file=sys.stderr)
    print(f"{options.file}: good. {good}")
    return 0


def _good(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return what a good file holds, and what is odd about it."""
    from ..config_file import load_config
    from ..rule_file import is_rule_file, load_rules
    from ..yaml_file import read_yaml

    if is_rule_file(read_yaml(path).data):
        rules = load_rules([path])
        return f"Rules: {len(rules.rules)}", rules.warnings
    loaded = load_config(path)
    origin = "" if loaded.config.rule_files else " (the default ones)"
    receivers = ", ".join(loaded.receivers) or "none"
    return f"Receivers: {receivers}. Rules: {len(loaded.rules)}{origin}", (*loaded.warnings, *loaded.notes)
