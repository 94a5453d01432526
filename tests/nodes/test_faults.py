"""Whole fleets under load: a fault strikes, and every promise is kept. benchmarks/node_faults.py does it more often."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.support.fleet.faults import ONE_NODE, SEVERAL_NODES, SMALL_DISK
from tests.support.fleet.fleet import Fleet, nodes_on_a_small_disk, one_node, several_nodes
from tests.support.fleet.rounds import Fault, Round, play

HERE = {"kill-elected", "kill-sending", "fail-over", "poison"}
"""Of several nodes: those that prove most for their time."""

LATE_S = 10.0


@pytest.fixture(scope="module")
def several() -> Iterator[Fleet]:
    with several_nodes() as fleet:
        yield fleet


def played(fleet: Fleet, fault: Fault) -> Round:
    one = Round(fault=fault.name, number=0)
    play(fleet, fault, one, chance=random.Random(fault.name))
    return one


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.name) for one in SEVERAL_NODES if one.name in HERE])
def test_a_fault_of_several_nodes_loses_nothing_and_counts_and_pages_once(several: Fleet, fault: Fault) -> None:
    one = played(several, fault)

    assert one.broken == {}
    assert max(one.meanwhile_s, default=0.0) < LATE_S


def test_a_node_alone_that_dies_in_the_middle_of_a_send_pages_after_its_next_start() -> None:
    [fault] = [one for one in ONE_NODE if one.name == "one-kill-sending"]
    with one_node() as fleet:
        one = played(fleet, fault)

    assert one.broken == {}
    assert one.ends == []


@pytest.mark.faults
def test_a_full_disk_of_the_database_loses_nothing_and_all_is_well_by_itself_once_there_is_room() -> None:
    [fault] = SMALL_DISK
    with nodes_on_a_small_disk() as fleet:
        one = played(fleet, fault)

    assert one.broken == {}
    assert one.ends == []
