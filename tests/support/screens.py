"""A program on a real pseudo-terminal, and what a person sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

_TOKEN = re.compile(rb"\x1b\[(\?[\d;]*|[\d;]*)([A-Za-z])|([^\x1b]+)|(\x1b)", re.DOTALL)

LEAVE = b"\x1b[?1049l"
ENTER = b"\x1b[?1049h"
_SIGNS = {"C": "\x03", "Z": "\x1a"}


class Screen:
    """Knows the few orders that `claxon top` gives, and fails on any other."""

    def __init__(self, cells: int, lines: int) -> None:
        self.resize(cells, lines)
        self.modes: set[str] = set()
        self.painted: set[str] = set()
        self.wiped = 0
        self._left = b""

    def resize(self, cells: int, lines: int) -> None:
        """Take another size, as a terminal's window does; what was there is gone."""
        self.cells, self.lines = cells, lines
        self._rows = [[" "] * cells for _ in range(lines)]
        self._row = self._column = 0

    def feed(self, text: bytes) -> None:
        """Take what was written."""
        text = self._left + text
        # What ends in the middle of an order, or of a letter, waits for its rest.
        whole = len(text)
        with suppress(ValueError):
            start = text.rindex(b"\x1b")
            if not re.match(rb"\x1b\[[?\d;]*[A-Za-z]", text[start:]):
                whole = start
        self._left, text = text[whole:], text[:whole]
        for order in _TOKEN.finditer(text):
            self._take(order)

    def _take(self, order: re.Match[bytes]) -> None:
        arguments, letter, plain, strange = order.groups()
        assert strange is None, f"an order that nobody knows: {order.string[order.start() : order.start() + 9]!r}"
        if plain is not None:
            self._write(plain.decode("utf-8", "replace"))
        elif letter in b"hl" and arguments.startswith(b"?"):
            (self.modes.add if letter == b"h" else self.modes.discard)(arguments.decode())
        elif letter == b"H":
            row, _, column = arguments.partition(b";")
            self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
        elif letter == b"J":
            assert arguments == b"2"
            self.wiped += 1
            self.resize(self.cells, self.lines)
        else:
            assert letter == b"m", (arguments, letter)
            self.painted.add(arguments.decode())

    def _write(self, text: str) -> None:
        for letter in text:
            if letter in "\r\n":
                continue
            assert letter.isprintable(), f"{letter!r} reached the terminal"
            if unicodedata.combining(letter):
                continue
            wide = unicodedata.east_asian_width(letter) in "WF"
            if self._row < self.lines and self._column < self.cells:
                self._rows[self._row][self._column] = letter
                if wide and self._column + 1 < self.cells:
                    self._rows[self._row][self._column + 1] = ""
            self._column += 2 if wide else 1

    @property
    def text(self) -> str:
        """What a person reads."""
        return "\n".join("".join(row).rstrip() for row in self._rows)


class OnTerminal:
    """`python -m service ...` on a terminal of its own."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cells: int = 80,
        lines: int = 24,
        variables: Mapping[str, str] | None = None,
        run: Callable[[list[str]], None] | None = None,
    ) -> None:
        """Note what is run.

        Args:
            arguments: Of `claxon`.
            cells: How wide the terminal is.
            lines: How high.
            variables: Of the environment, beside those of the tests.
            run: Runs the command in the child, in place of `exec`.
        """
        self.screen = Screen(cells, lines)
        self.written = b""
        self.status: int | None = None
        self._command = [sys.executable, "-m", "service", *arguments]
        self._variables = {"TERM": "xterm-256color", "USER": "anna", **(variables or {})}
        self._run = run

    def __enter__(self) -> Self:
        master, slave = pty.openpty()
        self._size(slave)
        self.before = termios.tcgetattr(slave)
        self.pid = os.fork()
        if not self.pid:
            os.environ.update(self._variables)
            os.close(master)
            os.login_tty(slave) if hasattr(os, "login_tty") else _login(slave)
            if self._run is not None:
                self._run(self._command)
            os.execv(self._command[0], self._command)
        self._master, self._slave = master, slave
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._slave)
        os.close(self._master)

    def _size(self, end: int) -> None:
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", self.screen.lines, self.screen.cells, 0, 0))

    @property
    def now(self) -> list[Any]:
        """The terminal's settings."""
        return termios.tcgetattr(self._slave)

    def resize(self, cells: int, lines: int) -> None:
        """Make the window larger or smaller."""
        self.screen.resize(cells, lines)
        self._size(self._slave)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def hang_up(self, sign: int) -> None:
        """Send a signal."""
        os.kill(self.pid, sign)

    def read(self, seconds: float = 0.05) -> None:
        """Take what is written within so many seconds."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if ready:
            with suppress(OSError):
                text = os.read(self._master, 65536)
                self.written += text
                self.screen.feed(text)

    def shows(self, text: str, *, within: float = 10.0) -> float:
        """Wait until the screen shows a text; return how long that took.

        Raises:
            AssertionError: It did not, in time.
        """
        return self.until(lambda: text in self.screen.text, within=within, what=text)

    def until(self, seen: Callable[[], bool], *, within: float = 10.0, what: str = "it") -> float:
        """Wait until something is so; return how long that took."""
        begun = time.monotonic()
        while not seen():
            assert time.monotonic() - begun < within, f"{what!r} was not seen:\n{self.screen.text}"
            self.read()
        return time.monotonic() - begun

    def ends(self, *, within: float = 10.0) -> int:
        """Wait for the end; return the exit status, as a shell says it."""
        begun = time.monotonic()
        while self.status is None:
            assert time.monotonic() - begun < within, f"it goes on:\n{self.screen.text}"
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = code if code >= 0 else 128 - code
        self.read(0.2)
        return self.status


def _login(end: int) -> None:
    """Make a terminal that of this process, in a session of its own."""
    os.setsid()
    fcntl.ioctl(end, termios.TIOCSCTTY, 0)
    for name in (0, 1, 2):
        os.dup2(end, name)
    if end > 2:
        os.close(end)
