"""What stores promise: the same tests, on each of them."""

from __future__ import annotations

import os
import threading
import time

import pytest
from claxon.later import QueueFull, Reason, State, Store
from claxon.later.job import Lease
from claxon.later.sqs_store import SqsStore

from tests.client.later.stores import CONTENT, KEEP_S, Kept, add, open_kept

REASON = Reason(category="overloaded", type="overloaded_error", status=529, request_id="req_1")

IN_REDIS = [pytest.param(kind, marks=pytest.mark.peer("redis")) for kind in ("redis", "redis, decoding")]
IN_SQS = [pytest.param(kind, marks=pytest.mark.peer("moto")) for kind in ("sqs", "sqs, fifo")]
BY_NAME = ("sqlite", *IN_REDIS)
"""Stores that know each job by its id and its key."""


@pytest.fixture(params=BY_NAME)
def kept(request: pytest.FixtureRequest) -> Kept:
    return open_kept(request, request.param)


@pytest.fixture(params=(*BY_NAME, *IN_SQS))
def every(request: pytest.FixtureRequest) -> Kept:
    return open_kept(request, request.param)


def take(kept: Kept, most: int = 10, lease_s: float = 60.0) -> list[Lease]:
    return kept.store.take(lease_s=lease_s, most=most)


def take_each(kept: Kept, number: int) -> list[Lease]:
    """Take so many jobs; SQS gives them in several answers, and now and then an empty one."""
    leases: list[Lease] = []
    deadline = time.monotonic() + 10
    while len(leases) < number and time.monotonic() < deadline:
        leases += take(kept, most=number - len(leases))
    return leases


# ── what all of them promise ──────────────────────────────────────────────────────────────────────


def test_what_was_deferred_here_can_be_taken_there(every: Kept) -> None:
    ticket = add(every.store, "order-17")

    (lease,) = every.again().take(lease_s=60, most=10)

    assert (lease.job.id, lease.job.key, lease.job.state) == (ticket.id, "order-17", State.RUNNING)
    assert (lease.job.runs, lease.job.lost, lease.job.content) == (1, 0, CONTENT)


def test_a_job_that_is_done_is_nobodys_any_more(every: Kept) -> None:
    add(every.store)
    (lease,) = take_each(every, 1)

    finished = every.store.finish(lease)

    assert finished
    assert take(every) == []
    assert every.store.stats().waiting == every.store.stats().running == 0


def test_a_job_put_back_is_run_again_and_remembers_why(every: Kept) -> None:
    add(every.store, "order-17")
    (first,) = take_each(every, 1)

    every.store.put_back(first, after_s=0, reason=REASON, counted=True)
    (second,) = take_each(every, 1)
    every.store.put_back(second, after_s=0, reason=None, counted=False)
    (third,) = take_each(every, 1)

    assert [(lease.job.runs, lease.job.lost) for lease in (second, third)] == [(2, 0), (2, 0)]
    assert (third.job.key, third.job.reason, third.job.content) == ("order-17", REASON, CONTENT)


def test_a_buried_job_is_a_dead_letter_with_its_reason_until_all_are_driven_again(every: Kept) -> None:
    tickets = [add(every.store, f"job-{number}") for number in range(12)]
    for lease in take_each(every, 12):
        every.store.bury(lease, REASON)

    dead = every.store.jobs(State.DEAD, most=20)
    few = every.store.jobs(State.DEAD, most=3)
    none_left = take(every)
    counted = every.store.stats().dead
    driven = every.store.retry(None)
    again = take_each(every, 12)

    assert {job.id for job in dead} == {ticket.id for ticket in tickets}
    assert {(job.reason, job.content, job.state) for job in dead} == {(REASON, CONTENT, State.DEAD)}
    assert (len(few), none_left, counted, driven) == (3, [], 12, 12)
    assert [(lease.job.runs, lease.job.lost) for lease in again] == [(1, 0)] * 12
    assert every.store.stats().dead == 0


