"""Prints pages as text: what `claxon serve` does without a configuration, and `claxon demo`.

≠ the layout of a page.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import ClassVar, Self, TextIO

import msgspec
from claxon.arguments import harmless

from alerts.notification import Notification

from ..colour import wants_colour
from .base import Answer, DeliveryError, Reason
from .console_page import page
from .layout import laid_out
from .settings import Settings

_ASCII = str.maketrans({"━": "-", "┃": "|", "·": "-", "…": "~"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig:
    """An entry of `console_configs`.

    Attributes:
        send_resolved: Whether it prints the end too.
    """

    send_resolved: bool = True

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read the settings; problems are left in `settings`."""
        config = cls(send_resolved=settings.flag("send_resolved", default=True))
        settings.done()
        return config


class ConsoleReceiver:
    """Writes each notification to a text stream, in colour where that is a terminal.

    Args:
        config: What to print.
        stream: Where to; standard output, as it is at that moment, unless given.
    """

    kind = "console"
    pairs = False
    rate = None
    resend_s = None

    # `claxon serve --json`: of the whole process, for a reload makes new receivers.
    as_json: ClassVar[bool] = False

    def __init__(self, config: ConsoleConfig, *, stream: TextIO | None = None) -> None:
        self.send_resolved = config.send_resolved
        self._stream = stream

    async def send(self, notification: Notification) -> Answer:
        """Print once.

        In a thread, for a terminal that is stopped with Ctrl-S would stop the service.
        """
        stream = self._stream or sys.stdout
        text = await laid_out(len(notification.alerts), lambda: self._text(notification, stream))
        try:
            await asyncio.to_thread(_write, stream, text)
        except (OSError, ValueError) as error:
            raise DeliveryError(f"console: cannot be written: {type(error).__name__}", reason=Reason.NETWORK) from None
        return Answer(text="printed")

    def _text(self, notification: Notification, stream: TextIO) -> str:
        if self.as_json:
            line = harmless(msgspec.json.encode({"notification": notification}).decode()) + "\n"
            return _fitting(line, stream)
        return _fitting(page(notification, colour=wants_colour(stream)), stream)

    async def close(self) -> None:
        """Do nothing: the stream is not ours."""


def _fitting(text: str, stream: TextIO) -> str:
    """Return the text with what the stream's encoding lacks replaced."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    return text


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()
