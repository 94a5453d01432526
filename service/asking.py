"""Questions to a running Claxon over HTTP, for the commands that explain it.

≠ what is asked.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from .settings import is_loopback

TIMEOUT_S = 20.0


class NotAnswered(Exception):
    """No answer, or a no; the text is *where: value: remedy*.

    Attributes:
        status: What HTTP said; None without an answer.
    """

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Claxon:
    """A running Claxon."""

    def __init__(self, url: str, *, key: str = "") -> None:
        self._url = url.rstrip("/")
        self._key = key
        # A proxy of the environment does not lead to this machine.
        local = is_loopback(urlsplit(self._url).hostname or "")
        self._opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Return the body of a GET that succeeds.

        Raises:
            NotAnswered: It does not.
        """
        url = f"{self._url}{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        if not url.startswith(("http://", "https://")):
            raise NotAnswered(f"--url: {self._url}: write a URL that begins with http:// or https://")
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 — checked just above
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as fault:
            with fault:
                raise NotAnswered(_said(fault, self._url), status=fault.code) from fault
        except OSError as fault:
            said = getattr(fault, "reason", fault)
            raise NotAnswered(f"{self._url}: {said}: start `claxon serve`, or name another one by --url") from fault


def _said(fault: urllib.error.HTTPError, url: str) -> str:
    if fault.code in (401, 403):
        return f"{url}: {fault.code}: name a file with a key of scope read by --key-file, or set CLAXON_READ_KEY"
    try:
        return str(json.loads(fault.read())["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{url}: answered {fault.code}: is this Claxon's address?"


def read_key(path: Path | None) -> str:
    """Return the key of a file, or of CLAXON_READ_KEY or CLAXON_ADMIN_KEY; "" for none.

    Raises:
        NotAnswered: The file cannot be read.
    """
    if path is None:
        return os.environ.get("CLAXON_READ_KEY") or os.environ.get("CLAXON_ADMIN_KEY") or ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise NotAnswered(f"--key-file: {path}: {fault}: name a file that holds the key and nothing else") from fault
