"""Secrets that cannot be printed by accident, and the blotting out of what others print.

≠ what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

HIDDEN = "<secret>"

Check = Callable[[str], str]
"""Says what is wrong with a secret without quoting it; "" when nothing is."""


class SecretSource(Protocol):
    """Where a secret comes from."""

    def reveal(self) -> str:
        """Return the secret; to be called where it is sent, and kept nowhere."""


class Secret:
    """A text that shows itself only when asked to.

    Not a `str`: joining or formatting one would print it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretFile:
    """A secret in a file, read anew at each use, so that rotating it needs no restart.

    A file that is missing, empty or wrong for a moment leaves the last good secret
    in force: a page must not fail because a deployment is swapping a mount.

    Raises:
        ValueError: At construction, when the file cannot be read or is wrong.
    """

    __slots__ = ("_check", "_last", "_path")

    def __init__(self, path: Path, *, check: Check) -> None:
        self._path = path
        self._check = check
        self._last = self._read()

    def reveal(self) -> str:
        """Return what the file holds now, or held when it was last good."""
        with suppress(ValueError):
            self._last = self._read()
        return self._last

    def _read(self) -> str:
        try:
            text = self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(error.strerror or "cannot be read") from None
        except ValueError:
            raise ValueError("is not UTF-8 text") from None
        if problem := self._check(text):
            raise ValueError(problem)
        return text

    def __repr__(self) -> str:
        return f"<secret in {self._path}>"


def blot(text: str, secrets: Iterable[str], *, cut: bool = False) -> str:
    """Return the text with every secret in it replaced.

    Args:
        text: What somebody else wrote: a receiver's answer, a library's error.
        secrets: What it may echo.
        cut: The text is only the beginning of a longer one; its end, which may be
            the beginning of a secret, is left out.
    """
    longest_first = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    for secret in longest_first:
        text = text.replace(secret, HIDDEN)
    if cut and longest_first:
        text = text[: max(len(text) - len(longest_first[0]), 0)]
    return text
