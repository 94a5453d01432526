"""The name of an integration: "receiver/kind/index"; the receiver's name may hold a slash.

≠ what it is told.
"""

from __future__ import annotations


def receiver_of(target: str) -> str:
    """Return the receiver's name."""
    return target.rsplit("/", 2)[0]


def kind_of(target: str) -> str:
    """Return the kind of the integration, such as "webhook"."""
    return target.rsplit("/", 2)[1]
