"""Links: addresses that let whoever was told of an alert acknowledge it, and do nothing else.

A token is the alert's fingerprint, the episode and an expiry, signed with a secret that Claxon made for
itself: 32 bytes, 43 characters. It names no key and opens no other page.

≠ HTTP, who acknowledges.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass

LASTS_S = 7 * 86_400
"""How long a link may be used."""

PATH = "a"
"""Links are short, for SMS and for people who type: /a/<token>."""

SECRET_NAME = "links"  # noqa: S105 — what the secret is called
SECRET_BYTES = 32

_SAID = struct.Struct(">8sII")
_SIGNED_BYTES = 16
_LONG = 43
_PURPOSE = b"claxon acknowledge 1\0"


class UnknownLinkError(ValueError):
    """Claxon has not made this link, or not with the secret it has now."""


class ExpiredLinkError(ValueError):
    """The link was genuine, and its time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a token says.

    Attributes:
        fingerprint: Of the alert.
        episode: Of the alert; a later one needs a link of its own.
        expires_at: Until when it counts, Unix seconds.
    """

    fingerprint: str
    episode: int
    expires_at: float


class Links:
    """Makes tokens, and reads those that it made."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float]) -> None:
        """Take the secret over; it is never shown, nor logged.

        Args:
            secret: At least 16 random bytes.
            clock: Unix seconds.
        """
        self._secret = secret
        self._clock = clock

    def token(self, fingerprint: str, episode: int) -> str:
        """Return a token for an alert's episode.

        Args:
            fingerprint: 16 hex digits.
            episode: From 1.
        """
        said = _SAID.pack(bytes.fromhex(fingerprint), episode, int(self._clock()) + LASTS_S)
        return base64.urlsafe_b64encode(said + self._sign(said)).decode().rstrip("=")

    def read(self, token: str) -> Link:
        """Return what a token says; it is compared in the same time, whatever is wrong with it.

        Raises:
            UnknownLinkError: It was not made here.
            ExpiredLinkError: It was, over a week ago.
        """
        if len(token) != _LONG:
            raise UnknownLinkError("link: not of Claxon's length: copy all of it")
        try:
            raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as fault:
            raise UnknownLinkError("link: not of Claxon's form: copy all of it") from fault
        said, signed = raw[: _SAID.size], raw[_SAID.size :]
        if not hmac.compare_digest(self._sign(said), signed):
            raise UnknownLinkError("link: not signed by this Claxon: copy all of it")
        name, episode, expires_at = _SAID.unpack(said)
        if expires_at <= self._clock():
            raise ExpiredLinkError("link: its week is over: use the alert's page")
        return Link(fingerprint=name.hex(), episode=episode, expires_at=float(expires_at))

    def _sign(self, said: bytes) -> bytes:
        return hmac.digest(self._secret, _PURPOSE + said, hashlib.sha256)[:_SIGNED_BYTES]

    def __repr__(self) -> str:
        return "Links(<secret>)"
