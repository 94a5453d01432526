"""docs/reference/node-faults.md says what benchmarks.node_faults measured."""

from __future__ import annotations

from benchmarks.results import read
from docs.node_faults import PAGE, page
from tests.support.fleet.faults import ONE_NODE, SEVERAL_NODES, SMALL_DISK
from tests.support.fleet.large_faults import LARGE


def test_the_page_says_what_was_measured() -> None:
    assert PAGE.read_text() == page(), "python -m docs.node_faults"


def test_every_fault_was_measured_under_its_present_name() -> None:
    measured = read("node_faults")["faults"]

    present = {fault.name: fault.title for fault in (*ONE_NODE, *SEVERAL_NODES, *SMALL_DISK, *LARGE)}
    assert {name: fault["title"] for name, fault in measured.items()} == present


def test_each_fault_was_measured_twenty_times() -> None:
    measured = read("node_faults")["faults"]

    assert {name for name, fault in measured.items() if fault["runs"] < 20} == set()


def test_what_was_measured_broke_no_promise() -> None:
    measured = read("node_faults")["faults"]

    assert {name: fault["broken"] for name, fault in measured.items() if fault["broken"]} == {}
