"""Each partition is proved by itself, from as far back as its log and its snapshots reach."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from alerts.default_rules import DEFAULT_RULES
from service.shards.proof import PartitionProof, prove
from service.storage.database import open_reader
from service.storage.places import PostgresUrl
from tests.support.events import NOON, exhausted, success
from tests.support.partitions import Tier

APPS = ("a", "b", "cart", "d", "e", "y")


@pytest.fixture
def tier(url: str) -> Iterator[Tier]:
    tier = Tier(url, DEFAULT_RULES)
    for n in range(10):
        now = NOON + 5 * n
        tier.observe([event for app in APPS for event in (exhausted(now, app=app), success(now, app=app))], now=now)
    yield tier
    tier.close()


def proved(tier: Tier) -> list[PartitionProof]:
    reader = open_reader(PostgresUrl(tier.url))
    try:
        return list(prove(reader, tier.log))
    finally:
        reader.close()


def test_every_partition_decides_the_same_again(tier: Tier) -> None:
    proofs = proved(tier)

    assert [proof.partition for proof in proofs] == [0, 1, 2]
    assert all(proof.same and proof.decisions > 5 for proof in proofs)
    assert [proof.committed for proof in proofs] == [owned.tenure.standing.hash for owned in tier.owned]


def test_a_message_that_was_changed_is_found_in_its_partition_alone(tier: Tier) -> None:
    for owned in tier.owned:
        owned.shard.snapshot()
    changed = tier.owned[1]
    now = tier.clock.now + 1
    tier.observe([event for app in APPS for event in [exhausted(now, app=app)] * 9], now=now)
    tier.observe([], now=now + 1)
    messages = tier.log.messages[1]
    newest = messages[-1].envelope
    other = next(m.envelope for m in tier.log.messages[0] if m.offset)
    messages[-1] = type(messages[-1])(messages[-1].offset, now, msgspec.structs.replace(newest, body=other.body))

    assert [proof.same for proof in proved(tier)] == [True, False, True]
    assert changed.tenure.standing.hash == proved(tier)[1].committed


def test_what_is_gone_from_the_log_is_counted(tier: Tier) -> None:
    tier.log.messages[2].clear()

    proofs = proved(tier)

    assert [proof.same for proof in proofs] == [True, True, False]
    assert [proof.lost > 0 for proof in proofs] == [False, False, True]
