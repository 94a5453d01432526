"""`claxon rules`: the default rules as a rule file, to begin one's own from.

≠ what they mean.
"""

from __future__ import annotations

import argparse
import sys


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    rules = commands.add_parser(
        "rules",
        help="print the default rules as a rule file",
        description="Prints the default rules as a rule file that loads unchanged: `claxon rules > rules.yml`.",
    )
    rules.add_argument("--schema", action="store_true", help="print the JSON Schema of rule files, for editors")
    rules.set_defaults(command=_rules)


def _rules(options: argparse.Namespace) -> int:
    from alerts.default_rules import DEFAULT_RULES

    from ..rule_schema import schema_text
    from ..rule_text import rules_text

    sys.stdout.write(schema_text() if options.schema else rules_text(DEFAULT_RULES))
    return 0
