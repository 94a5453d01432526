"""Relays from ports of an address to Unix sockets, as a process: `python -m tests.support.relay HOST [PORT PATH]...`.

Says `ready` when it listens, and ends when its standard input does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.netfault import lay_wires


def main(host: str, *pairs: str) -> None:
    """Relay until there is nothing more to read."""
    with lay_wires() as wires:
        for port, path in zip(pairs[::2], pairs[1::2], strict=True):
            wires.wire(Path(path), at=(host, int(port)))
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
