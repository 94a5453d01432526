"""The same timetables to a real Alertmanager and to Claxon: the same is told, or better.

So is what chance wrote, which its notifier alone tells, too. All are played at once, once a session (conftest.py), for
which all tests that look at them are in this file; each looks at one.
"""

from __future__ import annotations

import pytest

from .conftest import A_FEW
from .random_timetables import RANDOM
from .timetable import Timetable
from .timetables import TIMETABLES
from .verdicts import Outcomes, of_alertmanager, of_claxon, of_the_notifier

pytestmark = pytest.mark.peer("alertmanager")


@pytest.mark.parametrize("timetable", TIMETABLES, ids=lambda one: one.name)
def test_alertmanager_tells_what_the_timetable_says(timetable: Timetable, outcomes: Outcomes) -> None:
    """What is documented of it is what it does."""
    assert of_alertmanager(timetable, outcomes) == []


@pytest.mark.parametrize("timetable", [one for one in TIMETABLES if one.same], ids=lambda one: one.name)
def test_claxon_tells_what_alertmanager_tells(timetable: Timetable, outcomes: Outcomes) -> None:
    assert of_claxon(timetable, outcomes) == []


@pytest.mark.parametrize("timetable", [one for one in TIMETABLES if not one.same], ids=lambda one: one.name)
def test_claxon_differs_as_it_says(timetable: Timetable, outcomes: Outcomes) -> None:
    assert of_claxon(timetable, outcomes) == []


@pytest.mark.parametrize("timetable", RANDOM, ids=lambda one: one.name)
def test_the_notifier_alone_tells_what_alertmanager_tells(timetable: Timetable, chance: Outcomes) -> None:
    """In virtual time, where nothing is ever late."""
    assert chance["alertmanager"][timetable.name].messages != []
    assert of_the_notifier(timetable, chance) == []


@pytest.mark.parametrize("timetable", RANDOM[:A_FEW], ids=lambda one: one.name)
def test_claxon_tells_what_alertmanager_tells_of_what_chance_wrote(timetable: Timetable, outcomes: Outcomes) -> None:
    assert of_claxon(timetable, outcomes) == []


def test_every_difference_has_its_reason_and_nothing_else_has() -> None:
    for one in TIMETABLES:
        assert bool(one.newer) + bool(one.improvement) == (0 if one.same else 1), one.name
        assert one.same or one.wobbles or one.claxon != one.told or one.claxon_answers, one.name


def test_no_two_timetables_have_one_name() -> None:
    """The name is the label that keeps them apart."""
    assert len({one.name for one in TIMETABLES}) == len(TIMETABLES)
