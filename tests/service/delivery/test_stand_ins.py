"""Who is told instead of a receiver that refuses, is gone, or did not answer in time."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from alerts.notification import Notification
from tests.support.delivering import FINE, QUICK, REJECTED, TWO, apps_told, config, deliveries, statuses
from tests.support.pager import Pager
from tests.support.running import Running, until


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_page_that_is_refused_goes_at_once_to_the_other_receiver_and_says_so(tmp_path: Path, status: int) -> None:
    with Pager(status) as first, Pager() as second:
        settings = TWO.format(first=first.url, second=second.url)
        with Running(tmp_path, config=settings) as claxon:
            claxon.post([REJECTED])

            page = second.wait_for(1, within=3)[0].json
            assert page["receiver"] == "backup"
            assert page["status"] == "firing"
            assert until(lambda: [d["state"] for d in deliveries(claxon)] == ["delivered", "failed"], 3)
            stand_in = deliveries(claxon)[0]
            assert stand_in["origin"] == "pager/webhook/0"
            assert len(first.received) == 1
            undelivered = claxon.core(lambda: told(claxon, stand_in["id"]).undelivered)
            assert undelivered.startswith(f"pager/webhook: {first.url}: answered {status}")


def told(claxon: Running, row: int) -> Notification:
    query = "SELECT notification FROM outbox WHERE id = ?"
    body = claxon.service.core.connection.execute(query, (row,)).fetchone()[0]
    return msgspec.msgpack.decode(body, type=Notification)


def test_the_end_of_a_page_goes_to_who_took_its_beginning(tmp_path: Path) -> None:
    with Pager(401) as first, Pager() as second:
        settings = TWO.format(first=first.url, second=second.url)
        with Running(tmp_path, config=settings, rules=[QUICK]) as claxon:
            claxon.post([REJECTED])
            claxon.post([FINE])

            assert until(lambda: statuses(second) == ["firing", "resolved"], 10), statuses(second)
            assert statuses(first) == ["firing"]
            assert until(lambda: len(deliveries(claxon)) == 4, 3)
            assert sorted(d["state"] for d in deliveries(claxon)) == ["cancelled", "delivered", "delivered", "failed"]


def test_who_stands_in_is_told_of_the_end_though_the_other_one_wants_no_ends(tmp_path: Path) -> None:
    with Pager(401) as first, Pager() as second:
        settings = TWO.format(first=first.url, second=second.url)
        settings = settings.replace(f"{first.url}'", f"{first.url}', send_resolved: false")
        with Running(tmp_path, config=settings, rules=[QUICK]) as claxon:
            claxon.post([REJECTED])
            claxon.post([FINE])

            assert until(lambda: statuses(second) == ["firing", "resolved"], 10), statuses(second)
            assert statuses(first) == ["firing"]


def test_what_the_stand_in_refuses_too_is_not_sent_round_but_counted(tmp_path: Path) -> None:
    with Pager(401) as first, Pager(403) as second:
        settings = TWO.format(first=first.url, second=second.url)
        with Running(tmp_path, config=settings) as claxon:
            claxon.post([REJECTED])

            assert until(lambda: [d["state"] for d in deliveries(claxon)] == ["failed", "failed"], 5)
            assert (len(first.received), len(second.received)) == (1, 1)
            metrics = claxon.get("/metrics")
            assert 'claxon_pages_handed_over_total{kind="webhook",receiver="pager"} 1.0' in metrics
            assert 'claxon_pages_lost_total{kind="webhook",receiver="backup"} 1.0' in metrics


def test_a_refused_end_alone_wakes_nobody_and_the_ledger_says_that_it_still_fires_there(tmp_path: Path) -> None:
    with Pager(200, 400) as first, Pager() as second:
        settings = TWO.format(first=first.url, second=second.url)
        with Running(tmp_path, config=settings, rules=[QUICK]) as claxon:
            claxon.post([REJECTED])
            claxon.post([FINE])

            assert until(lambda: statuses(first) == ["firing", "resolved"], 10)
            assert until(lambda: claxon.get("/v1/ledger?what=failed")["ledger"], 3)
            note = claxon.get("/v1/ledger?what=failed")["ledger"][0]["note"]
            assert note.startswith("resolved to pager/webhook/0, where it still fires: ")
            assert second.received == []


def test_a_page_that_waits_for_a_receiver_that_is_gone_is_told_once_to_who_is_there(tmp_path: Path) -> None:
    with Pager(500) as first, Pager() as second:
        with Running(tmp_path, config=TWO.format(first=first.url, second=second.url), rules=[QUICK]) as claxon:
            claxon.post([REJECTED])
            first.wait_for(1)
        alone = config(second.url).replace("r0", "backup")
        with Running(tmp_path, config=alone, rules=[QUICK]) as claxon:
            assert second.wait_for(1)[0].json["receiver"] == "backup"
            assert until(lambda: all(d["ended_at"] for d in deliveries(claxon)), 3)
            assert statuses(second) == ["firing"]


# ── deadlines ─────────────────────────────────────────────────────────────────


def expire(claxon: Running) -> None:
    """Let the deadline of all that waits pass."""
    core = claxon.service.core
    claxon.core(lambda: core.connection.execute("UPDATE outbox SET deadline = 0 WHERE state = 'pending'"))


def test_what_is_not_taken_by_its_deadline_goes_to_the_other_receiver_however_much_waits(tmp_path: Path) -> None:
    with Pager(503) as first, Pager() as second:
        settings = TWO.format(first=first.url, second=second.url)
        with Running(tmp_path, config=settings) as claxon:
            claxon.post([REJECTED | {"app": f"app-{i}"} for i in range(50)])
            # The first twenty by themselves, the others in one message.
            assert until(lambda: len(deliveries(claxon)) == 21, 8)
            assert until(lambda: len(first.received) >= 3, 8)
            expire(claxon)

            assert until(lambda: len(apps_told(second)) == 50, 10)
            assert len(first.received) < 10
            assert claxon.core(lambda: claxon.service.deliverer.failing())[0].target == "pager/webhook/0"


def test_what_waits_for_more_than_two_minutes_and_was_tried_three_times_is_failing(tmp_path: Path) -> None:
    with Pager(503) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])
        assert until(lambda: deliveries(claxon)[0]["attempts"] == 3, 12)
        assert claxon.core(claxon.service.deliverer.failing) == []

        core = claxon.service.core
        claxon.core(lambda: core.connection.execute("UPDATE outbox SET created_at = created_at - 121"))
        found = claxon.core(claxon.service.deliverer.failing)[0]
        assert (found.reason, found.waiting) == ("server_error", 1)


# ── which receiver stands in ──────────────────────────────────────────────────

THREE = """
route: {{receiver: pager}}
fallback_receiver: {fallback}
receivers:
  - {{name: pager, webhook_configs: [{{url: '{first}'}}]}}
  - {{name: backup, webhook_configs: [{{url: '{second}'}}]}}
  - {{name: desk, webhook_configs: [{{url: '{third}'}}]}}
"""


@pytest.mark.parametrize(("fallback", "told"), [("desk", "desk"), ("backup", "backup"), ("pager", "backup")])
def test_the_fallback_receiver_stands_in_and_for_itself_the_first_other_one(
    tmp_path: Path, fallback: str, told: str
) -> None:
    with Pager(401) as first, Pager() as second, Pager() as third:
        settings = THREE.format(fallback=fallback, first=first.url, second=second.url, third=third.url)
        with Running(tmp_path, config=settings) as claxon:
            claxon.post([REJECTED])

            assert until(lambda: [r.json["receiver"] for r in second.received + third.received] == [told], 5)


def test_a_page_that_the_other_receiver_got_anyway_is_not_told_there_twice(tmp_path: Path) -> None:
    with Pager(401) as first, Pager() as second, Running(tmp_path, config=config(first.url, second.url)) as claxon:
        claxon.post([REJECTED])

        assert until(lambda: sorted(d["state"] for d in deliveries(claxon)) == ["delivered", "failed"], 5)
        assert not until(lambda: len(second.received) > 1, 0.5)
