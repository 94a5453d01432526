"""Roles: what a node does, of all that Claxon does.

≠ how several nodes agree.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """One thing that a node may do."""

    INGEST = "ingest"
    EVALUATE = "evaluate"
    DELIVER = "deliver"


ALL = frozenset(Role)

READY, STANDBY = "ready", "standby"
"""What is said of a role that works, and of one that waits for its election; anything else is why it cannot."""


class RoleError(ValueError):
    """No role, or none that there is; the text is *value: remedy*."""


def parse_roles(text: str) -> frozenset[Role]:
    """Return the roles of "all", or of names with commas between them.

    Raises:
        RoleError: There is none, or a name that is none.
    """
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        return ALL
    known = {role.value: role for role in Role}
    for name in names:
        if name not in known:
            raise RoleError(f"{name or text!r}: write all, or some of {', '.join(known)} with commas between them")
    return frozenset(known[name] for name in names)


def to_text(roles: frozenset[Role]) -> str:
    """Return roles as --role takes them."""
    return "all" if roles == ALL else ",".join(role.value for role in Role if role in roles)
