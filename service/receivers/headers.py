"""`http_headers`: headers that an operator adds to each request.

≠ the headers that we send ourselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .secret import Secret, SecretSource
from .settings import Settings

# What we set ourselves, what http_config has a setting for, and what belongs to the connection.
_RESERVED = frozenset({
    "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type", "expect",
    "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
    "user-agent", "www-authenticate", "idempotency-key", "x-claxon-dedup-key", "x-claxon-signature",
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t -~]*")


@dataclass(frozen=True, slots=True)
class Header:
    """One value of a header.

    Attributes:
        name: As written.
        value: What it says.
        hidden: Whether it is a secret, which no error may show.
    """

    name: str
    value: SecretSource
    hidden: bool = True


def read_headers(settings: Settings, name: str = "http_headers") -> tuple[Header, ...]:
    """Read Alertmanager's `http_headers`: for each name `values`, `secrets` and `files`."""
    below = settings.below(name)
    headers: list[Header] = []
    for each in below.names():
        if not _NAME.fullmatch(each):
            below.refuse(each, "no name of a header: write letters, digits and -")
        elif each.lower() in _RESERVED:
            below.refuse(each, "set by Claxon, or by another setting of http_config: remove it")
        headers += _values(each, below.below(each))
    return tuple(headers)


def value_problem(text: str) -> str:
    """Say what is wrong with a header's value, without quoting it; "" if nothing."""
    return "" if _VALUE.fullmatch(text) else "has characters that no header may carry: write ASCII on one line"


def _values(name: str, settings: Settings) -> list[Header]:
    plain, hidden = settings.texts("values"), settings.texts("secrets")
    for problem in {value_problem(text) for text in (*plain, *hidden)} - {""}:
        settings.refuse("values", problem)
    files = [settings.secret_file("files", path, check=value_problem) for path in settings.texts("files")]
    settings.done()
    if not (plain or hidden or files):
        settings.refuse("values", "missing: write values, secrets or files")
    shown = [Header(name, Secret(text), hidden=False) for text in plain]
    return [*shown, *(Header(name, source) for source in (*map(Secret, hidden), *files))]
