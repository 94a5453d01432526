"""What an app gets of each pattern under each fault: docs/client/faults.md, seen again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from docs.fault_cases import FAULTS
from docs.fault_matrix import PAGE, Cells, page
from tests.support.repository import ROOT

GETS, REQUESTS, TOOK, EVENTS = range(4)


@pytest.fixture(scope="module")
def seen() -> Cells:
    """In a process of its own, which ends although a call of the bare SDK sleeps for an hour in it."""
    command = [sys.executable, "-m", "docs.fault_matrix", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: Cells = json.loads(done.stdout)
    return found


def test_the_page_says_what_is_seen(seen: Cells) -> None:
    assert PAGE.read_text() == page(seen)


def test_without_a_fault_nothing_changes(seen: Cells) -> None:
    assert {tuple(row[:EVENTS]) for row in seen["none"].values()} == {("the answer", "1", "at once")}


def test_what_no_retry_can_help_is_asked_once(seen: Cells) -> None:
    assert {row[REQUESTS] for row in seen["401"].values()} == {"1"}


def test_the_telemetry_changes_nothing_that_an_app_can_see(seen: Cells) -> None:
    differing = [name for name, rows in seen.items() if rows["telemetry"][:EVENTS] != rows["bare"][:EVENTS]]

    assert differing == []


def test_nobody_sleeps_for_an_hour_who_has_a_retry_policy(seen: Cells) -> None:
    assert seen["429-hour"]["bare"][TOOK] == "over 2 s"
    assert seen["429-hour"]["retries"][TOOK] == "at once"


def test_a_storm_takes_no_request_from_who_has_learned_of_it(seen: Cells) -> None:
    assert seen["529"]["open"][REQUESTS] == "0"
    assert seen["529"]["open"][TOOK] == "at once"


def test_all_of_it_together_multiplies_nothing(seen: Cells) -> None:
    """Four attempts of each model that there is, whatever fails."""
    asked = {
        name: max(int(rows[name][REQUESTS]) for rows in seen.values()) for name in ("production", "production-two")
    }

    assert asked == {"production": 4, "production-two": 8}


@pytest.mark.parametrize("fault", [fault.name for fault in FAULTS])
def test_a_call_that_fails_has_exactly_one_final_failure(seen: Cells, fault: str) -> None:
    """What pages somebody counts final failures, so one too many is a page too many."""
    counts = {
        name: (row[EVENTS].count("(final"), "Error`" in row[GETS])
        for name, row in seen[fault].items()
        if name != "bare" and "sleeps" not in row[GETS]
    }

    assert {name: final for name, (final, failed) in counts.items() if final > 1 or (failed and final != 1)} == {}
