"""Tiny logs with the transitions that docs/reference/decisions.md gives them, worked out by hand.

All seconds are counted from NOON, a whole minute and 20 s: a minute begins at 40, a bucket of 30 s at 10,
one of 10, 5 or 1 s at 0. In a window of a minute (buckets of 1 s) what happened at 0.5 is in until 59 and out at 60.
"""

from . import budgets, consecutive, end_of_life, headroom, parked, rates, silent
from .case import Case, spell_of

_SUBJECTS = (rates, budgets, consecutive, parked, headroom, silent, end_of_life)

CASES: dict[str, Case] = {name: case for subject in _SUBJECTS for name, case in subject.CASES.items()}

__all__ = ["CASES", "Case", "spell_of"]
