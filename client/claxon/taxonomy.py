"""What an error of the Claude API means: its category, who must act, and how.

One table for the client, the rules and the pages. The order of evidence is
`error_code`, then `error_type`, then `status`: a 429 may be a spend limit that
lasts a month, and an error inside a stream arrives behind an HTTP 200.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Category(StrEnum):
    """The closed set of outcomes of one attempt; `ok` is the only success."""

    OK = "ok"
    AUTHENTICATION = "authentication"
    ACCOUNT = "account"
    PERMISSION = "permission"
    RATE_LIMIT = "rate_limit"
    SERVER = "server"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    STREAM = "stream"
    INVALID_REQUEST = "invalid_request"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    BAD_RESPONSE = "bad_response"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Blame(StrEnum):
    """Where to look first."""

    NOBODY = "nobody"
    PROVIDER = "provider"
    KEY = "key"
    ACCOUNT = "account"
    REQUEST = "request"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the taxonomy.

    Attributes:
        retryable: Whether the same request may succeed a moment later.
        blame: Where to look first.
        status: The HTTP status it usually has; None where it has none.
        advice: What a person does about it, one or two sentences.
    """

    retryable: bool
    blame: Blame
    status: int | None
    advice: str


KINDS: dict[Category, Kind] = {
    Category.OK: Kind(retryable=False, blame=Blame.NOBODY, status=200, advice="Nothing to do."),
    Category.AUTHENTICATION: Kind(
        retryable=False,
        blame=Blame.KEY,
        status=401,
        advice="The API key was rejected: check that it still exists in the Console, that the app runs with "
        "the key you think, and replace it. Retrying cannot help.",
    ),
    Category.ACCOUNT: Kind(
        retryable=False,
        blame=Blame.ACCOUNT,
        status=402,
        advice="The organisation is blocked (billing, a spend limit or a customer-managed key). Raise the "
        "limit or mend the billing in the Console; a spend limit can last until the first of next month.",
    ),
    Category.PERMISSION: Kind(
        retryable=False,
        blame=Blame.KEY,
        status=403,
        advice="The key may not do this: check its workspace and scopes, and what the caller asks for.",
    ),
    Category.RATE_LIMIT: Kind(
        retryable=True,
        blame=Blame.ACCOUNT,
        status=429,
        advice="Rate limit: slow down, spread the load, or ask for a higher limit. Obey retry-after.",
    ),
    Category.SERVER: Kind(
        retryable=True,
        blame=Blame.PROVIDER,
        status=500,
        advice="The API fails: check the provider's status page; send the request ids to support if it lasts.",
    ),
    Category.OVERLOADED: Kind(
        retryable=True,
        blame=Blame.PROVIDER,
        status=529,
        advice="The model is overloaded: shed load, fall back to another model, and wait.",
    ),
    Category.TIMEOUT: Kind(
        retryable=True,
        blame=Blame.NETWORK,
        status=None,
        advice="Requests time out: compare with other apps; raise the timeout, or stream long answers.",
    ),
    Category.CONNECTION: Kind(
        retryable=True,
        blame=Blame.NETWORK,
        status=None,
        advice="The API cannot be reached: check DNS, proxy, egress rules and TLS from the app's host.",
    ),
    Category.STREAM: Kind(
        retryable=False,
        blame=Blame.NETWORK,
        status=200,
        advice="Answers are cut off after a 200: users see half an answer. Check proxies and idle timeouts.",
    ),
    Category.INVALID_REQUEST: Kind(
        retryable=False,
        blame=Blame.REQUEST,
        status=400,
        advice="The app sends requests the API refuses: look at the last deploy.",
    ),
    Category.TOO_LARGE: Kind(
        retryable=False,
        blame=Blame.REQUEST,
        status=413,
        advice="Requests are too large: look at the size of prompts and attachments.",
    ),
    Category.NOT_FOUND: Kind(
        retryable=False,
        blame=Blame.REQUEST,
        status=404,
        advice="The model or resource does not exist (any more): check the model's name and its end of life.",
    ),
    Category.CONFLICT: Kind(
        retryable=True,
        blame=Blame.REQUEST,
        status=409,
        advice="Two requests collide on one resource: serialise them.",
    ),
    Category.BAD_RESPONSE: Kind(
        retryable=False,
        blame=Blame.NETWORK,
        status=200,
        advice="A 2xx that is not the API's answer: a proxy or captive portal is in between.",
    ),
    Category.CANCELLED: Kind(
        retryable=False, blame=Blame.NOBODY, status=None, advice="The app gave up or closed the stream; no error."
    ),
    Category.UNKNOWN: Kind(
        retryable=False, blame=Blame.REQUEST, status=None, advice="Not a known error: read its type and message."
    ),
}

