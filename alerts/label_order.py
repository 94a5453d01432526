"""The order in which a message names alerts: by job, by instance, then by all labels, as Alertmanager has it.

≠ the order of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cmp_to_key

from .labels import Labels

_FIRST = ("job", "instance")


def in_order(names: Iterable[str], labels: Callable[[str], Labels]) -> list[str]:
    """Return alerts in order.

    Args:
        names: Of the alerts, each once.
        labels: Of an alert.
    """

    def order(one: str, other: str) -> int:
        return compare(labels(one), labels(other))

    return sorted(names, key=cmp_to_key(order))


def compare(one: Labels, other: Labels) -> int:
    """Return -1 if the one comes before the other, 1 if after it, 0 if they are alike.

    Source:
        Alertmanager's `AlertSlice.Less` and, for all labels, `LabelSet.Before` of Prometheus' common library:
        fewer labels first, then by the first name, in order, that one of them lacks or that differs.
    """
    for name in _FIRST:
        if (name in one) != (name in other):
            return -1 if name in one else 1
        if one.get(name) != other.get(name):
            return -1 if one[name] < other[name] else 1
    return compare_all(one, other)


def compare_all(one: Labels, other: Labels) -> int:
    """Return the same without regard to job and instance: the order of groups."""
    if len(one) != len(other):
        return -1 if len(one) < len(other) else 1
    for name in sorted({*one, *other}):
        if (name in one) != (name in other):
            return 1 if name in one else -1
        if one[name] != other[name]:
            return -1 if one[name] < other[name] else 1
    return 0
