"""Nodes that own the partitions of a topic: every event is counted once, whatever happens to one of them."""

from __future__ import annotations

import pytest

from tests.support.counting import Counted, until
from tests.support.owning import Owners, Sender, everything_once

pytestmark = [pytest.mark.peer("kafka"), pytest.mark.peer("postgres")]


def test_a_single_owner_counts_all_partitions(owners: Owners, sender: Sender, counted: Counted) -> None:
    owners.start("a")
    sender.send(200)
    everything_once(counted, sender)
    until(lambda: len(counted.owners()) == 6)


def test_partitions_go_to_another_node_while_events_come(owners: Owners, sender: Sender, counted: Counted) -> None:
    first = owners.start("a")
    sender.begin()
    owners.start("b")
    until(lambda: len(counted.owners()) == 6 and len(set(counted.owners().values())) == 2)
    owners.start("c")
    until(lambda: len(set(counted.owners().values())) == 3)
    first.terminate()
    until(lambda: set(counted.owners().values()) == {"b", "c"})
    sender.end()
    everything_once(counted, sender)


def test_kill_9_in_the_middle_of_a_transaction_loses_nothing_and_counts_nothing_twice(
    owners: Owners, sender: Sender, counted: Counted
) -> None:
    first = owners.start("a")
    sender.begin()
    until(lambda: len(counted.events()) > 100)
    first.hold()
    first.kill9()
    owners.start("b")
    until(lambda: set(counted.owners().values()) == {"b"})
    sender.end()
    everything_once(counted, sender)


def test_a_node_that_stood_still_in_a_transaction_writes_nothing_once_another_took_over(
    owners: Owners, sender: Sender, counted: Counted
) -> None:
    first = owners.start("a")
    sender.begin()
    until(lambda: len(counted.events()) > 100)
    first.hold()
    first.pause()
    owners.start("b")
    until(lambda: set(counted.owners().values()) == {"b"})
    first.go_on()
    first.cont()
    until(lambda: set(counted.owners().values()) == {"a", "b"})
    sender.end()
    everything_once(counted, sender)
