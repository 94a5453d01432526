"""`claxon rules`: the default rules as a rule file, to begin one's own from.

≠ what they mean.
"""

from __future__ import annotations

import argparse

from .saying import add_json, say_json, say_json_text, say_text, wants_json


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    rules = commands.add_parser(
        "rules",
        help="print the default rules as a rule file",
        description="Prints the default rules as a rule file that loads unchanged: `claxon rules > rules.yml`.",
    )
    rules.add_argument("--schema", action="store_true", help="print the JSON Schema of rule files, for editors")
    add_json(
        rules,
        {
            "rules*": "the rules as a rule file has them: this JSON is a rule file, too",
            "$schema*": "with --schema: the schema, as without --json",
        },
        exits={0: "done"},
    )
    rules.set_defaults(command=_rules)


def _rules(options: argparse.Namespace) -> int:
    from alerts.default_rules import DEFAULT_RULES

    from ..rule_schema import schema_text
    from ..rule_text import rules_text

    if options.schema:
        say_json_text(schema_text())
    elif wants_json(options):
        say_json(rules_as_json(rules_text(DEFAULT_RULES)), indent=2)
    else:
        say_text(rules_text(DEFAULT_RULES))
    return 0


def rules_as_json(text: str) -> object:
    """Return the content of a rule file."""
    import yaml

    return yaml.safe_load(text)
