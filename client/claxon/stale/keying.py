"""keying: the same request has the same key, and no two accounts share one."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from anthropic import APIRequest

_encode = msgspec.json.Encoder(order="sorted").encode

_IDENTITY = (
    "api_key",
    "auth_token",
    "aws_access_key",
    "aws_region",
    "project_id",
    "region",
    "workspace_id",
    "resource",
)
"""What a client of any platform is known by; hashed, never kept."""

_HEADERS = ("anthropic-beta", "anthropic-workspace-id")


def key_of(request: APIRequest, client: Any) -> str | None:
    """Return the key of a request: a SHA-256, from which nothing can be read back; None if it has no canonical form.

    In it are the whole body (in a canonical order, `stream` and `metadata` too), the
    address, what the app sent as headers that change answers, and whose account it is.
    """
    try:
        body = _encode([request.options.json_data, request.options.extra_json, request.stream])
    except (TypeError, ValueError, RecursionError):
        return None  # such as an open file
    headers = {name.lower(): value for name, value in request.headers.items()}
    identity = [type(client).__name__, str(getattr(client, "base_url", ""))]
    identity += [str(getattr(client, name, "")) for name in _IDENTITY]
    identity += [request.method, request.url, *(str(headers.get(name, "")) for name in _HEADERS)]
    found = hashlib.sha256(b"claxon stale answer\0")
    found.update("\0".join(identity).encode("utf-8", "surrogatepass"))
    found.update(b"\0")
    found.update(body)
    return found.hexdigest()
