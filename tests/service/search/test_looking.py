"""A search finds what a look at every event of the log finds, in the same order, page by page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.matchers import parse_matcher
from service.search.indexer import Indexer
from service.search.looking import Answer, Found, search
from service.search.places import Cursor, parse_cursor
from service.search.wanted import Outcome, Wanted
from service.storage.database import ReadTransaction
from tests.support.event_rows import Rows, holds, place
from tests.support.events import NOON
from tests.support.random_logs import SEVERAL

ERRORS: list[dict[str, Any]] = [
    {"status": 200},
    {"status": 200},
    {"status": 500, "request_id": "req_1"},
    {"status": 529, "error_type": "overloaded_error", "call_id": "call_ü"},
    {"status": 429, "error_type": "rate_limit_error", "request_id": "req_2", "call_id": "call_1"},
    {"status": 401},
    {"error_type": "cancelled"},
]
EVENTS = st.builds(
    lambda what, app, environment, path, late: (
        what | {"model": "m", "app": app, "environment": environment, "path": path, "late": late}
    ),
    st.sampled_from(ERRORS),
    st.sampled_from(["shop", "chat/ü", "x"]),
    st.sampled_from(["", "prod"]),
    st.sampled_from(["/v1/messages", "/a"]),
    st.sampled_from([0, 0, 0, 1, 1, 7, 100]),
)
FAILING = EVENTS.map(lambda event: event | {"status": 500})
BATCHES = st.one_of(
    st.lists(EVENTS, min_size=1, max_size=8),
    st.lists(FAILING, min_size=60, max_size=70),
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "app": st.sampled_from(["shop", "chat/ü", "nobody"]),
        "environment": st.sampled_from(["", "prod"]),
        "category": st.sampled_from(["server", "rate_limit", "cancelled", "overloaded"]),
        "path": st.sampled_from(["/v1/messages", "/a"]),
        "error_type": st.sampled_from(["overloaded_error", "api_error"]),
        "status": st.sampled_from([500, 429, 529]),
        "request_id": st.sampled_from(["req_1", "req_2", "req_3"]),
        "call_id": st.sampled_from(["call_1", "call_ü"]),
    },
)


@contextmanager
def rows_in_a_new_folder() -> Iterator[Rows]:
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(Path(folder))
        yield rows
        rows.close()


def indexer_of(rows: Rows) -> Indexer:
    return Indexer(rows, lambda: rows.reader, enough=20, rows=6, block=5)


def ask(rows: Rows, wanted: Wanted, *, limit: int, after: Cursor | None = None) -> Answer:
    with ReadTransaction(rows.reader):
        return search(rows.reader, wanted, limit=limit, after=after, over=lambda: False)


def all_pages(rows: Rows, wanted: Wanted, *, limit: int) -> list[Found]:
    found: list[Found] = []
    answer = ask(rows, wanted, limit=limit)
    while answer.next is not None:
        assert len(answer.found) <= limit
        found += answer.found
        answer = ask(rows, wanted, limit=limit, after=parse_cursor(answer.next.text()))
    return found + answer.found


def append(rows: Rows, batch: list[dict[str, Any]], *, at: float, skipping: int, noted: bool = True) -> None:
    events = [{name: value for name, value in e.items() if name != "late"} | {"time": at - e["late"]} for e in batch]
    skip = list(range(0, len(events), skipping)) if skipping > 1 else []
    rows.append(events, at=at, skip=skip, noted=noted)


@SEVERAL
@given(
    log=st.lists(st.tuples(BATCHES, st.sampled_from([0, 0, 0, 2, 3])), min_size=1, max_size=25),
    sorted_at=st.lists(st.integers(0, 24), max_size=4),
    before_the_index=st.sampled_from([0, 0, 3, 10]),
    pruned=st.sampled_from([0, 0, 2, 9]),
    asked=ASKED,
    since=st.sampled_from([-inf, NOON + 5, NOON + 12.0]),
    until=st.sampled_from([inf, NOON + 9, NOON + 20.0]),
    matcher=st.sampled_from(["", 'status=~"5.."', 'category!="server"', 'final="true"']),
    outcome=st.sampled_from([Outcome.FAILED, Outcome.FAILED, Outcome.OK, Outcome.ALL]),
    limit=st.sampled_from([1, 3, 10, 1000]),
)
def test_a_search_finds_what_a_look_at_every_event_finds(
    log: list[tuple[list[dict[str, Any]], int]],
    sorted_at: list[int],
    before_the_index: int,
    pruned: int,
    asked: dict[str, Any],
    since: float,
    until: float,
    matcher: str,
    outcome: Outcome,
    limit: int,
) -> None:
    matchers = (parse_matcher(matcher),) if matcher else ()
    wanted = Wanted(**asked, since=since, until=until, matchers=matchers, outcome=outcome)
    with rows_in_a_new_folder() as rows:
        indexer = indexer_of(rows)
        for number, (batch, skipping) in enumerate(log):
            append(rows, batch, at=NOON + number, skipping=skipping, noted=number >= before_the_index)
            if number in sorted_at:
                indexer.step(rows.reader)
        rows.connection.execute("DELETE FROM event_log WHERE offset <= ?", (pruned,))

        found = all_pages(rows, wanted, limit=limit)

        expected = [
            one
            for one in rows.every()
            if holds(one.event, asked)
            and since <= one.event.at <= until
            and all(m.matches(_label(one, m.name)) for m in matchers)
            and _became(outcome, one.event.category, asked.get("category"))
        ]
        if outcome is Outcome.FAILED and before_the_index == 0:
            assert found == sorted(expected, key=place, reverse=True)
        elif outcome is Outcome.FAILED:
            assert sorted(found, key=place) == sorted(expected, key=place)
        else:
            assert found == sorted(expected, key=lambda one: (one.offset, one.index), reverse=True)


def _label(found: Found, name: str) -> str:
    value = getattr(found.event, name)
    return str(value).lower() if isinstance(value, bool) else str("" if value is None else value)


def _became(outcome: Outcome, category: str, asked: str | None) -> bool:
    match outcome:
        case Outcome.FAILED:
            return category != "ok" and (category != "cancelled" or asked == "cancelled")
        case Outcome.OK:
            return category == "ok"
    return True


def test_pages_do_not_change_while_the_old_log_is_being_indexed() -> None:
    with rows_in_a_new_folder() as rows:
        for number in range(40):
            append(
                rows,
                [ERRORS[2] | {"model": "m", "app": "shop", "late": 0}] * 3,
                at=NOON + number,
                skipping=0,
                noted=number > 30,
            )
        first = ask(rows, Wanted(), limit=50)
        while indexer_of(rows).step(rows.reader):
            pass

        rest = []
        after = first.next
        while after is not None:
            answer = ask(rows, Wanted(), limit=50, after=after)
            rest += answer.found
            after = answer.next

        assert [place(one) for one in first.found + rest] == sorted(map(place, rows.every()), reverse=True)
        assert rows.connection.execute("SELECT last FROM failures_unindexed").fetchone()[0] < 1


def test_a_search_whose_time_is_over_says_how_far_it_looked_and_goes_on_there() -> None:
    with rows_in_a_new_folder() as rows:
        for number in range(60):
            append(rows, [ERRORS[2] | {"model": "m", "app": "shop", "late": number % 7}], at=NOON + number, skipping=0)
            indexer_of(rows).step(rows.reader)
        found: list[Found] = []
        after, stops = None, []
        for _ in range(100):
            looks = iter(range(3))
            with ReadTransaction(rows.reader):
                answer = search(
                    rows.reader, Wanted(), limit=50, after=after, over=lambda looks=looks: next(looks, None) is None
                )
            found += answer.found
            after = answer.next
            if after is None:
                break
            stops.append(answer.stopped_at)

        assert [place(one) for one in found] == sorted(map(place, rows.every()), reverse=True)
        assert len(stops) > 5
        assert None not in stops
        assert stops == sorted(stops, reverse=True)


@pytest.mark.parametrize("text", ["", "!", "AAAA", "e30", "WzFd", "ü"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="send `next`"):
        parse_cursor(text)
