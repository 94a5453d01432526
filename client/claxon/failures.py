"""What a failed exchange says about itself, as far as it may leave the process.

Of an error body only its type, its code and its message are read. The message
of one error, the usage limit's, becomes a code in the app: its wording is the
only sign of a blocked account, and a rule must not depend on wording.
"""

from __future__ import annotations

import msgspec

from .taxonomy import Category, classify

USAGE_LIMIT_TEXT = "You have reached your specified API usage limits"
USAGE_LIMIT_CODE = "usage_limit_reached"

NON_JSON = "non_json_response"
CANCELLED = "cancelled"
CREDENTIALS = "CredentialsError"


class Details(msgspec.Struct, gc=False):
    """`error.details` of an error body."""

    error_code: str | None = None


class Failure(msgspec.Struct, gc=False):
    """What an error body or an error event says; every part may be missing."""

    type: str | None = None
    message: str | None = None
    details: Details | None = None

    @property
    def code(self) -> str | None:
        """`details.error_code`, or the code of the usage limit, which the API tells in words only."""
        if self.details is not None and self.details.error_code:
            return self.details.error_code
        return USAGE_LIMIT_CODE if self._is_usage_limit else None

    @property
    def text(self) -> str | None:
        """The API's message; None for the usage limit's, whose code says it all."""
        return None if self._is_usage_limit else self.message

    @property
    def _is_usage_limit(self) -> bool:
        return self.message is not None and self.message.startswith(USAGE_LIMIT_TEXT)


class _ErrorBody(msgspec.Struct, gc=False):
    error: Failure | None = None


NO_FAILURE = Failure()
_decode = msgspec.json.Decoder(_ErrorBody).decode


def read_error_body(body: bytes) -> Failure:
    """Return what an error body says; nothing when it is not the API's, such as a proxy's page."""
    try:
        return _decode(body).error or NO_FAILURE
    except (msgspec.DecodeError, UnicodeDecodeError):
        return NO_FAILURE


def is_cancellation(error: BaseException) -> bool:
    """Return whether the app gave up: a cancelled task, ^C, a greenlet that timed out."""
    return not isinstance(error, Exception)


def type_of_exception(error: BaseException) -> str:
    """Return the `error_type` of an attempt that raised instead of answering."""
    if is_cancellation(error):
        return CANCELLED
    return credential_error(error) or type(error).__name__


def credential_error(error: BaseException) -> str | None:
    """Return the name of the credential error behind an exception; None when there is none.

    Such an error means that no request was sent: a missing key, a token file
    that cannot be read, a cloud login that expired.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        name = _credential_name(current)
        if name is not None:
            return name
        current = current.__cause__
    return None


def _credential_name(error: BaseException) -> str | None:
    if isinstance(error, TypeError) and "Could not resolve authentication method" in str(error):
        return CREDENTIALS
    # Google's and Amazon's login errors have names of their own, which the taxonomy knows.
    for kind in type(error).__mro__:
        if kind.__name__ == "WorkloadIdentityError":
            return CREDENTIALS
        if kind.__name__ in _CREDENTIAL_CLASSES:
            return kind.__name__
    return None


_CREDENTIAL_CLASSES = frozenset(
    {
        "CredentialsError",
        "IdentityTokenFileError",
        "DefaultCredentialsError",
        "NoCredentialsError",
        "RefreshError",
    }
)


def needs_somebody(attempt_error_type: str | None, error_code: str | None, status: int | None) -> bool:
    """Return whether an outcome is an error, and not a cancellation: such events are sent at once."""
    return classify(error_code, attempt_error_type, status) not in (Category.OK, Category.CANCELLED)