def test_a_dead_job_is_found_driven_again_and_dropped_by_name(every: Kept) -> None:
    tickets = [add(every.store, f"job-{number}") for number in range(3)]
    for lease in take_each(every, 3):
        every.store.bury(lease, REASON)

    found = every.store.find(tickets[0].id)
    driven = every.store.retry("job-1")
    dropped = every.store.drop("job-2")

    assert found is not None
    assert found.key == "job-0"
    assert (driven, dropped) == (1, True)
    assert [lease.job.key for lease in take_each(every, 1)] == ["job-1"]
    assert [job.key for job in every.store.jobs(State.DEAD, most=9)] == ["job-0"]


def test_a_lease_is_one_workers_alone_and_ends_by_itself(every: Kept) -> None:
    add(every.store, "order-17")

    (first,) = take(every, lease_s=1)
    meanwhile = every.again().take(lease_s=60, most=10)
    every.wind(1.1)
    (second,) = take_each(every, 1)
    late = [every.store.renew(first, lease_s=60), every.store.finish(first)]

    assert meanwhile == []
    assert (second.job.runs, second.job.lost) == (2, 1)
    assert late == [False, False]


def test_a_renewed_lease_outlives_its_first_end(every: Kept) -> None:
    add(every.store)
    (lease,) = take(every, lease_s=1)

    renewed = every.store.renew(lease, lease_s=60)
    every.wind(1.1)

    assert renewed
    assert take(every) == []
    assert every.store.finish(lease)


def test_a_queue_that_is_full_refuses(every: Kept) -> None:
    add(every.store)
    add(every.store)

    with pytest.raises(QueueFull, match=r"2 jobs wait: shed load, start more workers, or raise most_waiting"):
        add(every.again(), most_waiting=2)


