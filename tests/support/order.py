"""The order in which the files of tests begin: the longest first.

What begins last is waited for by all workers but one. Named here are the files that take over ten seconds; the others
follow as they are found. A run that finds another such file says so.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.repository import ROOT

LONG_S = 20.0
"""A file that takes so long, on a machine that does nothing else, has its place below."""

LONGEST = (
    "tests/nodes/test_delivering.py",
    "tests/nodes/test_ingest_nodes.py",
    "tests/nodes/test_two_nodes.py",
    "tests/service/watch/test_blindness.py",
    "tests/acceptance/test_demo.py",
    "tests/alertmanager/test_timetables.py",
    "tests/nodes/test_faults.py",
    "tests/service/shards/test_gathering.py",
    "tests/acceptance/test_page_accessibility.py",
    "tests/nodes/kafka/test_pages.py",
    "tests/service/commands/test_top.py",
    "tests/nodes/test_starting.py",
    "tests/client/later/test_stores.py",
    "tests/acceptance/test_kill.py",
    "tests/service/durability/test_corruption.py",
    "tests/acceptance/test_page_in_chromium.py",
    "tests/nodes/kafka/test_owners.py",
    "tests/nodes/kafka/test_dashboard.py",
    "tests/nodes/kafka/test_conformance.py",
    "tests/nodes/kafka/test_topic.py",
    "tests/nodes/kafka/test_secured.py",
    "tests/nodes/test_partition_owner.py",
    "tests/service/backtest/test_command.py",
    "tests/nodes/test_front.py",
    "tests/nodes/test_rolling_upgrade.py",
    "tests/service/delivery/test_delivery.py",
    "tests/client/test_fault_matrix.py",
    "tests/alertmanager/test_peers_as_clients.py",
    "tests/acceptance/test_prometheus.py",
    "tests/service/durability/test_full_disk.py",
    "tests/service/commands/test_json.py",
    "tests/docs/test_site.py",
    "tests/engines/test_postgres.py",
    "tests/client/test_shipping_exit.py",
    "tests/client/test_environments.py",
    "tests/alerts/test_notifier_properties.py",
    "tests/alerts/test_oracle_properties.py",
    "tests/alerts/test_traces.py",
    "tests/service/shards/test_as_one_engine.py",
    "tests/service/test_slow_senders.py",
    "tests/service/test_hard_bodies.py",
    "tests/service/durability/test_backup.py",
    "tests/service/durability/test_kills.py",
    "tests/acceptance/test_first_light.py",
    "tests/acceptance/test_keys_of_a_process.py",
    "tests/client_ts/test_typescript.py",
    "tests/service/watch/test_heartbeat.py",
    "tests/service/storage/test_readers.py",
    "tests/acceptance/test_fifteen_days.py",
    "tests/dashboards/test_prometheus_rules.py",
    "tests/acceptance/test_native_histograms.py",
)


def place(item: pytest.Item) -> int:
    """Return which of all files an item's is: the first begins first."""
    return _PLACES.get(item.path.relative_to(ROOT).as_posix(), len(LONGEST))


_PLACES = {name: place for place, name in enumerate(LONGEST)}


def unplaced(seconds: Counter[str]) -> list[str]:
    """Return the files that took long and have no place, by what each took."""
    return [f"{name}: {took:.0f} s" for name, took in seconds.most_common() if took > LONG_S and name not in _PLACES]
