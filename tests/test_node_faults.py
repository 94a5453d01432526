"""docs/reference/node-faults.md says what benchmarks.node_faults measured."""

from __future__ import annotations

from benchmarks.results import read
from docs.node_faults import PAGE, page
from tests.support.fleet.faults import FAULTS


def test_the_page_says_what_was_measured() -> None:
    assert PAGE.read_text() == page(), "python -m docs.node_faults"


def test_every_fault_was_measured_twenty_times_under_its_present_name() -> None:
    measured = read("node_faults")["faults"]

    assert {name: fault["title"] for name, fault in measured.items()} == {fault.name: fault.title for fault in FAULTS}
    assert {name: fault["runs"] for name, fault in measured.items() if fault["runs"] < 20} == {}


def test_what_was_measured_broke_no_promise() -> None:
    assert {name: fault["broken"] for name, fault in read("node_faults")["faults"].items() if fault["broken"]} == {}
