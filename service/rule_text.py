"""Rules -> the text of a rule file, with a line in words above each.

≠ what rules mean.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from functools import lru_cache

import msgspec
import yaml

from alerts.conditions import Own
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


def definition_text(rule: Rule) -> str:
    """Return one rule as a rule file writes it; "" for one of Claxon's own."""
    return "" if isinstance(rule.condition, Own) else _yaml(msgspec.json.encode(dump_rule(rule)))


@lru_cache(maxsize=512)
def _yaml(definition: bytes) -> str:
    # To write YAML takes a hundred times as long as to write JSON.
    found = msgspec.json.decode(definition)
    return yaml.safe_dump([found], sort_keys=False, default_flow_style=None, allow_unicode=True, width=WIDTH)


def _rule_text(rule: Rule) -> str:
    fires = dict(rule_words(rule))["Fires when"]
    # A number and its sign stay on one line.
    words = f"{rule.severity}: {fires}".replace(" %", "\N{NO-BREAK SPACE}%")
    above = [line.replace("\N{NO-BREAK SPACE}", " ") for line in textwrap.wrap(words, WIDTH - 4)]
    text = definition_text(rule)
    return textwrap.indent("".join(f"# {line}\n" for line in above) + text, "  ")
