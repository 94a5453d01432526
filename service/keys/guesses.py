"""Addresses that try keys: counted, and after a while not heard.

≠ keys.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

MOST = 20
"""Unknown keys of one address in a minute, after which it is not heard."""

WITHIN_S = 60.0
PAUSE_S = 60.0

ADDRESSES = 10_000
"""Addresses that are remembered; the one that was quiet longest is forgotten first."""


@dataclass(slots=True)
class _Tries:
    since: float
    count: int = 0
    until: float = 0.0


class Guesses:
    """Which addresses sent unknown keys, and which are not heard for it."""

    def __init__(self) -> None:
        self._tries: dict[str, _Tries] = {}

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._tries)

    def wait_s(self, address: str, at: float) -> float:
        """Return for how long an address is not heard; 0.0: it is."""
        tries = self._tries.get(_network(address)) if self._tries else None
        return max(0.0, tries.until - at) if tries is not None else 0.0

    def failed(self, address: str, at: float) -> bool:
        """Count an unknown key; return whether the address is not heard from now on.

        Nobody's address ("") is not counted.
        """
        if not address:
            return False
        name = _network(address)
        tries = self._tries.pop(name, None)
        if tries is None or not 0 <= at - tries.since < WITHIN_S:
            tries = _Tries(since=at)
        # Put back at the end: the order is that of the last try.
        self._tries[name] = tries
        if len(self._tries) > ADDRESSES:
            del self._tries[next(iter(self._tries))]
        tries.count += 1
        if tries.count < MOST:
            return False
        tries.since, tries.count, tries.until = at, 0, at + PAUSE_S
        return True

    def forgive(self, address: str) -> None:
        """Forget what an address tried: it was a key."""
        self._tries.pop(_network(address), None)


def _network(address: str) -> str:
    """Return what one sender has: an address of IPv4, or the /64 of one of IPv6."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return found.packed[:8].hex()
