"""What all tests of timetables look at: they are played once, all at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from .random_timetables import RANDOM
from .subjects import KINDS
from .timetables import TIMETABLES
from .verdicts import Outcomes, of_alertmanager, of_claxon, of_the_notifier, played

A_FEW = 4
"""So many of what chance wrote are played to Claxon as a process; the others to its notifier alone."""


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcomes, Outcomes]:
    """What is played to Claxon as a process, and what to its notifier alone: at the same time, for both mostly wait."""
    timetables = [*TIMETABLES, *RANDOM[:A_FEW]]
    folders = [tmp_path_factory.mktemp(name) for name in ("timetables", "chance")]
    with ThreadPoolExecutor(2) as pool:
        judges = (of_alertmanager, of_claxon)
        one = pool.submit(played, timetables, folders[0], kinds=tuple(KINDS), judges=judges)
        other = pool.submit(played, RANDOM, folders[1], kinds=("alertmanager",), judges=(of_the_notifier,))
        return one.result(), other.result()


@pytest.fixture(scope="session")
def outcomes(both: tuple[Outcomes, Outcomes]) -> Outcomes:
    """What each timetable brought about, by subject and name."""
    return both[0]


@pytest.fixture(scope="session")
def chance(both: tuple[Outcomes, Outcomes]) -> Outcomes:
    """What each timetable that chance wrote brought about at Alertmanager."""
    return both[1]
