"""Questions to a running Claxon over HTTP, for the commands that explain it.

≠ what is asked.
"""

from __future__ import annotations

import http.client
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
        nobody: Whether nothing listens there at all.
    """

    def __init__(self, text: str, *, status: int | None = None, nobody: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.nobody = nobody


class Claxon:
    """A running Claxon."""

    def __init__(self, url: str, *, key: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s
        try:
            host = urlsplit(self._url).hostname or ""
        except ValueError as fault:
            raise NotAnswered(f"--url: {self._url}: {fault}: write one such as http://127.0.0.1:5290") from fault
        # A proxy of the environment does not lead to this machine.
        local = is_loopback(host)
        self._opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Return the body of a GET that succeeds.

        Raises:
            NotAnswered: It does not.
        """
        return self.ask("GET", path, query=query, scope="read")

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        scope: str = "admin",
    ) -> bytes:
        """Return the body of an answer that is no error.

        Args:
            method: Of HTTP.
            path: Not encoded yet.
            body: JSON; None for none.
            query: Asked for.
            scope: The key that it needs, for whoever has none.

        Raises:
            NotAnswered: There is none, or it is one.
        """
        url = f"{self._url}{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        if not url.startswith(("http://", "https://")):
            raise NotAnswered(f"--url: {self._url}: write a URL that begins with http:// or https://")
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 — checked just above
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as fault:
            with fault:
                raise NotAnswered(_said(fault, self._url, scope), status=fault.code) from fault
        except (OSError, http.client.HTTPException) as fault:
            # The second: it ended in the middle of its answer.
            said = getattr(fault, "reason", fault)
            remedy = "start `claxon serve`, or name another one by --url"
            nobody = isinstance(said, ConnectionRefusedError)
            raise NotAnswered(f"{self._url}: {said}: {remedy}", nobody=nobody) from fault


def _said(fault: urllib.error.HTTPError, url: str, scope: str) -> str:
    if fault.code in (401, 403):
        remedy = f"name a file with a key of scope {scope} by --key-file, or set CLAXON_{scope.upper()}_KEY"
        return f"{url}: {fault.code}: {remedy}"
    try:
        return str(json.loads(fault.read())["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{url}: answered {fault.code}: is this Claxon's address?"


def read_key(path: Path | None, *, scope: str = "read") -> str:
    """Return the key of a file, or of CLAXON_READ_KEY (if that is enough) or CLAXON_ADMIN_KEY; "" for none.

    Raises:
        NotAnswered: The file cannot be read.
    """
    if path is None:
        enough = os.environ.get("CLAXON_READ_KEY") if scope == "read" else ""
        return enough or os.environ.get("CLAXON_ADMIN_KEY") or ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise NotAnswered(f"--key-file: {path}: {fault}: name a file that holds the key and nothing else") from fault
