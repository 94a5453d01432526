"""Repeating: what an integration was told and still stands, told again where it would be forgotten else.

≠ the outbox's rows, which are told once.
"""

from __future__ import annotations

import asyncio
from functools import partial

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


_EARLY = 0.9
"""A turn comes a little before it is looked for: nodes' timers are not exact."""


async def tell_again(desk: Desk, target: str, receiver: Resender, *, every_s: float) -> None:
    """Tell once more all that an integration was told and that still stands; what fails is left for the next time."""
    found = await desk.in_office(partial(_standing, desk, target, every_s))
    if not found:
        return
    # There may be thousands, and the office has other things to do.
    standing = await asyncio.to_thread(_decoded, found)
    try:
        await receiver.resend(standing)
    except DeliveryError as fault:
        desk.deliveries.count(target, fault.reason.value)
        _log.warning("delivery.not_repeated", target=target, reason=fault.reason.value, error=str(fault))
    except Exception:  # noqa: BLE001
        _log.exception("delivery.faulted", target=target)


def _standing(desk: Desk, target: str, every_s: float) -> list[bytes]:
    """Return what stands, if it is this node's turn; in the office's thread."""
    connection = desk.office.connection
    if not desk.office.leases.take_turn(connection, target, every_s * _EARLY):
        return []
    return outbox.standing(connection, target, ended_after=desk.clock() - ENDED_S)


def _decoded(bodies: list[bytes]) -> list[Notification]:
    return [msgspec.msgpack.decode(body, type=Notification) for body in bodies]
