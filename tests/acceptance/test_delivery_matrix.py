"""What a service does with each answer of a receiver: docs/reference/delivery.md, seen again."""

from __future__ import annotations

import pytest

from docs.delivery_matrix import CASES, PAGE, observe, page


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What waited, and what did not, is told apart by half a second: a busy machine gets a second look."""
    found = observe(tmp_path_factory.mktemp("matrix"))
    return found if page(found) == PAGE.read_text() else observe(tmp_path_factory.mktemp("again"))


def test_the_page_says_what_is_seen(seen: dict[str, list[str]]) -> None:
    assert PAGE.read_text() == page(seen)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("c4") and "429" not in name])
def test_what_is_refused_for_good_is_told_to_somebody_else(seen: dict[str, list[str]], name: str) -> None:
    assert seen[name][2:] == ["given up at once", "sent at once", "gets it at once"]


@pytest.mark.parametrize("name", ["c500", "c503", "hang", "reset"])
def test_trouble_of_one_page_keeps_no_other_page(seen: dict[str, list[str]], name: str) -> None:
    assert seen[name][2:] == ["again after up to 1 s, then taken", "sent at once", "–"]


@pytest.mark.parametrize("name", ["c429-seconds", "c429-date"])
def test_who_wants_fewer_messages_gets_none_for_as_long_as_it_asked(seen: dict[str, list[str]], name: str) -> None:
    assert seen[name][2:] == ["again after the 2 s it asked for, then taken", "waits with it", "–"]