def test_many_workers_take_every_job_once(every: Kept) -> None:
    for number in range(60):
        add(every.store, f"job-{number}")
    taken: list[str] = []

    def work(store: Store) -> None:
        while leases := store.take(lease_s=60, most=3):
            for lease in leases:
                taken.append(lease.job.key)
                assert store.finish(lease)

    threads = [threading.Thread(target=work, args=(every.again(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # SQS promises at least once, and what speaks as it does gives a message twice now and then.
    seen = set(taken) if isinstance(every.store, SqsStore) else taken
    assert sorted(seen) == sorted(f"job-{number}" for number in range(60))


# ── what those promise that know a job by its name ────────────────────────────────────────────────


def test_what_was_added_is_there_for_another_process(kept: Kept) -> None:
    ticket = add(kept.store, "order-17")

    found = kept.again().find(ticket.id)

    assert ticket.new
    assert found is not None
    assert (found.key, found.state, found.runs) == ("order-17", State.WAITING, 0)
    assert found.arguments["model"] == "m"


def test_the_same_key_again_is_the_same_job_in_every_state(kept: Kept) -> None:
    first = add(kept.store, "order-17")

    states = [add(kept.store, "order-17")]
    (lease,) = take(kept)
    states.append(add(kept.store, "order-17"))
    kept.store.finish(lease)
    states.append(add(kept.store, "order-17"))

    assert [ticket.state for ticket in states] == ["waiting", "running", "done"]
    assert {ticket.id for ticket in states} == {first.id}
    assert [ticket.new for ticket in states] == [False] * 3


def test_a_key_is_forgotten_when_its_job_was_done_long_ago(kept: Kept) -> None:
    first = add(kept.store, "order-17")
    kept.store.finish(take(kept)[0])

    kept.wind(KEEP_S + 1)
    second = add(kept.store, "order-17")

    assert second.new
    assert second.id != first.id


def test_a_job_without_a_key_is_always_new_and_has_its_id_for_a_key(kept: Kept) -> None:
    first, second = add(kept.store), add(kept.store)

    assert first.id != second.id
    assert first.key == first.id


def test_the_earliest_due_comes_first_and_what_is_not_due_does_not_come(kept: Kept) -> None:
    for key, after_s in (("third", 30.0), ("first", 10.0), ("second", 20.0), ("later", 100.0)):
        add(kept.store, key, after_s=after_s)

    early = take(kept)
    kept.wind(50)
    due = [lease.job.key for lease in take(kept)]

    assert early == []
    assert due == ["first", "second", "third"]


def test_of_jobs_due_at_once_the_first_deferred_comes_first(kept: Kept) -> None:
    for number in range(20):
        add(kept.store, f"job-{number:02}")

    assert [lease.job.key for lease in take(kept, most=20)] == [f"job-{number:02}" for number in range(20)]


def test_a_leased_job_is_nobody_elses_until_its_lease_ends(kept: Kept) -> None:
    add(kept.store, "order-17")

    (first,) = take(kept, lease_s=60)
    meanwhile = kept.again().take(lease_s=60, most=10)
    kept.wind(61)
    (second,) = take(kept)

    assert meanwhile == []
    assert (first.job.runs, first.job.lost) == (1, 0)
    assert (second.job.runs, second.job.lost) == (2, 1)
    assert second.token != first.token


def test_who_lost_the_lease_settles_nothing(kept: Kept) -> None:
    """A worker that hung, and wakes up after another has taken its job over."""
    add(kept.store, "order-17")
    (old,) = take(kept, lease_s=60)
    kept.wind(61)
    (new,) = take(kept)

    store = kept.store
    told = [
        store.renew(old, lease_s=60),
        store.finish(old),
        store.put_back(old, after_s=0, reason=REASON, counted=True),
        store.bury(old, REASON),
    ]

    assert told == [False] * 4
    assert store.finish(new)


def test_a_job_put_back_waits_as_long_as_it_was_told_and_remembers_why(kept: Kept) -> None:
    ticket = add(kept.store)
    (lease,) = take(kept)

    kept.store.put_back(lease, after_s=30, reason=REASON, counted=True)
    early = take(kept)
    kept.wind(31)
    (again,) = take(kept)

    assert early == []
    assert again.job.id == ticket.id
    assert (again.job.runs, again.job.lost, again.job.reason) == (2, 0, REASON)


def test_a_run_that_does_not_count_was_none(kept: Kept) -> None:
    add(kept.store)

    kept.store.put_back(take(kept)[0], after_s=0, reason=None, counted=False)

    assert take(kept)[0].job.runs == 1


def test_a_job_that_is_done_keeps_its_key_and_no_prompt(kept: Kept) -> None:
    ticket = add(kept.store, "order-17")

    kept.store.finish(take(kept)[0])
    kept.wind(1000)
    found = kept.store.find("order-17")

    assert take(kept) == []
    assert found is not None
    assert (found.id, found.state, found.content) == (ticket.id, State.DONE, b"")


def test_a_dead_job_stays_with_its_reason_and_its_prompt(kept: Kept) -> None:
    ticket = add(kept.store)

    kept.store.bury(take(kept)[0], REASON)
    kept.wind(10**6)
    (found,) = kept.store.jobs(State.DEAD, most=10)

    assert take(kept) == []
    assert (found.id, found.reason) == (ticket.id, REASON)
    assert found.content


def test_dead_jobs_driven_again_begin_anew(kept: Kept) -> None:
    for _ in range(3):
        add(kept.store)
    for lease in take(kept):
        kept.store.bury(lease, REASON)

    kept.wind(100)
    driven = kept.store.retry(None)
    leases = take(kept)

    assert driven == 3
    assert [(lease.job.runs, lease.job.lost) for lease in leases] == [(1, 0)] * 3
    assert all(lease.taken_at - lease.job.deferred_at < 1 for lease in leases)


def test_one_dead_job_is_driven_again_by_id_or_key(kept: Kept) -> None:
    tickets = [add(kept.store, f"job-{number}") for number in range(3)]
    for lease in take(kept):
        kept.store.bury(lease, REASON)

    driven = [kept.store.retry(tickets[0].id), kept.store.retry("job-1"), kept.store.retry("nobody")]

    assert driven == [1, 1, 0]
    assert {lease.job.key for lease in take(kept)} == {"job-0", "job-1"}


def test_a_waiting_job_can_be_made_due_now(kept: Kept) -> None:
    ticket = add(kept.store, after_s=1000)

    assert kept.store.retry(ticket.id) == 1
    assert [lease.job.id for lease in take(kept)] == [ticket.id]


@pytest.mark.parametrize("state", ["waiting", "running", "done", "dead"])
def test_a_job_of_any_state_can_be_dropped_and_its_key_used_anew(kept: Kept, state: str) -> None:
    first = add(kept.store, "order-17")
    if state != "waiting":
        (lease,) = take(kept)
        if state == "done":
            kept.store.finish(lease)
        elif state == "dead":
            kept.store.bury(lease, REASON)

    dropped = [kept.store.drop(first.id), kept.store.drop(first.id)]
    second = add(kept.store, "order-17")

    assert dropped == [True, False]
    assert second.new
    assert [lease.job.id for lease in take(kept)] == [second.id]
    assert kept.store.stats().waiting == 0


def test_only_jobs_done_long_ago_are_purged(kept: Kept) -> None:
    add(kept.store, "old")
    kept.store.finish(take(kept)[0])
    kept.wind(100)
    add(kept.store, "new")
    kept.store.finish(take(kept)[0])
    add(kept.store, "waits")

    purged = kept.store.purge(older_s=50)

    assert purged == 1
    assert {job.key for job in kept.store.jobs(None, most=10)} == {"new", "waits"}


def test_many_done_jobs_are_purged_in_pieces_but_all(kept: Kept) -> None:
    for _ in range(1100):
        add(kept.store, most_waiting=2000)
    while leases := take(kept, most=200):
        for lease in leases:
            kept.store.finish(lease)

    assert kept.store.purge(older_s=0) == 1100
    assert kept.store.stats().done == 0


def test_a_full_queue_refuses_a_new_job_and_knows_an_old_one(kept: Kept) -> None:
    add(kept.store, "a", most_waiting=2)
    add(kept.store, "b", most_waiting=2)
    take(kept, most=1)

    with pytest.raises(QueueFull, match=r"2 jobs wait: shed load, start more workers, or raise most_waiting"):
        add(kept.store, "c", most_waiting=2)

    assert add(kept.store, "a", most_waiting=2).new is False


def test_the_counts_are_those_of_the_jobs(kept: Kept) -> None:
    for number in range(7):
        add(kept.store, f"job-{number}", after_s=0 if number < 6 else 1000)
    leases = take(kept, most=4)
    kept.store.finish(leases[0])
    kept.store.bury(leases[1], REASON)
    kept.store.put_back(leases[2], after_s=0, reason=REASON, counted=True)
    kept.store.drop("job-5")

    kept.wind(5)
    stats = kept.store.stats()

    assert (stats.waiting, stats.running, stats.done, stats.dead) == (3, 1, 1, 1)
    assert stats.oldest_due_s == pytest.approx(5.0)


def test_an_empty_queue_has_nothing_due(kept: Kept) -> None:
    add(kept.store, after_s=60)

    assert kept.store.stats().oldest_due_s is None


def test_jobs_are_listed_by_state(kept: Kept) -> None:
    for number in range(4):
        add(kept.store, f"job-{number}", after_s=number)
    (lease,) = take(kept, most=1)
    kept.store.bury(lease, REASON)

    assert [job.key for job in kept.store.jobs(State.WAITING, most=2)] == ["job-1", "job-2"]
    assert [job.key for job in kept.store.jobs(State.DEAD, most=2)] == ["job-0"]
    assert [job.key for job in kept.store.jobs(None, most=10)] == ["job-1", "job-2", "job-3", "job-0"]


def test_many_who_defer_one_key_make_one_job(kept: Kept) -> None:
    stores = [kept.again() for _ in range(6)]
    tickets = []
    ready = threading.Barrier(len(stores))

    def defer(store: Store) -> None:
        ready.wait()
        tickets.append(add(store, "order-17"))

    threads = [threading.Thread(target=defer, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tickets) == 6
    assert len({ticket.id for ticket in tickets}) == 1
    assert [ticket.new for ticket in tickets].count(True) == 1


def test_a_store_that_was_closed_opens_again(kept: Kept) -> None:
    add(kept.store, "order-17")

    kept.store.close()

    assert kept.store.find("order-17") is not None


def test_a_forked_child_has_connections_of_its_own(kept: Kept) -> None:
    add(kept.store, "parent")

    child = os.fork()
    if child == 0:
        try:
            add(kept.store, "child")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    add(kept.store, "parent again")

    assert {job.key for job in kept.store.jobs(None, most=10)} == {"parent", "child", "parent again"}
