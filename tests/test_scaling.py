"""docs/scaling.md, docs/partitions.md and docs/howto/nodes.md say what was measured, and name what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from docs import scaling_figures
from docs.marked import stale
from service.storage import nodes, postgres_lock, postgres_schema, upgrading
from tests.support.repository import ROOT

HOWTO = scaling_figures.HOWTO.read_text("utf-8")
MEASURED: dict[str, Any] = {
    "day": "2026-11-26",
    "quick": False,
    "machine": {"processor": "x", "system": "Linux", "cores": 2},
    "batch": 500,
    "cells": [
        {
            "ingest": ingest,
            "acknowledged_s": 1000.0,
            "evaluated_s": 900.0,
            "p99_ms": 5.0,
            "page_p50_ms": 20.0,
            "page_p99_ms": 40.0,
            "cpu_s_per_million": cpu,
        }
        for ingest, cpu in ((None, {"all": 4.0}), (2, {"ingest": 3.0, "evaluate": 6.0, "postgres": 1.5}))
    ],
}


@pytest.mark.parametrize("page", [0, 1, 2])
def test_the_pages_are_what_was_measured(page: int) -> None:
    path, parts = list(scaling_figures.pages())[page]

    assert stale(path, parts) == [], "stale: python -m docs.scaling_figures"


def test_sizes_are_cores_at_a_busy_share_and_say_where_one_elected_node_ends() -> None:
    table = scaling_figures.sizes(MEASURED)
    rows = {row.split(" | ")[0].strip("| "): row for row in table.splitlines()[2:]}

    assert "| 0.1 | 0.1 | 0.0 | yes |" in rows["10,000"]
    assert "| 1.0 | 2.0 | 0.5 | no: " in rows["200,000"]
    assert "| one process, SQLite | 1,000 | 900 | 4 | - | - | - |" in scaling_figures.cost(MEASURED)


def test_what_partitions_take_is_told_beside_one_node_that_evaluates() -> None:
    cell = MEASURED["cells"][0] | {"evaluators": 1, "given": "20 apps", "cpu_s_per_million": {"kafka": 2.0}}
    two = cell | {"evaluators": 2, "evaluated_s": 1800.0}
    table = scaling_figures.growth(MEASURED | {"cells": [cell, two]})

    assert "| 1 | 20 apps | 1,000 | 900 (1.00) | - | - | - | 2 | 20 ms, 40 ms |" in table
    assert "| 2 | 20 apps | 1,000 | 1,800 (2.00) | - | - | - | 2 | 20 ms, 40 ms |" in table


def test_for_how_long_partitions_wait_that_change_hands_is_told_by_what_they_know() -> None:
    row = {"apps": 50_000, "comes_s": 2.31, "ends_s": 5.26, "killed_s": 7.3, "snapshot_mb": 1.85}

    assert "| 50,000 | 1.9 MB | 2.3 s | 5.3 s | 7.3 s |" in scaling_figures.moves(MEASURED | {"rows": [row]})


def test_what_is_not_measured_is_said_with_what_measures_it() -> None:
    assert "`python -m benchmarks.nodes`" in scaling_figures.cost(None)
    assert "`python -m benchmarks.partitions`" in scaling_figures.growth(None)
    assert "`python -m benchmarks.moves`" in scaling_figures.moves(None)


def test_files_that_the_page_names_are_there() -> None:
    named = set(re.findall(r"`(deploy/[\w./-]+)`", HOWTO)) | set(
        re.findall(r"\]\(\.\./\.\./(deploy/[\w./-]+)\)", HOWTO)
    )

    assert len(named) >= 4
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_times_that_the_page_names_are_the_programs() -> None:
    assert f"every {nodes.BEAT_S:.0f} s" in HOWTO
    assert f"within {nodes.ALIVE_S:.0f} s" in HOWTO
    assert upgrading.GRACE_S == 86_400
    assert "a day after the last older node was seen" in HOWTO
    assert f"waits {postgres_schema.PATIENCE_S} s for a table" in HOWTO
    assert postgres_lock.SILENT_S == 5
    assert "is ended within five seconds" in HOWTO


def test_commands_of_the_page_are_options_of_the_program() -> None:
    from service.cli import make_parser

    for words in re.findall(r"^ *claxon ((?:migrate|move|verify) .*)$", HOWTO, re.MULTILINE):
        make_parser().parse_args(words.replace("'", "").replace('"', "").partition("  #")[0].split())
    assert Path(scaling_figures.CONCEPT).exists()
