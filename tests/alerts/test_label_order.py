"""The order in which a message names alerts."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from alerts.label_order import compare, in_order

LABELS = {
    "by job": [{"job": "a", "x": "9"}, {"job": "b"}, {"x": "1"}],
    "by instance": [{"job": "a", "instance": "1"}, {"job": "a", "instance": "2"}, {"job": "a"}],
    "fewer labels first": [{"z": "9"}, {"a": "1", "b": "1"}],
    "by the first value that differs": [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": "2", "b": "1"}],
    "who lacks the first name comes first": [{"b": "1"}, {"a": "1"}],
}


@pytest.mark.parametrize("name", LABELS)
def test_alerts_have_one_order_however_they_come(name: str) -> None:
    wanted = LABELS[name]
    for order in permutations(range(len(wanted))):
        assert in_order([str(i) for i in order], lambda i: wanted[int(i)]) == [str(i) for i in range(len(wanted))]


def test_it_is_an_order() -> None:
    r = random.Random(1)
    some = [{n: r.choice("12") for n in r.sample(["job", "instance", "a", "b"], r.randint(0, 4))} for _ in range(60)]
    for one in some:
        assert compare(one, dict(one)) == 0
        for other in some:
            assert compare(one, other) == -compare(other, one)
