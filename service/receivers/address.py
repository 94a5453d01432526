"""Whether a text is an address of the web.

≠ whether it is allowed, what is sent there.
"""

from __future__ import annotations

import httpx2


def url_problem(text: str, *, example: str = "https://example.org/hook") -> str:
    """Say what is wrong with an address, without quoting it; "" if nothing."""
    remedy = f"write an address such as {example}"
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        return f"not an address: {remedy}"
    if url.scheme not in ("http", "https"):
        return f"neither http nor https: {remedy}"
    if not url.host or " " in text or not 0 < (url.port or 443) < 65_536:
        return f"not an address: {remedy}"
    return ""
