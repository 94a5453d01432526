"""What holds for all tests."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.support import order

_seconds: Counter[str] = Counter()
"""What each file took, in the process that reports."""


def pytest_configure(config: pytest.Config) -> None:
    """Have files begin in the order that they have here, and Ctrl-C end the programs that tests start.

    pytest-xdist would begin with the files of most tests, and end with the one test that takes a minute. Ctrl-C: also
    where a shell started the tests in the background: it has SIGINT ignored, which programs inherit; one that is
    handled is none to them.
    """
    config.option.loadscopereorder = False
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest."""
    items.sort(key=order.place)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what each file takes."""
    _seconds[report.nodeid.partition("::")[0]] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which files took long and begin late."""
    for text in order.unplaced(_seconds):
        terminalreporter.write_line(f"{text}: long, and without a place in tests/support/order.py")
