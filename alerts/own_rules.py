"""What Claxon says of itself: rules that no file may hold and no event fires."""

from __future__ import annotations

from .conditions import Own
from .rules import Rule

RULE_FAILED = Rule(alert="ClaxonRuleFailed", condition=Own(), by=("rule",), labels={"severity": "page"})
KEYS_OVERFLOW = Rule(alert="ClaxonKeysOverflow", condition=Own(), by=("rule",), labels={"severity": "ticket"})

OWN_RULES: tuple[Rule, ...] = (RULE_FAILED, KEYS_OVERFLOW)
