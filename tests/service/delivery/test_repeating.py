"""What an integration that forgets was told, told again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alerts.notification import Notification
from service.receivers import Answer, DeliveryError, Reason
from tests.support.delivering import FINE, QUICK, REJECTED, config, deliveries
from tests.support.pager import Pager
from tests.support.running import Running, until


class Forgetful:
    """A receiver that wants to hear again of what stands; `taken` is what it took, `answers` what it fails with."""

    kind = "webhook"
    send_resolved = True
    pairs = True
    rate = None
    resend_s = 0.3

    def __init__(self) -> None:
        self.taken: list[Notification] = []
        self.fault: DeliveryError | None = None

    async def send(self, notification: Notification) -> Answer:
        return await self.resend([notification])

    async def resend(self, notifications: Sequence[Notification]) -> Answer:
        if self.fault is not None:
            raise self.fault
        self.taken += notifications
        return Answer(status=200)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def forgetful(tmp_path: Path) -> Any:
    receiver = Forgetful()
    with Pager() as pager:
        running = Running(tmp_path, config=config(pager.url), rules=[QUICK])
        running.service.deliverer.receivers["r0/webhook/0"] = receiver
        with running:
            yield running, receiver


def test_what_fires_is_told_again_and_what_ended_too(forgetful: tuple[Running, Forgetful]) -> None:
    claxon, receiver = forgetful
    claxon.post([REJECTED])
    assert until(lambda: [n.status.value for n in receiver.taken[:3]] == ["firing"] * 3, 5)

    claxon.post([FINE])
    assert until(lambda: [n.status.value for n in receiver.taken[-3:]] == ["resolved"] * 3, 8)
    assert [d["attempts"] for d in deliveries(claxon)] == [1, 1]


def test_what_could_not_be_told_again_is_counted_and_keeps_no_page(forgetful: tuple[Running, Forgetful]) -> None:
    claxon, receiver = forgetful
    claxon.post([REJECTED])
    assert until(lambda: len(receiver.taken) >= 1, 5)
    receiver.fault = DeliveryError("no answer", reason=Reason.TIMEOUT)
    counted = claxon.service.deliverer.deliveries.outcomes
    assert until(lambda: counted.get(("r0/webhook/0", "timeout"), 0) >= 2, 5)

    receiver.fault = None
    claxon.post([REJECTED | {"app": "cart"}])
    assert until(lambda: all(d["state"] == "delivered" for d in deliveries(claxon)), 3)
    assert len(deliveries(claxon)) == 2
