"""A worker and what changes around it: receivers that are replaced while it looks at the outbox."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path

from alerts.notification import Notification
from service.delivery import Deliverer
from service.receivers import Answer, Receiver
from service.storage import outbox
from service.storage.database import Transaction
from tests.support.bench import Bench
from tests.support.notifications import make_notification

TARGET = "on-call/webhook/0"


@dataclass
class Taking:
    """A receiver that takes all."""

    kind: str = "webhook"
    pairs: bool = False
    send_resolved: bool = True
    rate: None = None
    resend_s: None = None
    taken: list[Notification] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, notification: Notification) -> Answer:
        self.taken.append(notification)
        self.came.set()
        return Answer(status=200)

    async def close(self) -> None:
        """Nothing is open."""


def test_what_was_looked_up_before_a_receiver_was_replaced_goes_by_the_new_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    connection, told = bench.core.connection, make_notification()

    def add() -> None:
        with Transaction(connection):
            outbox.add(connection, TARGET, told, deadline=bench.now + 60)

    async def play() -> tuple[Taking, Taking]:
        old, new = Taking(), Taking()
        former: dict[str, Receiver] = {TARGET: old}
        deliverer = Deliverer(bench.core, former, clock=lambda: bench.now, steady=lambda: bench.steady)
        busy, go_on = threading.Event(), threading.Event()
        bench.core.submit(lambda: (busy.set(), go_on.wait(10)))
        await asyncio.to_thread(busy.wait, 10)
        deliverer.start()
        while not bench.core.waiting:
            await asyncio.sleep(0)
        before = deliverer.adopt({TARGET: new}, fallback="")
        go_on.set()
        await asyncio.wait_for(new.came.wait(), 10)
        await deliverer.settle(before)
        await deliverer.stop()
        return old, new

    try:
        bench.ask(add)
        old, new = asyncio.run(play())
        assert (old.taken, new.taken) == ([], [told])
    finally:
        bench.close()
