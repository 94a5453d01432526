"""Rules -> the text of a rule file, with a line in words above each.

≠ what rules mean.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import yaml

from alerts.rule_form import dump_rule
from alerts.rules import Rule

from .pages.words import rule_words

WIDTH = 118

_HEAD = """\
# The rules of Claxon. `claxon check FILE` says what is wrong with a rule file;
# docs/reference/rules.md is its reference, `claxon rules --schema` a schema for editors.
rules:
"""


def rules_text(rules: Iterable[Rule]) -> str:
    """Return the text of a rule file; loading it gives equal rules."""
    return _HEAD + "\n".join(map(_rule_text, rules))


def _rule_text(rule: Rule) -> str:
    fires = dict(rule_words(rule))["Fires when"]
    # A number and its sign stay on one line.
    words = f"{rule.severity}: {fires}".replace(" %", "\N{NO-BREAK SPACE}%")
    above = [line.replace("\N{NO-BREAK SPACE}", " ") for line in textwrap.wrap(words, WIDTH - 4)]
    text = yaml.safe_dump([dump_rule(rule)], sort_keys=False, default_flow_style=None, allow_unicode=True, width=WIDTH)
    return textwrap.indent("".join(f"# {line}\n" for line in above) + text, "  ")
