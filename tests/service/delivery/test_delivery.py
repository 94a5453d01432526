"""From the outbox to receivers, on real sockets."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from service.receivers.base import Rate
from service.storage import outbox
from tests.support.delivering import FINE, QUICK, REJECTED, TWO, apps_told, config, deliveries, statuses
from tests.support.pager import HANG, RESET, Pager, Received, Reply
from tests.support.running import Running, until


def test_a_receiver_that_hangs_delays_no_other(tmp_path: Path) -> None:
    with Pager(HANG) as stuck, Pager() as well, Running(tmp_path, config=config(stuck.url, well.url)) as claxon:
        claxon.post([REJECTED])

        assert well.wait_for(1, within=3)
        assert [d["state"] for d in deliveries(claxon) if d["target"].startswith("r0")] == ["pending"]


@pytest.mark.parametrize("trouble", [Reply(status=500), Reply(status=429, headers={"Retry-After": "1"}), RESET])
def test_a_page_is_tried_again_until_it_is_taken_each_time_with_the_same_key(tmp_path: Path, trouble: Reply) -> None:
    with Pager(trouble, 200) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])

        first, second = pager.wait_for(2, within=8)[:2]
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert first.body == second.body
        assert until(lambda: deliveries(claxon)[0]["state"] == "delivered", 3)
        assert deliveries(claxon)[0]["attempts"] == 2


def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    patient = Reply(status=429, headers={"Retry-After": "2"})
    with Pager(patient, 200) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])

        first, second = pager.wait_for(2, within=8)[:2]
        assert 1.9 <= second.arrived_at - first.arrived_at < 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_receiver_that_refuses_is_not_tried_again_and_the_ledger_says_so(tmp_path: Path, status: int) -> None:
    with Pager(status) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])

        assert until(lambda: [d["state"] for d in deliveries(claxon)] == ["failed"], 5)
        assert len(pager.received) == 1
        assert until(lambda: [r["what"] for r in claxon.get("/v1/ledger?what=failed")["ledger"]] == ["failed"], 3)


def test_every_page_gets_its_close_and_after_it(tmp_path: Path) -> None:
    with Pager(500, 200) as pager, Running(tmp_path, config=config(pager.url), rules=[QUICK]) as claxon:
        claxon.post([REJECTED])
        claxon.post([FINE])

        assert until(lambda: statuses(pager) == ["firing", "firing", "resolved"], 10), statuses(pager)
        begin, end = pager.received[1].json, pager.received[2].json
        assert begin["groupKey"] == end["groupKey"]
        assert end["alerts"][0]["endsAt"] > end["alerts"][0]["startsAt"]
        assert "recovered" in end["alerts"][0]["annotations"]["resolve_reason"]


def test_the_end_of_a_page_that_nobody_took_is_told_to_nobody(tmp_path: Path) -> None:
    with Pager(404) as pager, Running(tmp_path, config=config(pager.url), rules=[QUICK]) as claxon:
        claxon.post([REJECTED])
        claxon.post([FINE])

        assert until(lambda: [d["state"] for d in deliveries(claxon)] == ["cancelled", "failed"], 10)
        assert statuses(pager) == ["firing"]


def test_a_receiver_may_want_no_closes(tmp_path: Path) -> None:
    with Pager() as pager:
        settings = config(pager.url, more=", send_resolved: false")
        closing(tmp_path, settings)

        assert statuses(pager) == ["firing"]


def closing(folder: Path, settings: str) -> None:
    """Have an alert fire and resolve."""
    with Running(folder, config=settings, rules=[QUICK]) as claxon:
        claxon.post([REJECTED])
        claxon.post([FINE])

        assert until(lambda: claxon.get("/v1/ledger?what=delivered")["ledger"], 5)
        assert until(lambda: claxon.get("/v1/ledger?what=resolved")["ledger"], 8)


def test_a_page_to_a_receiver_that_the_configuration_lost_is_given_up_loudly_and_told_to_who_is_there(
    tmp_path: Path,
) -> None:
    with Pager(500) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])
        pager.wait_for(1)

    with Pager() as other, Running(tmp_path, config=config(other.url).replace("r0", "new")) as claxon:
        assert other.wait_for(1)[0].json["receiver"] == "new"
        lost = next(d for d in deliveries(claxon) if d["target"] == "r0/webhook/0")
        assert (lost["state"], len(deliveries(claxon))) == ("failed", 2)
        assert "no such receiver" in lost["answer"]


def test_a_fault_of_a_receivers_own_is_tried_again_and_blocks_nothing(tmp_path: Path) -> None:
    with Pager() as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        receiver = claxon.service.deliverer._receivers["r0/webhook/0"]
        send = receiver.send

        async def stumble(notification: Any) -> Any:
            if notification.alerts[0].labels["app"] == "shop":
                raise KeyError("a bug")
            return await send(notification)

        receiver.send = stumble  # type: ignore[method-assign]
        claxon.post([REJECTED])
        claxon.post([REJECTED | {"app": "cart"}])

        assert [r.json["groupLabels"]["app"] for r in pager.wait_for(1, within=5)] == ["cart"]
        stuck = next(d for d in deliveries(claxon) if "fault of Claxon" in d["answer"])
        assert stuck["state"] == "pending"


def test_a_page_that_was_taken_is_not_sent_again_while_the_disk_is_full(tmp_path: Path) -> None:
    with Pager() as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        core = claxon.service.core
        receiver = claxon.service.deliverer._receivers["r0/webhook/0"]
        send = receiver.send

        async def send_and_fill(notification: Any) -> Any:
            answer = await send(notification)
            core.submit(lambda: core.connection.execute("PRAGMA query_only = 1"))
            return answer

        receiver.send = send_and_fill  # type: ignore[method-assign]
        claxon.post([REJECTED])
        pager.wait_for(1)

        assert not until(lambda: len(pager.received) > 1, 6.5)
        claxon.core(lambda: core.connection.execute("PRAGMA query_only = 0"))
        assert until(lambda: deliveries(claxon)[0]["state"] == "delivered", 8)
        assert len(pager.received) == 1


# ── merged, held, probed ──────────────────────────────────────────────────────


def test_what_fired_and_ended_while_the_receiver_was_down_is_one_message(tmp_path: Path) -> None:
    with Pager(503) as pager, Running(tmp_path, config=config(pager.url), rules=[QUICK]) as claxon:
        claxon.post([REJECTED])
        claxon.post([FINE])
        assert until(lambda: len(deliveries(claxon)) == 2, 10)
        before = len(pager.received)
        pager.answer_with(200)

        assert until(lambda: all(d["state"] == "delivered" for d in deliveries(claxon)), 12)
        page = pager.received[-1].json
        assert (page["status"], page["notification_reason"]) == ("resolved", "first notification")
        assert page["alerts"][0]["endsAt"] > page["alerts"][0]["startsAt"]
        end, begin = deliveries(claxon)
        assert end["merged_into"] == begin["id"]
        assert end["answer"] == f"with row {begin['id']}: 200 ok"
        assert [r.json["status"] for r in pager.received[before:]].count("resolved") <= 2


def test_429_holds_every_page_of_that_integration_and_of_no_other(tmp_path: Path) -> None:
    patient = Reply(status=429, headers={"Retry-After": "2"})
    with (
        Pager(patient, 200) as limited,
        Pager() as free,
        Running(tmp_path, config=config(limited.url, free.url)) as claxon,
    ):
        claxon.post([REJECTED])
        limited.wait_for(1)
        claxon.post([REJECTED | {"app": "cart"}, REJECTED | {"app": "mail"}])

        free.wait_for(3, within=2)
        first, second = limited.wait_for(4, within=10)[:2]
        assert second.arrived_at - first.arrived_at >= 1.9


def test_a_receiver_that_is_down_is_asked_by_one_page_at_a_time_however_many_wait(tmp_path: Path) -> None:
    with Pager(503) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED | {"app": f"app-{i}"} for i in range(200)])

        assert until(lambda: len(pager.received) >= 4, 10)
        assert len(pager.received) < 12
        pager.answer_with(200)
        # The first twenty by themselves, the others in one message.
        assert until(lambda: len(apps_told(pager)) == 200, 15)
        assert until(lambda: all(d["state"] == "delivered" for d in deliveries(claxon)), 5)


def test_a_page_that_one_receiver_answers_with_500_for_ever_keeps_no_other_page(tmp_path: Path) -> None:
    def answer(received: Received) -> Reply:
        return Reply(status=500 if received.json["groupLabels"]["app"] == "shop" else 200)

    with Pager(answer=answer) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])
        pager.wait_for(1)
        claxon.post([REJECTED | {"app": f"app-{i}"} for i in range(19)])

        assert until(lambda: len({r.json["groupLabels"]["app"] for r in pager.received}) == 20, 4)


def test_several_pages_are_on_their_way_at_once_but_never_two_of_one_key(tmp_path: Path) -> None:
    with Pager(HANG) as pager, Running(tmp_path, config=config(pager.url, more=", timeout: 3s")) as claxon:
        claxon.post([REJECTED | {"app": f"app-{i}"} for i in range(9)])

        assert len(pager.wait_for(4, within=2)) == 4
        assert not until(lambda: len(pager.received) > 4, 1)
        assert len({r.json["groupLabels"]["app"] for r in pager.received}) == 4


def test_a_page_that_we_stumble_over_goes_to_the_other_receiver_after_three_tries(tmp_path: Path) -> None:
    async def stumble(_: Any) -> Any:
        raise KeyError("a bug")

    with (
        Pager() as first,
        Pager() as second,
        Running(tmp_path, config=TWO.format(first=first.url, second=second.url)) as claxon,
    ):
        claxon.service.deliverer.receivers["pager/webhook/0"].send = stumble  # type: ignore[method-assign]
        claxon.post([REJECTED])

        assert second.wait_for(1, within=10)
        refused = next(d for d in deliveries(claxon) if d["target"] == "pager/webhook/0")
        assert (refused["state"], refused["attempts"]) == ("failed", 3)
        assert "fault of Claxon's own (KeyError)" in refused["answer"]


def test_a_service_that_is_told_to_stop_waits_for_the_answer_to_what_is_on_its_way(tmp_path: Path) -> None:
    slow = threading.Event()

    def answer(_: Received) -> Reply:
        slow.wait(0.7)
        return Reply()

    with Pager(answer=answer) as pager:
        with Running(tmp_path, config=config(pager.url)) as claxon:
            claxon.post([REJECTED])
            pager.wait_for(1)
        with Running(tmp_path, config=config(pager.url)) as claxon:
            assert [d["state"] for d in deliveries(claxon)] == ["delivered"]
        assert len(pager.received) == 1


def test_pages_that_wait_go_out_once_each_while_the_disk_is_full(tmp_path: Path) -> None:
    with Pager() as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        core = claxon.service.core
        receiver = claxon.service.deliverer.receivers["r0/webhook/0"]
        send = receiver.send

        async def fill_and_send(notification: Any) -> Any:
            core.submit(lambda: core.connection.execute("PRAGMA query_only = 1"))
            return await send(notification)

        receiver.send = fill_and_send  # type: ignore[method-assign]
        claxon.post([REJECTED | {"app": f"app-{i}"} for i in range(9)])

        pager.wait_for(9, within=4)
        assert [d["state"] for d in deliveries(claxon)] == ["pending"] * 9
        receiver.send = send  # type: ignore[method-assign]
        claxon.core(lambda: core.connection.execute("PRAGMA query_only = 0"))
        assert until(lambda: [d["state"] for d in deliveries(claxon)] == ["delivered"] * 9, 8)
        assert len(pager.received) == 9


def test_the_rate_of_a_receiver_is_kept_and_nothing_is_lost_by_it(tmp_path: Path) -> None:
    with Pager() as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.service.deliverer.receivers["r0/webhook/0"].rate = Rate(2, 1.0)  # type: ignore[misc]
        claxon.post([REJECTED | {"app": f"app-{i}"} for i in range(6)])

        arrived = [received.arrived_at for received in pager.wait_for(6, within=10)]
        assert arrived[1] - arrived[0] < 0.4
        assert arrived[5] - arrived[0] >= 1.9


def test_every_alert_of_a_group_finds_the_messages_that_told_of_it(tmp_path: Path) -> None:
    with Pager() as pager:
        grouped = config(pager.url).replace("route:", "route:\n  group_by: [alertname]\n  group_wait: 0s", 1)
        with Running(tmp_path, config=grouped) as claxon:
            claxon.post([REJECTED | {"app": f"app-{i}"} for i in range(3)])
            pager.wait_for(1)
            assert until(lambda: apps_told(pager) == {"app-0", "app-1", "app-2"}, 5)
            core = claxon.service.core
            firing = claxon.core(lambda: list(core.notifier.state.firing))

            found = [
                claxon.core(lambda n=name: outbox.recent(core.connection, limit=5, fingerprint=n)) for name in firing
            ]

            assert [bool(rows) for rows in found] == [True] * 3


# ── the delivery log, and who is failing ──────────────────────────────────────


def test_each_try_is_kept_with_what_the_vendor_said(tmp_path: Path) -> None:
    answers = Reply(status=503, body="try later"), Reply(body="thanks")
    with Pager(*answers) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])

        assert until(lambda: deliveries(claxon)[0]["state"] == "delivered", 8)
        first, second = deliveries(claxon)[0]["tries"]
        assert (first["outcome"], first["status"], first["gave_up"]) == ("server_error", 503, False)
        assert "try later" in first["answer"]
        assert (second["outcome"], second["status"], second["answer"]) == ("delivered", 200, "thanks")
        assert 0 < second["duration_s"] < 5


def test_an_integration_that_refused_is_failing_until_it_takes_something(tmp_path: Path) -> None:
    with Pager(401) as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])
        assert until(lambda: claxon.core(claxon.service.deliverer.failing), 5)
        found = claxon.core(claxon.service.deliverer.failing)[0]
        assert (found.target, found.reason, found.waiting) == ("r0/webhook/0", "auth_error", 0)
        assert "answered 401" in found.last_error

        pager.answer_with(200)
        claxon.post([REJECTED | {"app": "cart"}])
        assert until(lambda: claxon.core(claxon.service.deliverer.failing) == [], 5)


def test_old_tries_go_with_their_deliveries(tmp_path: Path) -> None:
    with Pager() as pager, Running(tmp_path, config=config(pager.url)) as claxon:
        claxon.post([REJECTED])
        assert until(lambda: deliveries(claxon)[0]["state"] == "delivered", 5)
        core = claxon.service.core
        claxon.core(lambda: outbox.prune(core.connection, time.time() + 1))

        assert claxon.core(lambda: core.connection.execute("SELECT count(*) FROM attempts").fetchone()[0]) == 0
        assert deliveries(claxon) == []
