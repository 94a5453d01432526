"""The backlog, and the counter, with no thread and no socket."""

from __future__ import annotations

import threading

from claxon.backlog import Backlog
from claxon.tally import Tally


def taken(backlog: Backlog, count: int, size: int) -> list[bytes]:
    return [waiting.event for waiting in backlog.take(count, size)]


def test_events_leave_in_the_order_they_came() -> None:
    backlog = Backlog(10)
    for number in range(6):
        backlog.add(b"%d" % number, failed=number in (1, 4))

    assert taken(backlog, 10, 1000) == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_over_the_limit_the_oldest_success_goes_first_and_then_the_oldest_error() -> None:
    backlog = Backlog(3)
    for name, failed in (
        (b"e1", True),
        (b"s1", False),
        (b"s2", False),
        (b"e2", True),
        (b"e3", True),
        (b"e4", True),
    ):
        backlog.add(name, failed=failed)

    assert (backlog.size, backlog.dropped) == (3, 3)
    assert taken(backlog, 10, 1000) == [b"e2", b"e3", b"e4"]
    assert backlog.size == 0


def test_what_is_put_back_leaves_where_it_would_have() -> None:
    backlog = Backlog(10)
    for number in range(6):
        backlog.add(b"%d" % number, failed=number in (1, 4))
    first = backlog.take(4, 1000)

    backlog.put_back(first[1:])

    assert backlog.size == 5
    assert taken(backlog, 10, 1000) == [b"1", b"2", b"3", b"4", b"5"]


def test_an_event_larger_than_a_body_still_leaves() -> None:
    backlog = Backlog(3)
    backlog.add(b"x" * 100, failed=False)

    assert taken(backlog, 10, 10) == [b"x" * 100]


def test_a_tally_loses_no_count_between_threads() -> None:
    tally = Tally()
    threads = [threading.Thread(target=lambda: [tally.add() for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = [tally.value() for _ in range(100)]
    for thread in threads:
        thread.join()

    assert tally.value() == 20_000
    assert seen == sorted(seen)
