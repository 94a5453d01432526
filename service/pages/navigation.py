"""The pages that every page leads to, in the order of the row on top.

≠ what they show.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One page.

    Attributes:
        name: What a page says as `nav` in its context, to be marked as the present one.
        path: Below the root.
        title: In the row.
        letter: After "g", it leads there.
    """

    name: str
    path: str
    title: str
    letter: str


ENTRIES = (
    Entry(name="now", path="", title="Now", letter="n"),
    Entry(name="history", path="history", title="History", letter="h"),
    Entry(name="rules", path="rules", title="Rules", letter="r"),
    Entry(name="budgets", path="budgets", title="Budgets", letter="b"),
    Entry(name="delivery", path="delivery", title="Delivery", letter="d"),
    Entry(name="explorer", path="explorer", title="Explorer", letter="e"),
    Entry(name="ledger", path="ledger", title="Ledger", letter="l"),
    Entry(name="silences", path="silences", title="Silences", letter="s"),
)