_C = Category

# error.details.error_code; the wording of messages is unstable, the codes are not.
# cmek_feature_unsupported is a request for a feature, not a blocked account.
CODES: dict[str, Category] = {
    "enforced_spend_limit_reached": _C.ACCOUNT,
    "contract_spend_limit_reached": _C.ACCOUNT,
    "linked_organization_spend_limit_reached": _C.ACCOUNT,
    "linked_organization_billing_unavailable": _C.ACCOUNT,
    "organization_on_hold": _C.ACCOUNT,
    "usage_limit_reached": _C.ACCOUNT,
    "cmek_key_disabled": _C.ACCOUNT,
    "cmek_key_network_blocked": _C.ACCOUNT,
    "cmek_context_unavailable": _C.ACCOUNT,
    "cmek_key_unreachable": _C.ACCOUNT,
    "ramp_limit_exceeded": _C.RATE_LIMIT,
    "compaction_unavailable": _C.OVERLOADED,
}

# Names are compared without case, "_", "-" and without a trailing "Error", so that
# `rate_limit_error`, `RateLimitError` and `anthropic.RateLimitError` are one row.
_TYPES: dict[str, Category] = {
    # API types
    "authentication": _C.AUTHENTICATION,
    "billing": _C.ACCOUNT,
    "permission": _C.PERMISSION,
    "ratelimit": _C.RATE_LIMIT,
    "api": _C.SERVER,
    "overloaded": _C.OVERLOADED,
    "timeout": _C.TIMEOUT,
    "invalidrequest": _C.INVALID_REQUEST,
    "requesttoolarge": _C.TOO_LARGE,
    "notfound": _C.NOT_FOUND,
    "conflict": _C.CONFLICT,
    # classes of the SDK
    "permissiondenied": _C.PERMISSION,
    "paymentrequired": _C.ACCOUNT,
    "enforcedspendlimitreached": _C.ACCOUNT,
    "contractspendlimitreached": _C.ACCOUNT,
    "linkedorganizationspendlimitreached": _C.ACCOUNT,
    "linkedorganizationbillingunavailable": _C.ACCOUNT,
    "organizationonhold": _C.ACCOUNT,
    "cmekkeydisabled": _C.ACCOUNT,
    "cmekkeynetworkblocked": _C.ACCOUNT,
    "cmekcontextunavailable": _C.ACCOUNT,
    "cmekkeyunreachable": _C.ACCOUNT,
    "ramplimitexceeded": _C.RATE_LIMIT,
    "serviceunavailable": _C.SERVER,
    "httpnotimplemented": _C.SERVER,
    "gatewaytimeout": _C.TIMEOUT,
    "deadlineexceeded": _C.TIMEOUT,
    "requesttimeout": _C.TIMEOUT,
    "apitimeout": _C.TIMEOUT,
    "clienttimeout": _C.TIMEOUT,
    "compactionunavailable": _C.OVERLOADED,
    "throttlingexception": _C.OVERLOADED,
    "modelnotreadyexception": _C.OVERLOADED,
    "serviceunavailableexception": _C.SERVER,
    "internalserverexception": _C.SERVER,
    "modelstreamerrorexception": _C.SERVER,
    "badrequest": _C.INVALID_REQUEST,
    "unprocessableentity": _C.INVALID_REQUEST,
    "preconditionfailed": _C.INVALID_REQUEST,
    "requestheaderfieldstoolarge": _C.INVALID_REQUEST,
    "validationexception": _C.INVALID_REQUEST,
    "contenttoolarge": _C.TOO_LARGE,
    "clientclosedrequest": _C.CANCELLED,
    "apiconnection": _C.CONNECTION,
    "apiconnectiontimeout": _C.TIMEOUT,
    "apiresponsevalidation": _C.BAD_RESPONSE,
    "nonjsonresponse": _C.BAD_RESPONSE,
    # credentials that failed before a request was sent
    "credentials": _C.AUTHENTICATION,
    "identitytokenfile": _C.AUTHENTICATION,
    "workloadidentity": _C.AUTHENTICATION,
    "defaultcredentials": _C.AUTHENTICATION,
    "nocredentials": _C.AUTHENTICATION,
    "refresh": _C.AUTHENTICATION,
    # transport errors, raw
    "connect": _C.CONNECTION,
    "read": _C.CONNECTION,
    "write": _C.CONNECTION,
    "network": _C.CONNECTION,
    "transport": _C.CONNECTION,
    "close": _C.CONNECTION,
    "proxy": _C.CONNECTION,
    "remoteprotocol": _C.CONNECTION,
    "localprotocol": _C.CONNECTION,
    "connectionreset": _C.CONNECTION,
    "connectionrefused": _C.CONNECTION,
    "connecttimeout": _C.TIMEOUT,
    "readtimeout": _C.TIMEOUT,
    "writetimeout": _C.TIMEOUT,
    "pooltimeout": _C.TIMEOUT,
    "timeoutexception": _C.TIMEOUT,
    # streams
    "streamtruncated": _C.STREAM,
    "streaminterrupted": _C.STREAM,
    # the app gave up
    "cancelled": _C.CANCELLED,
    "generatorexit": _C.CANCELLED,
    "keyboardinterrupt": _C.CANCELLED,
} | {c.value.replace("_", ""): c for c in Category if c is not Category.OK}

