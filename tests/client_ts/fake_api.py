"""A fake Claude API as a process of its own, for the tests that are written in JavaScript.

Prints its address, and ends when its standard input does, so that it never outlives whoever started it:

    python -m tests.client_ts.fake_api
"""

from __future__ import annotations

import sys

from service.demo.fake_claude import FakeClaude


def main() -> None:
    """Serve until standard input ends."""
    with FakeClaude() as fake:
        print(fake.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
