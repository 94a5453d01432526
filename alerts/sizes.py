"""Sizes in Prometheus's grammar: "20GB" <-> bytes; a KB has 1,024 of them."""

from __future__ import annotations

import re

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")
_FORM = re.compile("([0-9]{1,12})(" + "|".join(_UNITS) + ")")


class SizeError(ValueError):
    """A text that says no size; the text of the error is *value: remedy*."""


def parse_size(text: str) -> int:
    """Return the bytes of a size such as "500MB" or "20GB".

    Raises:
        SizeError: It is not one.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise SizeError(f"{text!r}: not a size: write a whole number and a unit, such as 500MB or 20GB")
    return int(form[1]) << (10 * _UNITS.index(form[2]))
