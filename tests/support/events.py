"""Builders: events as a service completes them, in as few words as a test needs."""

from __future__ import annotations

from typing import Any

import msgspec
from claxon.event import Event, complete

NOON = 1_790_000_000
"""Whatever the clock on the wall says then: a whole second at which a bucket of 5 s begins, and none of 24 min."""

MODEL = "claude-sonnet-5"


def make_event(*, now: float, model: str = MODEL, **fields: Any) -> Event:
    """Return a completed event that was received at `now`; without a `time` it also happened then."""
    return complete(msgspec.convert({"model": model, **fields}, Event), received_at=now)


def success(now: float, **fields: Any) -> Event:
    """Return a call that succeeded."""
    return make_event(now=now, **({"status": 200} | fields))


def exhausted(now: float, **fields: Any) -> Event:
    """Return a call that failed with no retry left; status 500 unless told."""
    return make_event(now=now, **({"status": 500, "final": True, "exhausted": True} | fields))


def absorbed(now: float, **fields: Any) -> Event:
    """Return a failed attempt that another one of the same call follows; status 500 unless told."""
    return make_event(now=now, **({"status": 500, "final": False} | fields))


def provisional(now: float, **fields: Any) -> Event:
    """Return a failed attempt that counts as a failed call until a later one takes it back."""
    return make_event(now=now, **({"status": 500} | fields))
