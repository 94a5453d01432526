"""Timetables that chance wrote: Claxon tells what a real Alertmanager tells, and so does its notifier alone."""

from __future__ import annotations

import pytest

from .conftest import A_FEW
from .random_timetables import RANDOM
from .timetable import Timetable
from .verdicts import Outcomes, of_claxon, of_the_notifier

pytestmark = pytest.mark.peer("alertmanager")


@pytest.mark.parametrize("timetable", RANDOM, ids=lambda one: one.name)
def test_the_notifier_alone_tells_what_alertmanager_tells(timetable: Timetable, chance: Outcomes) -> None:
    """In virtual time, where nothing is ever late."""
    assert chance["alertmanager"][timetable.name].messages != []
    assert of_the_notifier(timetable, chance) == []


@pytest.mark.parametrize("timetable", RANDOM[:A_FEW], ids=lambda one: one.name)
def test_claxon_tells_what_alertmanager_tells(timetable: Timetable, outcomes: Outcomes) -> None:
    assert of_claxon(timetable, outcomes) == []
