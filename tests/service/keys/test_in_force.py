"""The keys in force: found by their hash, dead when they are to be, and not to be guessed."""

from __future__ import annotations

import dataclasses

import pytest

from alerts.config import KeyConfig
from service.keys import guesses
from service.keys.guesses import Guesses
from service.keys.in_force import Denied, Keys, Limit, Why
from service.keys.record import StoredKey
from service.settings import hash_key

NOON = 1_790_000_000.0
SECRET, OTHER = "a" * 40, "b" * 40
KEY = KeyConfig(name="ci", scope="ingest", sha256=hash_key(SECRET))


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def stored(key: KeyConfig = KEY, **ends: float | None) -> StoredKey:
    return StoredKey(row=1, key=key, created_at=NOON, created_by="ada", **ends)  # type: ignore[arg-type]


def why(keys: Keys, secret: str, address: str = "") -> Why | None:
    try:
        keys.find(secret, address)
    except Denied as fault:
        return fault.why
    return None


def test_a_key_is_found_and_another_is_not() -> None:
    keys = Keys([KEY])

    assert keys.find(SECRET) == KEY
    assert (why(keys, OTHER), why(keys, "")) == (Why.UNKNOWN, Why.MISSING)
    assert (keys.denied[Why.UNKNOWN], keys.denied[Why.MISSING]) == (1, 1)


def test_a_key_counts_until_the_instant_of_its_end_and_not_at_it() -> None:
    clock = Clock()
    keys = Keys(clock=clock)
    keys.adopt([stored(expires_at=NOON + 60)])

    clock.now = NOON + 59.999
    assert why(keys, SECRET) is None
    assert keys.alive() == [KEY]
    clock.now = NOON + 60
    assert why(keys, SECRET) is Why.EXPIRED
    assert keys.alive() == []


def test_an_overlap_ends_before_a_longer_life_and_a_life_before_a_longer_overlap() -> None:
    assert stored(expires_at=NOON + 5, overlap_until=NOON + 9).ends_at == NOON + 5
    assert stored(expires_at=NOON + 9, overlap_until=NOON + 5).ends_at == NOON + 5
    assert stored().ends_at is None


def test_a_key_that_is_dead_keeps_the_door_shut() -> None:
    """The last key was revoked because somebody had it: that must not let everybody in."""
    keys = Keys(clock=Clock())
    assert not keys.needed

    keys.adopt([stored(revoked_at=NOON)])

    assert keys.needed
    assert why(keys, SECRET) is Why.REVOKED


def test_beyond_loopback_a_key_is_needed_even_where_there_is_none() -> None:
    assert Keys(exposed=True).needed
    assert why(Keys(exposed=True), SECRET) is Why.UNKNOWN


def test_a_key_of_the_file_that_is_also_a_revoked_one_of_the_database_counts() -> None:
    """Whoever wrote it into the file since then meant it."""
    keys = Keys([KEY])
    keys.adopt([stored(revoked_at=NOON)])

    assert why(keys, SECRET) is None


# ── who tries keys ────────────────────────────────────────────────────────────


def test_an_address_that_tried_twenty_keys_is_not_heard_for_a_minute() -> None:
    steady = Clock(0.0)
    keys = Keys([KEY], steady=steady)

    tried = [why(keys, f"guess {n}", "10.0.0.1") for n in range(25)]

    assert tried == [Why.UNKNOWN] * 20 + [Why.GUESSING] * 5
    # The right one, found by guessing, is not told apart from a wrong one.
    assert why(keys, SECRET, "10.0.0.1") is Why.GUESSING
    assert why(keys, SECRET, "10.0.0.2") is None
    steady.now = guesses.PAUSE_S
    assert why(keys, SECRET, "10.0.0.1") is None


def test_what_an_app_has_wrong_does_not_shut_out_its_neighbour_at_the_same_address() -> None:
    keys = Keys([KEY], steady=Clock(0.0))
    assert why(keys, SECRET, "10.0.0.1") is None

    tried = [why(keys, OTHER, "10.0.0.1") for _ in range(25)]

    assert tried[-1] is Why.GUESSING
    assert why(keys, SECRET, "10.0.0.1") is None