# Generic names that say less than the status does.
_GENERIC = {
    "internalserver",
    "apistatus",
    "exception",
    "error",
    "http",
    "httpstatus",
    "client",
    "unknown",
    "other",
}

_STATUSES: dict[int, Category] = {
    400: _C.INVALID_REQUEST,
    401: _C.AUTHENTICATION,
    402: _C.ACCOUNT,
    403: _C.PERMISSION,
    404: _C.NOT_FOUND,
    408: _C.TIMEOUT,
    409: _C.CONFLICT,
    413: _C.TOO_LARGE,
    422: _C.INVALID_REQUEST,
    429: _C.RATE_LIMIT,
    499: _C.CANCELLED,
    504: _C.TIMEOUT,
    529: _C.OVERLOADED,
}

_SEPARATORS = re.compile(r"[_\-\s]")


def _bare(name: str) -> str:
    last = name.rpartition(".")[2]
    flat = _SEPARATORS.sub("", last).lower()
    return flat.removesuffix("error") or "error"


def _of_status(status: int) -> Category:
    found = _STATUSES.get(status)
    if found is not None:
        return found
    if 500 <= status <= 599:
        return Category.SERVER
    return Category.INVALID_REQUEST if 400 <= status <= 499 else Category.UNKNOWN


@lru_cache(maxsize=4096)
def classify(error_code: str | None, error_type: str | None, status: int | None) -> Category:
    """Return the category of an attempt; `ok` when nothing speaks of an error.

    Args:
        error_code: `error.details.error_code` of the API's answer.
        error_type: An API type, the name of an SDK exception (with or without
            its module), a category, or a status as text.
        status: The HTTP status, 100..599. A 2xx together with an `error_type`
            is an error inside a stream.
    """
    if error_code is not None and (coded := CODES.get(error_code)) is not None:
        return coded
    if error_type:
        return _of_type(error_type, status)
    if status is None or 200 <= status <= 299:
        return Category.OK
    return _of_status(status)


def _of_type(error_type: str, status: int | None) -> Category:
    bare = _bare(error_type)
    failed = status if status is not None and status >= 400 else None
    if bare.isdigit() and len(bare) == 3:
        return _of_status(int(bare))
    if bare in _GENERIC:
        if failed is not None:
            return _of_status(failed)
        return Category.SERVER if bare == "internalserver" else Category.UNKNOWN
    named = _TYPES.get(bare)
    if named is not None:
        return named
    return _of_status(failed) if failed is not None else Category.UNKNOWN


def typical_status(error_code: str | None, error_type: str | None) -> int | None:
    """Return the HTTP status that such an error has; None where it has none or is not known."""
    return KINDS[classify(error_code, error_type, None)].status
