"""The terminal: its other screen, its keys, its size, its signals; and given back as it was found.

≠ what is shown.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from types import FrameType
from typing import Any, Self

# The other screen, no cursor, no wrapping: a letter that is wider than we think must not move the next line.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
_ASCII = str.maketrans({"…": "~", "–": "-", "\ufffd": "?"})


class Key(StrEnum):
    """Keys that are no letter."""

    UP = "up"
    DOWN = "down"
    ENTER = "enter"
    ESCAPE = "escape"


_SEQUENCES = {
    b"\x1b[A": Key.UP,
    b"\x1bOA": Key.UP,
    b"\x1b[B": Key.DOWN,
    b"\x1bOB": Key.DOWN,
    b"\r": Key.ENTER,
    b"\n": Key.ENTER,
    b"\x1b": Key.ESCAPE,
}


class Happened:
    """What `Terminal.wait` came back with.

    Attributes:
        keys: In order.
        signals: Their numbers, in order.
        woken: Whether somebody wrote to the pipe.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.signals: list[int] = []
        self.woken = False


class Terminal:
    """Use as a context manager, in the main thread; `draw` writes what has changed since the last time."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour
        self._out = sys.stdout.fileno()
        self._encoding = sys.stdout.encoding or "utf-8"
        self._in: int | None = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._found: list[Any] | None = None
        self._before: list[str] = []
        self._handlers: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._open = True
        self._news, self._tell = os.pipe()
        self._wake, self._waker = os.pipe()
        for end in (self._news, self._tell, self._wake, self._waker):
            os.set_blocking(end, False)

    def __enter__(self) -> Self:
        self._former = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        self._handlers = {sign: signal.signal(sign, _nothing) for sign in _SIGNALS}
        try:
            self._take()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        self._give_back()
        for sign, handler in self._handlers.items():
            signal.signal(sign, handler)
        signal.set_wakeup_fd(self._former)
        with self._lock:
            self._open = False
            for end in (self._news, self._tell, self._wake, self._waker):
                os.close(end)

    # ── taking and giving back ────────────────────────────────────────────────

    def _take(self) -> None:
        if self._in is not None:
            self._found = termios.tcgetattr(self._in)
            tty.setcbreak(self._in, termios.TCSADRAIN)
        self._write(ENTER)
        self._before = []

    def _give_back(self) -> None:
        # It may be gone, with the ssh that had it.
        with suppress(OSError):
            self._write(LEAVE)
        if self._in is not None and self._found is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._in, termios.TCSADRAIN, self._found)

    def suspend(self) -> None:
        """Give the terminal back and stop, as Ctrl-Z asks; return when the process goes on."""
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, _nothing)
        self._take()

    # ── looking and showing ───────────────────────────────────────────────────

    @property
    def size(self) -> tuple[int, int]:
        """How many cells it is wide, and how many lines high."""
        try:
            found = os.get_terminal_size(self._out)
        except OSError:
            return 80, 24
        # A serial line does not know.
        return found.columns or 80, found.lines or 24

    def resized(self) -> None:
        """Draw everything anew the next time."""
        self._write("\x1b[2J")
        self._before = []

    def draw(self, lines: Sequence[str]) -> None:
        """Show lines, which fill the screen; those that are as they were are not written, so nothing flickers."""
        before = self._before if len(self._before) == len(lines) else [""] * len(lines)
        changed = [
            f"\x1b[{i};1H{line}" for i, (line, old) in enumerate(zip(lines, before, strict=True), 1) if line != old
        ]
        if changed:
            self._write("".join(changed))
        self._before = list(lines)

    def _write(self, text: str) -> None:
        try:
            left = text.encode(self._encoding)
        except UnicodeEncodeError:
            left = text.translate(_ASCII).encode(self._encoding, "replace")
        while left:
            left = left[os.write(self._out, left) :]

    # ── hearing ───────────────────────────────────────────────────────────────

    def wake(self) -> None:
        """End a `wait`, from any thread."""
        with self._lock:
            if self._open:
                with suppress(BlockingIOError):
                    os.write(self._waker, b"x")

    def wait(self, seconds: float) -> Happened:
        """Return as soon as something happens, or after so many seconds."""
        happened = Happened()
        ends = [self._news, self._wake, *([self._in] if self._in is not None else [])]
        ready, _, _ = select.select(ends, [], [], max(0.0, seconds))
        if self._news in ready:
            happened.signals = list(os.read(self._news, 512))
        if self._wake in ready:
            happened.woken = bool(os.read(self._wake, 4096))
        if self._in is not None and self._in in ready:
            happened.keys = self._keys(self._in)
        return happened

    def _keys(self, end: int) -> list[str]:
        try:
            text = os.read(end, 1024)
        except OSError:
            text = b""
        if not text:
            # Nobody will press a key any more.
            self._in = None
        return keys_of(text)


def keys_of(text: bytes) -> list[str]:
    """Return what was pressed: letters, and names of other keys; what is not known is left out."""
    found: list[str] = []
    while text:
        name = next((sequence for sequence in _SEQUENCES if text.startswith(sequence)), None)
        if name == b"\x1b" and text[1:2] in (b"[", b"O"):
            # Another key that sends a sequence: its end is a letter or ~.
            end = next((i for i, byte in enumerate(text[2:], 2) if 0x40 <= byte <= 0x7E), len(text) - 1)
            text = text[end + 1 :]
        elif name is not None:
            found.append(_SEQUENCES[name])
            text = text[len(name) :]
        else:
            found.append(chr(text[0]) if 0x20 <= text[0] < 0x7F else "")
            text = text[1:]
    return [key for key in found if key]


def _nothing(_: int, __: FrameType | None) -> None:
    """Hear a signal: its number comes through the pipe, between two drawings."""