def test_a_revoked_key_or_none_at_all_guesses_nothing() -> None:
    keys = Keys(clock=Clock(), steady=Clock(0.0))
    keys.adopt([stored(revoked_at=NOON)])

    assert {why(keys, SECRET, "10.0.0.1") for _ in range(50)} == {Why.REVOKED}
    assert {why(keys, "", "10.0.0.1") for _ in range(50)} == {Why.MISSING}
    assert why(keys, OTHER, "10.0.0.1") is Why.UNKNOWN


def test_twenty_tries_in_more_than_a_minute_are_no_guessing() -> None:
    steady = Clock(0.0)
    keys = Keys([KEY], steady=steady)
    for _ in range(60):
        assert why(keys, OTHER, "10.0.0.1") is Why.UNKNOWN
        steady.now += 4


def test_all_addresses_of_one_network_of_ipv6_are_one() -> None:
    found = Guesses()
    blocked = [found.failed(f"2001:db8::{n:x}", 0.0) for n in range(guesses.MOST)]

    assert blocked == [False] * (guesses.MOST - 1) + [True]
    assert found.wait_s("2001:db8::ffff:1", 1.0) == guesses.PAUSE_S - 1
    assert found.wait_s("2001:db8:0:1::1", 1.0) == 0.0
    assert len(found) == 1


def test_an_address_of_ipv4_is_the_same_however_it_is_written() -> None:
    found = Guesses()
    for _ in range(guesses.MOST):
        found.failed("::ffff:10.0.0.1", 0.0)

    assert found.wait_s("10.0.0.1", 1.0) > 0


def test_the_table_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "ADDRESSES", 100)
    found = Guesses()
    for n in range(500):
        found.failed(f"10.0.{n // 250}.{n % 250}", 0.0)

    assert len(found) == 100


def test_where_a_key_was_seen_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.keys.in_force.ADDRESSES", 10)
    keys = Keys([KEY])
    for n in range(100):
        keys.find(SECRET, f"10.0.0.{n}")

    assert len(keys._known[KEY.sha256].seen_from) == 10


# ── limits ────────────────────────────────────────────────────────────────────

LIMITED = dataclasses.replace(KEY, events_per_second=10.0, requests_per_second=2.0, burst_s=1.0)


def test_events_and_requests_are_limited_each_by_its_own_rate() -> None:
    keys = Keys([LIMITED], steady=Clock(0.0))

    assert [keys.request(LIMITED) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert keys.spend(LIMITED, 10, NOON) == 0.0
    assert keys.spend(LIMITED, 5, NOON) == 0.5
    assert keys.limited == {("ci", Limit.EVENTS): 1, ("ci", Limit.REQUESTS): 1}


def test_a_key_without_limits_and_no_key_never_wait() -> None:
    keys = Keys([KEY])

    assert {keys.spend(KEY, 10_000, NOON) for _ in range(100)} == {0.0}
    assert keys.spend(None, 10_000, NOON) == 0.0
    assert keys.limited == {}


def test_a_rotated_key_shares_what_its_name_may_spend() -> None:
    keys = Keys(clock=Clock())
    keys.adopt([stored(LIMITED)])
    keys.spend(LIMITED, 10, NOON)
    new = dataclasses.replace(LIMITED, sha256=hash_key(OTHER))

    keys.adopt([stored(LIMITED, overlap_until=NOON + 60), stored(new)])

    assert keys.spend(new, 10, NOON) == 1.0
    assert keys.spend(LIMITED, 10, NOON) == 1.0


def test_other_limits_begin_with_a_full_bucket() -> None:
    keys = Keys([LIMITED])
    keys.spend(LIMITED, 10, NOON)
    wider = dataclasses.replace(LIMITED, events_per_second=100.0)

    keys.replace([wider])

    assert keys.spend(wider, 100, NOON) == 0.0


def test_when_a_key_was_used_is_known_over_a_change_of_keys() -> None:
    clock = Clock()
    keys = Keys([KEY], clock=clock)
    assert keys.uses() == {}
    keys.find(SECRET)
    clock.now += 60

    keys.replace([KEY, dataclasses.replace(KEY, name="other", sha256=hash_key(OTHER))])

    assert keys.uses() == {KEY.sha256: NOON}
