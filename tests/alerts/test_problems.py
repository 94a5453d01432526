"""alerts/problems.py: where something stands, and what may be shown of it."""

from __future__ import annotations

import pytest

from alerts.problems import MAX_SHOWN, Problem, nearest, shown


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ((), "7: less"),
        (("rules", 2, "error_rate", "above"), "rules[2].error_rate.above: 7: less"),
        ((1,), "[1]: 7: less"),
        (("labels", "a\nb"), "labels.'a\\nb': 7: less"),
        (("x" * 100,), "'" + "x" * (MAX_SHOWN - 2) + "…: 7: less"),
    ],
)
def test_a_problem_says_where_it_stands(path: tuple[str | int, ...], said: str) -> None:
    assert Problem(path, "7: less").said == said


def test_a_part_of_a_whole_says_the_whole_path() -> None:
    assert Problem(("by", 0), "x").under(("rules", 1)).where == "rules[1].by[0]"


def endless() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 10_000,
        lambda: 10**4000,
        lambda: 10**5000,
        lambda: {"a": [[[[1]]]]},
        endless,
        lambda: [[["x" * 100] * 100] * 100] * 100,
        lambda: float("nan"),
    ],
)
def test_any_value_is_shown_short_and_in_one_line(make: object) -> None:
    text = shown(make())  # type: ignore[operator]

    assert 0 < len(text) <= MAX_SHOWN
    assert "\n" not in text


def test_a_key_of_the_api_is_not_shown() -> None:
    assert "abcdef" not in shown("sk-ant-api03-abcdef")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("keep_fireing_for", "did you mean keep_firing_for?"),
        ("zzz", "one of keep_firing_for, by"),
        ("x" * 9999, "one of"),
    ],
)
def test_the_remedy_for_an_unknown_name_is_the_nearest_one(name: str, remedy: str) -> None:
    assert nearest(name, ["keep_firing_for", "by"]).startswith(remedy)
