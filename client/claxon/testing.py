"""testing: what an app's own tests need, to say which events a piece of code makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .event import Event
from .state import STATE


@contextmanager
def capture_events() -> Iterator[list[Event]]:
    """Collect every event that is made inside, and ship none.

    Events appear in the list as soon as their attempt has ended, complete as
    the service would see them. The process is instrumented inside, and
    afterwards is as it was. No service is needed.

        with capture_events() as events:
            answer(client, "Hello")
        assert [event.status for event in events] == [529, 200]
    """
    from .patching import install, remove

    events: list[Event] = []
    active, take = STATE.active, events.append
    install()
    STATE.captures = (*STATE.captures, take)
    STATE.active = True
    try:
        yield events
    finally:
        STATE.active = active
        captures = list(STATE.captures)
        captures.remove(take)
        STATE.captures = tuple(captures)
        if not active:
            remove()
