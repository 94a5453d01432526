"""kill -9 under load; `python -m benchmarks.ingest_crashes` is the same, 200 times."""

from __future__ import annotations

from pathlib import Path

from tests.support.killing import By, kill_again_and_again


def test_kills_under_load_lose_nothing_that_was_acknowledged_and_count_nothing_twice(tmp_path: Path) -> None:
    story, books = kill_again_and_again(tmp_path, 5, longest_s=0.8, prove_every=5, each=1)

    assert all(len(book.acknowledged) > 5 for book in books.values())
    assert sum(story.lost.values()) == 0
    assert (story.twice[By.KEY], story.twice[By.IDS]) == (0, 0)
    assert (story.miscounted, story.mismatches, story.unproved) == (0, 0, 0)
