"""Label sets and their fingerprint.

≠ events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias

Labels: TypeAlias = dict[str, str]

_OFFSET = 14695981039346656037
_PRIME = 1099511628211
_MASK = 0xFFFFFFFFFFFFFFFF


def common(several: Iterable[Labels]) -> Labels:
    """Return what label sets share, in the order of the first; at least one."""
    first, *others = several
    shared = set(first.items())
    for other in others:
        shared &= other.items()
    return {name: text for name, text in first.items() if (name, text) in shared}


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the 16 hex digits that name a label set.

    The same digits that Prometheus and Alertmanager compute, so that links and
    silences made by their tools fit.

    Source:
        Prometheus common/model, the FNV-1a hash of a LabelSet: name, 0xFF,
        value, 0xFF for each label in the order of names.
    """
    return _digest(tuple(sorted(labels.items())))


# Whoever posts alerts posts the same ones again and again.
@lru_cache(maxsize=16_384)
def _digest(labels: tuple[tuple[str, str], ...]) -> str:
    digest = _OFFSET
    for name, value in labels:
        for byte in b"%b\xff%b\xff" % (name.encode(), value.encode()):
            digest = ((digest ^ byte) * _PRIME) & _MASK
    return f"{digest:016x}"
