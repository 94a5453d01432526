"""What a sender is told when nothing could be written."""

from __future__ import annotations

import sqlite3

import pytest

from service.api.taking import storage_problem
from service.storage.errors import ConnectionLostError, DatabaseError, EngineError, FencedError, FullError


@pytest.mark.parametrize(
    ("fault", "status", "after"),
    [
        (ConnectionLostError("the server is gone"), 503, "1"),
        (FencedError("another node was elected"), 503, "1"),
        (EngineError("no"), 503, "5"),
        (FullError("no space left"), 507, "30"),
        (sqlite3.OperationalError("disk I/O error"), 503, "5"),
    ],
    ids=["lost", "fenced", "refused", "full", "input/output"],
)
def test_a_sender_comes_again_as_soon_as_it_makes_sense(fault: DatabaseError, status: int, after: str) -> None:
    problem = storage_problem(fault)

    assert (problem.status, dict(problem.headers or {})["Retry-After"]) == (status, after)
