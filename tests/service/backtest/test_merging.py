"""Many files are one log; an event that was posted twice is one event."""

from __future__ import annotations

from pathlib import Path

import pytest
from claxon.event import Event
from hypothesis import given
from hypothesis import strategies as st

from service.backtest import blocks
from service.backtest.duplicates import Seen
from service.backtest.merging import merged
from service.backtest.reading import EventFile, Refused
from service.backtest.sources import Source
from tests.support.events import success
from tests.support.logs import traffic, wire, write


def read(*paths: Path) -> list[str | None]:
    """Return the request ids of the events of some files, in the order in which they arrive."""
    files = [EventFile(Source(path), Refused()) for path in paths]
    return [event.request_id for batch in merged(files) for event in batch]


def one_by_one(files: list[list[int]]) -> list[str]:
    """Return the same by the definition: the file whose next event is the earliest goes on."""
    left = [list(enumerate(times)) for times in files]
    order = []
    while any(left):
        _, index = min((events[0][1], index) for index, events in enumerate(left) if events)
        number, _ = left[index].pop(0)
        order.append(f"{index}.{number}")
    return order


@given(files=st.lists(st.lists(st.integers(0, 12), max_size=12), min_size=1, max_size=4), data=st.data())
def test_the_file_whose_next_event_is_the_earliest_goes_on(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]], data: st.DataObject
) -> None:
    """However the files are cut into blocks."""
    folder = tmp_path_factory.mktemp("merging")
    paths = [
        write(folder / f"{index}", [wire(at, request_id=f"{index}.{number}") for number, at in enumerate(times)])
        for index, times in enumerate(files)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", data.draw(st.sampled_from([1, 200, 500, 100_000])))
        found = read(*paths)

    assert found == one_by_one(files)


def test_files_that_follow_one_another_are_opened_when_their_turn_comes(tmp_path: Path) -> None:
    """A year of rotated files is read with as many open as one needs."""
    paths = [write(tmp_path / f"{day}", traffic(day * 100, day * 100 + 100)) for day in range(50)]
    sources = [Source(path) for path in reversed(paths)]
    most, latest = 0, 0.0
    for batch in merged([EventFile(source, Refused()) for source in sources]):
        latest = max(latest, batch[-1].at)
        begun = sum(source.read > 0 for source in sources)
        done = sum(source.read > 0 and latest >= 1_790_000_000 + (49 - i) * 100 for i, source in enumerate(sources))
        most = max(most, begun - done)

    assert most <= 2


# ── duplicates ────────────────────────────────────────────────────────────────


def event(name: str | None, app: str = "shop") -> Event:
    return success(0, event_id=name, app=app)


def test_an_id_counts_once() -> None:
    seen = Seen()

    assert len(seen.new([event("a"), event("b")])) == 2
    assert seen.new([event("b"), event("a")]) == []
    assert len(seen.new([event("c"), event("c"), event("a"), event("d")])) == 2
    assert seen.duplicates == 4


def test_events_without_an_id_are_never_duplicates() -> None:
    seen = Seen()

    assert len(seen.new([event(None), event("a"), event(None)])) == 3
    assert len(seen.new([event(None), event("a"), event(None)])) == 2
    assert seen.duplicates == 1


def test_an_apps_ids_are_its_own() -> None:
    seen = Seen()

    assert len(seen.new([event("a", "shop"), event("a", "web")])) == 2


def test_the_order_of_what_is_left_stays() -> None:
    seen = Seen()
    seen.new([event("b")])

    assert [e.event_id for e in seen.new([event("c"), event("b"), event(None), event("a")])] == ["c", None, "a"]


def test_as_many_ids_as_promised_are_known_and_old_ones_are_forgotten() -> None:
    seen = Seen(generation=100)
    for i in range(0, 1000, 10):
        assert len(seen.new([event(str(n)) for n in range(i, i + 10)])) == 10

    assert seen.new([event(str(n)) for n in range(900, 1000)]) == []
    assert len(seen.new([event(str(n)) for n in range(700)])) == 700
