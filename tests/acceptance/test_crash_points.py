"""kill -9 at each point between an event and its page. `python -m benchmarks.crash_matrix` does it 300 times."""

from __future__ import annotations

import pytest

from tests.support.crashes import BATCHES, POINTS, Point, arm, attempt

EACH = [(point, at_pass) for point in POINTS for at_pass in range(1, BATCHES + 1)]


@pytest.mark.parametrize(("point", "at_pass"), EACH, ids=[f"{point.where}, {n}" for point, n in EACH])
def test_a_page_survives_kill_9_and_comes_twice_only_where_nobody_could_note_that_it_came(
    point: Point, at_pass: int
) -> None:
    trial = attempt(point, at_pass=at_pass)

    assert trial.killed
    assert trial.lost == 0
    assert trial.other_keys == 0
    assert trial.repeated == (1 if point.twice else 0)


def test_a_point_whose_function_is_gone_is_an_error() -> None:
    with pytest.raises(AttributeError):
        arm(Point(where="nowhere", function="service.storage.outbox:no_such"), 1)
