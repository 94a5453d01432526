"""The live view: an answer a second, the keys, the signals.

≠ how it looks, HTTP.
"""

from __future__ import annotations

import signal
import time
from math import ceil

from .asker import Acknowledged, Asker, Heard, Unheard
from .cells import painted
from .screen import frame
from .shown import Part, Shown
from .terminal import Key, Terminal

_DOWN, _UP = frozenset({"j", Key.DOWN.value}), frozenset({"k", Key.UP.value})
_ENDINGS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Refused(Exception):
    """The service refuses the key; the text is *where: value: remedy*."""


class View:
    """One view on one terminal."""

    def __init__(self, terminal: Terminal, asker: Asker, shown: Shown) -> None:
        self._terminal = terminal
        self._asker = asker
        self._shown = shown

    def run(self) -> int:
        """Show until the person has seen enough; return the exit status.

        Raises:
            Refused: The key may not look.
        """
        while True:
            self._draw()
            # Ages count whole seconds: drawn once in each.
            happened = self._terminal.wait(ceil(time.monotonic()) - time.monotonic())
            for sign in happened.signals:
                if sign in _ENDINGS:
                    return 128 + sign
                self._hear(sign)
            if any(self._press(key) for key in happened.keys):
                return 0
            self._take_news()

    def _draw(self) -> None:
        cells, lines = self._terminal.size
        shown = frame(self._shown, cells=cells, lines=lines, now=time.monotonic())
        self._terminal.draw([painted(line, cells, colour=self._terminal.colour) for line in shown])

    def _hear(self, sign: int) -> None:
        if sign == signal.SIGTSTP:
            self._terminal.suspend()
        elif sign in (signal.SIGWINCH, signal.SIGCONT):
            self._terminal.resized()

    def _take_news(self) -> None:
        now = time.monotonic()
        while not self._asker.news.empty():
            match self._asker.news.get():
                case Heard(top):
                    self._shown.hear(top, now=now)
                case Unheard(fault, refused):
                    if refused:
                        raise Refused(fault)
                    self._shown.fault = fault
                case Acknowledged(said):
                    self._shown.say(said, now=now)

    def _press(self, key: str) -> bool:
        """Do what a key asks for; return whether it ends the view."""
        shown = self._shown
        if shown.asking is not None:
            self._answer(key)
        elif key == "q":
            return True
        elif key in _DOWN or key in _UP:
            shown.move(1 if key in _DOWN else -1)
        elif key == Key.ENTER and shown.alert is not None:
            shown.part, shown.down = (Part.ALL if shown.part is Part.ALERT else Part.ALERT), 0
        elif key == Key.ESCAPE:
            shown.part = Part.ALL
        elif key == "a":
            self._want_to_acknowledge()
        elif key == "s" and shown.part is Part.ALL:
            shown.next_sort()
            self._asker.again(shown.sort)
        return False

    def _want_to_acknowledge(self) -> None:
        alert, now = self._shown.alert, time.monotonic()
        if alert is None:
            self._shown.say("no alert is chosen", now=now)
        elif alert.state != "firing":
            self._shown.say("it is pending: what does not fire yet cannot be acknowledged", now=now)
        elif alert.ack is not None:
            self._shown.say(f"{alert.ack.by} has acknowledged it already", now=now)
        else:
            self._shown.asking = alert

    def _answer(self, key: str) -> None:
        """Take the answer to "Acknowledge ...?": only a y is a yes."""
        shown = self._shown
        alert, shown.asking = shown.asking, None
        if key in ("y", "Y") and alert is not None:
            shown.say("acknowledging ...", now=time.monotonic())
            self._asker.acknowledge(alert, by=shown.name)
        else:
            shown.say("not acknowledged", now=time.monotonic())
