"""Saying: the watch's log. A log that cannot be written, as on a full disk, must not keep it from its work."""

from __future__ import annotations

from contextlib import suppress

import structlog


class Saying:
    """Logs, or does nothing."""

    def __init__(self, name: str) -> None:
        self._log = structlog.get_logger(name)

    def info(self, event: str, **facts: object) -> None:
        """Say what went well."""
        self._say("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Say what may go wrong."""
        self._say("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Say what went wrong."""
        self._say("error", event, facts)

    def critical(self, event: str, **facts: object) -> None:
        """Say that Claxon cannot do its work."""
        self._say("critical", event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """Say what went wrong, with what was raised."""
        self._say("exception", event, facts)

    def _say(self, level: str, event: str, facts: dict[str, object]) -> None:
        with suppress(OSError, ValueError):
            getattr(self._log, level)(event, **facts)
