"""Lanes: receivers whose integrations differ in whether they want to be told of ends.

≠ what an end is.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..receivers import Receiver
from ..targets import receiver_of


def lanes(receivers: Mapping[str, Receiver]) -> dict[str, tuple[bool, ...]]:
    """Return the receivers with integrations that want no ends: each kind of them is told by itself.

    Args:
        receivers: By "receiver/kind/index".
    """
    found: dict[str, set[bool]] = {}
    for target, receiver in receivers.items():
        found.setdefault(receiver_of(target), set()).add(receiver.send_resolved)
    return {name: (True, False) if True in kinds else (False,) for name, kinds in found.items() if False in kinds}
