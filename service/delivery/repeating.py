"""Repeating: what an integration was told and still stands, told again where it would be forgotten else.

≠ the outbox's rows, which are told once.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from alerts.notification import Notification

from ..receivers import DeliveryError
from ..receivers.base import Resender
from ..storage import outbox
from .desk import Desk

ENDED_S = 900.0
"""So long an end is told again: whoever missed it would show the alert as firing."""

_log = structlog.get_logger(__name__)


async def tell_again(desk: Desk, target: str, receiver: Resender) -> None:
    """Tell once more all that an integration was told and that still stands; what fails is left for the next time."""
    ended_after = desk.clock() - ENDED_S
    found = await desk.in_core(lambda: outbox.standing(desk.core.connection, target, ended_after=ended_after))
    if not found:
        return
    # There may be thousands, and the core has other things to do.
    standing = await asyncio.to_thread(_decoded, found)
    try:
        await receiver.resend(standing)
    except DeliveryError as fault:
        desk.deliveries.count(target, fault.reason.value)
        _log.warning("delivery.not_repeated", target=target, reason=fault.reason.value, error=str(fault))
    except Exception:  # noqa: BLE001
        _log.exception("delivery.faulted", target=target)


def _decoded(bodies: list[bytes]) -> list[Notification]:
    return [msgspec.msgpack.decode(body, type=Notification) for body in bodies]
