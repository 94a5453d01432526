"""What a failed span says of its error, without its texts: a text may quote the prompt.

Of `Error code: 401 - {'type': 'error', ...}`, as the SDK's exceptions read, only words of a closed form are
taken: the status, the API's type, its code and the request id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from claxon.taxonomy import Category, classify

from .names import UNKNOWN
from .span import ERROR, Span

_STATUS = re.compile(r"Error code: ([1-5]\d\d) - ")
_TYPE = re.compile(r"\{'type': 'error', 'error': \{[^{}]{0,200}?'type': '([a-z_]{1,64})'")
_CODE = re.compile(r"'details': \{[^{}]{0,200}?'error_code': '([a-z_]{1,64})'")
_REQUEST_ID = re.compile(r"'request_id': '(req_[A-Za-z0-9_]{1,100})'\}$")
_CLASS = re.compile(r"([A-Z][A-Za-z0-9]{0,64}(?:Error|Exception)): ")

_USAGE_LIMIT = "'message': 'You have reached your specified API usage limits"
_NO_KEY = "Could not resolve authentication method"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a span says of its error; None is unknown."""

    type: str
    status: int | None = None
    code: str | None = None
    request_id: str | None = None

    @property
    def category(self) -> Category:
        """What it means."""
        return classify(self.code, self.type, self.status)


def failure_of(span: Span) -> Failure | None:
    """Return what went wrong; None if nothing did."""
    said: str | None = span.attributes.get("error_type")
    if said is None and span.status != ERROR:
        return None
    text: str = span.exception.get("exception_message") or span.message[:4096]
    kind = said if said not in (None, UNKNOWN) else span.exception.get("exception_type", UNKNOWN)
    if kind == UNKNOWN and (found := _CLASS.match(text)) is not None:
        kind = found[1]
    status: int | None = span.attributes.get("status")
    return _told(text, kind, status) if text else Failure(type=kind, status=status)


def _told(text: str, kind: str, status: int | None) -> Failure:
    """Return a failure with what the text of the exception adds."""
    if _NO_KEY in text:
        return Failure(type="CredentialsError", status=status)
    api_type, code, request_id = _TYPE.search(text), _CODE.search(text), _REQUEST_ID.search(text)
    # A class's name may say less than the API's own type: InternalServerError, APIStatusError.
    if api_type is not None and classify(None, kind, None) in (Category.UNKNOWN, Category.SERVER):
        kind = api_type[1]
    if status is None and (found := _STATUS.search(text)) is not None:
        status = int(found[1])
    return Failure(
        type=kind,
        status=status,
        code=code[1] if code else "usage_limit_reached" if _USAGE_LIMIT in text else None,
        request_id=request_id[1] if request_id else None,
    )
