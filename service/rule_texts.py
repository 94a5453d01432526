"""Rules as text and back: what the log, the snapshots and the API say of them.

≠ YAML, where a rule was written.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.conditions import Own
from alerts.rule_form import dump_rule, dump_rules, parse_rules
from alerts.rules import Rule

from .storage.database import StorageError


def to_text(rules: Iterable[Rule]) -> str:
    """Return the canonical text of rules: the same rules give the same text. Claxon's own are left out."""
    written = [rule for rule in rules if not isinstance(rule.condition, Own)]
    return msgspec.json.encode(dump_rules(written)).decode()


def definition(rule: Rule) -> str:
    """Return one rule as a rule file writes it, in JSON; "{}" for one of Claxon's own."""
    return msgspec.json.encode({} if isinstance(rule.condition, Own) else dump_rule(rule)).decode()


def hashed_texts(rules: Iterable[Rule]) -> dict[str, tuple[str, str]]:
    """Return each rule's id and its own text, by its hash."""
    return {rule.hash: (rule.id, to_text([rule])) for rule in rules}


def from_text(text: str) -> tuple[Rule, ...]:
    """Return the rules that a text means.

    Raises:
        StorageError: This version of Claxon cannot read them.
    """
    parsed = parse_rules(msgspec.json.decode(text))
    if parsed.problems:
        said = "; ".join(f"{problem.where}: {problem.text}" for problem in parsed.problems)
        raise StorageError(f"log: rules that this version cannot read: {said}: run the version that wrote them")
    return parsed.rules
