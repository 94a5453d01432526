"""A thread for what blocks.

≠ what it does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, name: str) -> T:
    """Return what the function returns, run in a thread of its own.

    Not asyncio.to_thread: that one lends threads which name look-ups need too, so that
    a few servers which hang would stop every receiver. A thread that nobody waits for any
    more runs to its end; it holds up neither the loop nor the end of the program.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 — whatever it is, the one who waits gets it
            _tell(loop, future, partial(future.set_exception, error))
        else:
            _tell(loop, future, partial(future.set_result, result))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await future


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], how: Callable[[], None]) -> None:
    # The loop may be closed by now: then nobody waits.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: None if future.done() else how())
