"""From the outbox to receivers, on real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerts.default_rules import AUTH_ERROR
from alerts.rules import Rule
from tests.support.pager import HANG, RESET, Pager, Reply
from tests.support.running import Running, until

REJECTED = {"model": "m", "app": "shop", "status": 401, "request_id": "req_1"}
FINE = {"model": "m", "app": "shop", "status": 200}

# As the default rule, but it closes 1 s after recovery.
QUICK = Rule(
    alert=AUTH_ERROR.alert,
    condition=AUTH_ERROR.condition,
    match=AUTH_ERROR.match,
    keep_firing_for_s=1,
    labels=AUTH_ERROR.labels,
)


def config(*urls: str, more: str = "") -> str:
    routes = "".join(f"\n    - {{receiver: r{i}, continue: true}}" for i in range(len(urls)))
    receivers = "".join(
        f"\n  - {{name: r{i}, webhook_configs: [{{url: '{url}'{more}}}]}}" for i, url in enumerate(urls)
    )
    return f"route:\n  receiver: r0\n  routes:{routes}\nreceivers:{receivers}\n"


def deliveries(claxon: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = claxon.get("/v1/deliveries")["deliveries"]
    return found


def statuses(pager: Pager) -> list[str]:
    return [received.json["status"] for received in pager.received]


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
