"""What holds for all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Have Ctrl-C end the programs that tests start, also where a shell started the tests in the background.

    Such a shell has SIGINT ignored, which programs inherit; one that is handled is none to them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
