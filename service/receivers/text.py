"""Text as it may leave Claxon: cut, without control characters, with times people can read.

≠ vendors' markup.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

# C0, C1, the line separators that editors and terminals obey, the marks that turn
# the direction of writing, and halves of surrogate pairs, which no encoder takes.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_LEADING = re.compile(r"[^\s,(]+")


def clean(text: str) -> str:
    """Return the text on one line and without anything that commands a terminal or a browser."""
    return _UNPRINTABLE.sub(" ", text).strip()


def width(text: str) -> int:
    """Return the length in UTF-16 code units, as most vendors count characters; an emoji has two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """Return the text if it has at most `limit` UTF-16 code units, else its beginning and "…"."""
    if len(text) <= limit and width(text) <= limit:
        return text
    if limit <= 0:
        return ""
    units = text[:limit].encode("utf-16-le", "surrogatepass")[: 2 * (limit - 1)]
    # "ignore" drops the half of a pair that the cut may have left at the end.
    return units.decode("utf-16-le", "ignore") + "…"


def brief(text: str, limit: int) -> str:
    """Return the text clean and cut, in a time that depends on the limit alone."""
    head = text[: 2 * limit + 100]
    return cut(clean(head) + ("…" if len(head) < len(text) else ""), limit)


def rfc3339(at: float) -> str:
    """Return Unix seconds in RFC 3339, UTC, with milliseconds where there are any."""
    moment = datetime.fromtimestamp(round(at, 3), UTC)
    spec = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=spec).removesuffix("+00:00") + "Z"


def spoken(at: float) -> str:
    """Return Unix seconds as "2026-11-23 03:04:05 UTC"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def leading_error(errors: str) -> str:
    """Return the most frequent error of "overloaded_error (529) 7, api_error (500) 2"; "" without one."""
    match = _LEADING.match(errors.strip())
    return match.group() if match else ""
