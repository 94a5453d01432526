"""logs: each event as one JSON line, for Datadog, CloudWatch, Loki and their like.

Written by the shipping thread, so the app never waits for its log. Off unless
asked for (`log_events`, CLAXON_LOG_EVENTS): the service has the events already,
and an app's standard output is the app's. An app that has configured structlog
gets the events through its own processors; any other gets JSON on standard
output, which is where log agents look.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog

from .attempt import Attempt
from .event import Event, category_of
from .taxonomy import Category

NAME = "claude.attempt"


class EventLog:
    """Writes events as log lines; used by the shipping thread only.

    Args:
        stream: Where lines go if the app has not configured structlog.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._logger: Any = None

    def write(self, attempt: Attempt, event: Event) -> None:
        """Write one event: a final failure as an error, an absorbed one as a warning."""
        del attempt
        category = category_of(event)
        level = "info"
        if category not in (Category.OK, Category.CANCELLED):
            level = "warning" if event.final is False else "error"
        getattr(self._open(), level)(NAME, **fields_of(event, category))

    def _open(self) -> Any:
        # Asked each time until it is so: apps configure structlog after their imports.
        if structlog.is_configured():
            return structlog.get_logger("claxon")
        if self._logger is None:
            self._logger = _own_logger(self._stream or sys.stdout)
        return self._logger


def fields_of(event: Event, category: Category) -> dict[str, Any]:
    """Return a line's fields: those of the event as it is sent, and its category."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    if isinstance(event.time, float):
        at = datetime.fromtimestamp(event.time, UTC).isoformat(timespec="milliseconds")
        fields["time"] = at.replace("+00:00", "Z")
    fields["attempt"] = event.attempt
    fields["category"] = category.value
    return fields


def _own_logger(stream: TextIO) -> Any:
    return structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=True,
    )


def _json(line: Any, **_: Any) -> str:
    return msgspec.json.encode(line).decode()
