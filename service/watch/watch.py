"""Watch: a thread that looks at the service once a second, with an event loop of its own.

What it watches may be stuck, its event loop too: nothing here waits for it. Should
this thread itself die, the heartbeat is silent.

≠ what is wrong, what is told.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from ..config_file import Loaded
from ..receivers import Receiver
from ..targets import receiver_of
from . import ways as others
from .blindness import LABELS, Blindness, Ways
from .heartbeat import Heartbeat
from .saying import Saying
from .senses import Senses
from .tally import WatchTally
from .troubles import PATIENCE, Limits, Troubles

_STOP_S = 5.0

_log = Saying(__name__)


class Watch:
    """Looks, pings, and pages if Claxon is blind."""

    def __init__(
        self,
        senses: Senses,
        tally: WatchTally,
        *,
        loaded: Callable[[], Loaded],
        external_url: Callable[[], str],
        clock: Callable[[], float],
        steady: Callable[[], float],
        limits: Limits = PATIENCE,
    ) -> None:
        """Take the parts over.

        Args:
            senses: What is wrong.
            tally: Counts.
            loaded: The configuration in force.
            external_url: Where people reach this Claxon now.
            clock: Unix seconds.
            steady: Seconds that never jump.
            limits: How patient to be.
        """
        self.troubles = Troubles(limits)
        self._look_s = limits.look
        self._senses = senses
        self._tally = tally
        self._configuration = loaded
        self._external_url = external_url
        self._clock = clock
        self._steady = steady
        self._blindness = Blindness(tally)
        self._heartbeat = Heartbeat(tally)
        self._loaded: Loaded | None = None
        self._receivers: dict[str, Receiver] = {}
        self._sending: asyncio.Task[None] | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._stopping: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="claxon-watch", daemon=True)

    @property
    def fault(self) -> str:
        """Why nothing can be written, as of some seconds ago; "" if it can."""
        return self._senses.fault

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End at once, or within a second where something is being told; before the parts do.

        A part that ends is not blind.
        """
        if not self._stopping.done():
            self._stopping.set_result(None)
        if self._thread.is_alive():
            self._thread.join(timeout=_STOP_S)

    def _run(self) -> None:
        asyncio.run(self._look_again_and_again())

    async def _look_again_and_again(self) -> None:
        stopping = asyncio.wrap_future(self._stopping)
        while not stopping.done():
            try:
                await self._look()
            except Exception:  # noqa: BLE001 — whoever watches must not stop
                _log.exception("watch.faulted")
            await asyncio.wait([stopping], timeout=self._look_s)
        await self._end_what_is_told()
        await self._let_go()

    async def _end_what_is_told(self) -> None:
        """Give what is being told as long as a look takes, and no longer: the process ends."""
        told = [task for task in (self._sending, self._pinging) if task is not None and not task.done()]
        if told:
            await asyncio.wait(told, timeout=self._look_s)
        for task in told:
            task.cancel()

    async def _look(self) -> None:
        await self._renew()
        now = self._steady()
        self.troubles.look(self._senses.look(now), now)
        if _is_free(self._sending):
            self._sending = asyncio.create_task(self._page(now))
        if self._senses.felt and _is_free(self._pinging) and self._heartbeat.due(now):
            if self.troubles.well:
                self._pinging = asyncio.create_task(self._heartbeat.ping(now, wall=self._clock()))
            else:
                self._heartbeat.withhold(self.troubles.said(), now)

    async def _page(self, now: float) -> None:
        ways = Ways(receivers=self._receivers, external_url=self._external_url())
        troubles = self.troubles
        try:
            await self._blindness.look(troubles.blinding(), calm=troubles.calm, now=now, wall=self._clock(), ways=ways)
        except Exception:  # noqa: BLE001 — it is tried again
            _log.exception("watch.faulted")

    async def _renew(self) -> None:
        """Take over a new configuration: what is needed when all is lost is made while nothing is."""
        loaded = self._configuration()
        if loaded is self._loaded:
            return
        self._loaded = loaded
        await self._heartbeat.use(loaded.beat)
        receivers = loaded.build_again()
        named = others.directly(loaded.config, LABELS)
        before = self._receivers
        self._receivers = {t: receiver for t, receiver in receivers.items() if receiver_of(t) in named}
        await _close(before)

    async def _let_go(self) -> None:
        await self._heartbeat.close()
        await _close(self._receivers)


def _is_free(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done()


async def _close(receivers: dict[str, Receiver]) -> None:
    await asyncio.gather(*(receiver.close() for receiver in receivers.values()), return_exceptions=True)
