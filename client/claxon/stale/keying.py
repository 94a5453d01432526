"""keying: the same request of the same account has the same key, and no two accounts share one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
from anthropic import APIRequest

_encode = msgspec.json.Encoder(order="sorted").encode

_NAMES = (
    "api_key",
    "auth_token",
    "aws_access_key",
    "aws_profile",
    "project_id",
    "_project",
)
"""What whose account it is can be told by, of a client of any platform; the same in every process."""

_PLACES = ("aws_region", "region", "_location", "workspace_id")

_AUTHORIZING = frozenset({"authorization", "x-api-key", "api-key"})

_PER_CALL = frozenset(
    {
        "accept",
        "accept-encoding",
        "b3",
        "baggage",
        "content-type",
        "idempotency-key",
        "sentry-trace",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "x-correlation-id",
        "x-request-id",
    }
)
"""Headers that are new with each call, or the SDK's own, and change no answer."""

_PER_CALL_PREFIXES = ("x-stainless-", "x-b3-", "x-datadog-")


class Key(NamedTuple):
    """What an answer is kept under.

    Attributes:
        digest: A SHA-256, from which nothing can be read back.
        portable: Whether another process finds the same.
    """

    digest: str
    portable: bool


def key_of(
    request: APIRequest, client: Any, *, account: str | None = None, ignored: frozenset[str] = frozenset()
) -> Key | None:
    """Return the key of a request; None if it has no canonical form, such as one that sends an open file.

    In it are method and address with their parameters, the whole body in a
    canonical order (`stream` and `metadata` too), the headers that the app and the
    client set, save the `ignored` and those that are known to be new with each call,
    and whose account it is: `account`, where the app says so.
    """
    headers = {name: value for name, value in _headers_of(request, client).items() if name not in ignored}
    platform = type(client).__name__.removeprefix("Async")
    whose, portable = (["account", account], True) if account is not None else _account_of(client, headers)
    if account is not None:
        headers = {name: value for name, value in headers.items() if name not in _AUTHORIZING}
    options = request.options
    try:
        content = _encode(
            [
                [platform, str(getattr(client, "base_url", "")), *_attributes(client, _PLACES)],
                whose,
                headers,
                [request.method, request.url, options.params, getattr(client, "_custom_query", None)],
                [options.json_data, options.extra_json, request.stream],
            ]
        )
    except (TypeError, ValueError, RecursionError):
        return None
    return Key(hashlib.sha256(b"claxon stale answer\0" + content).hexdigest(), portable)


def _headers_of(request: APIRequest, client: Any) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    # Private: what a profile adds, and `default_headers` as they were given.
    for part in (getattr(client, "_credential_headers", None), getattr(client, "_custom_headers", None)):
        _add(found, part)
    _add(found, request.headers)
    return found


def _add(found: dict[str, str | None], part: Any) -> None:
    for name, value in part.items() if isinstance(part, Mapping) else ():
        lower = str(name).lower()
        if lower not in _PER_CALL and not lower.startswith(_PER_CALL_PREFIXES):
            found[lower] = value if isinstance(value, str) else None  # None: left out, by the SDK's `Omit`


def _account_of(client: Any, headers: Mapping[str, str | None]) -> tuple[list[str | None], bool]:
    """Return whose account it is, and whether another process would say the same."""
    names = _attributes(client, _NAMES)
    known = any(names) or any(headers.get(name) for name in _AUTHORIZING)
    providers = [_own_name(provider) for provider in _providers(client)]
    if providers:
        return [*names, *providers], False
    return (names, True) if known else ([*names, _PROCESS], False)


def _providers(client: Any) -> list[Any]:
    """Return what mints a client's tokens. Tokens change, so whose they are is told by who mints them."""
    first_party = getattr(client, "credentials", None) if getattr(client, "_token_cache", None) is not None else None
    azure = getattr(client, "_azure_ad_token_provider", None)
    return [provider for provider in (first_party, azure) if provider is not None]


def _attributes(client: Any, names: tuple[str, ...]) -> list[str | None]:
    values = [getattr(client, name, None) for name in names]
    return [value if isinstance(value, str) and value else None for value in values]


_PROCESS = secrets.token_hex(16)

_own_names: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def _own_name(provider: Any) -> str:
    """Return a name of an object that no other has, in any process; copies of a client share the object.

    Raises:
        TypeError: It has no hash.
    """
    return _own_names.setdefault(provider, secrets.token_hex(16))
