"""One request to a receiver: time-outs, no redirects, TLS verified, secrets kept out of errors.

≠ vendors' formats, retries.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from .base import Answer, DeliveryError, Reason
from .connections import Connections
from .endpoint import Endpoint, Target, aim, origin
from .secret import SecretSource, blot
from .text import brief

CONNECT_TIMEOUT_S = 5.0
MAX_BODY = 4096
MAX_ANSWER = 200
MAX_RETRY_AFTER_S = 3600.0
"""A page waits no longer than this for one header, which may be a proxy's mistake."""

# What the transport raises, and what slips through it for odd names and ports.
_BROKEN = (httpx2.HTTPError, httpx2.StreamError, OSError, ValueError, ExceptionGroup)
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_STATUS_REASONS = {
    401: Reason.AUTH, 403: Reason.AUTH, 407: Reason.AUTH, 404: Reason.GONE, 410: Reason.GONE,
    408: Reason.SERVER, 425: Reason.SERVER, 429: Reason.RATE_LIMITED,
}  # fmt: skip
_REMEDIES = {
    Reason.AUTH: "check the credentials and the address",
    Reason.GONE: "nothing takes pages at this address: check it",
    Reason.CLIENT: "the receiver refuses what we send",
    Reason.RATE_LIMITED: "it wants fewer messages",
    Reason.SERVER: "the receiver is in trouble",
}


@dataclass(slots=True)
class _Reply:
    """What came back, as far as it came."""

    status: int = 0
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False


class Http:
    """Sends JSON to one endpoint.

    Args:
        endpoint: Where to.
        secrets: What else an answer may echo and no error may show.
    """

    def __init__(self, endpoint: Endpoint, *, secrets: tuple[SecretSource, ...] = ()) -> None:
        self._endpoint = endpoint
        self._secrets = secrets
        self._connections = Connections(endpoint.config.tls)

    async def post(self, payload: object, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send once, and return what the receiver said when it took it; `ask` says the rest."""
        return await self.ask("POST", payload, headers=headers)

    async def ask(
        self,
        method: str,
        payload: object = None,
        *,
        below: str = "",
        headers: Mapping[str, str] | None = None,
        most: int = MAX_ANSWER,
    ) -> Answer:
        """Ask once, and return what the receiver said.

        Args:
            method: Such as "PUT".
            payload: What becomes JSON; bytes are sent as they are, and None is no body.
            below: A path below the endpoint's, quoted, with its query: "/v2/alerts?x=y".
            headers: Beside ours, or in place of them.
            most: How many characters of the answer are wanted.

        Raises:
            DeliveryError: Anything but a 2xx. The text has no secret in it.
        """
        target = aim(self._endpoint)
        if below:
            target = replace(target, url=_below(target.url, below))
        body = b"" if payload is None else payload if isinstance(payload, bytes) else encode(payload)
        reply = await self._exchange(self._request(method, target, body, headers or {}), target)
        said = reply.body.decode("utf-8", "replace")
        text = self._shown(said, target, partial=not reply.whole, most=most)
        if 200 <= reply.status < 300:
            return Answer(status=reply.status, text=text)
        raise _refusal(target, reply, brief(text, MAX_ANSWER))

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def _exchange(self, request: httpx2.Request, target: Target) -> _Reply:
        reply = _Reply()
        problem = ""
        reason = Reason.NETWORK
        try:
            async with asyncio.timeout(self._endpoint.timeout):
                async with self._connections.by_way_of(target.proxy) as transport:
                    await _talk(transport, request, reply)
        except (TimeoutError, httpx2.TimeoutException):
            reason, problem = Reason.TIMEOUT, f"no answer within {self._endpoint.timeout:g} s"
        except httpx2.ProxyError as error:
            reason, problem = _proxy_reason(str(error)), f"the proxy answered {brief(str(error), 60)}: check proxy_url"
        except _BROKEN as error:
            problem = self._shown(f"{type(error).__name__}: {error}", target)
        # Once the status is here the receiver has decided, whatever becomes of the body.
        if problem and not reply.status:
            raise DeliveryError(f"{target.origin}: {problem}", reason=reason)
        return reply

    def _request(self, method: str, target: Target, body: bytes, headers: Mapping[str, str]) -> httpx2.Request:
        ours = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "Claxon",
            **({"Authorization": target.authorization} if target.authorization else {}),
        }
        timeout = self._endpoint.timeout
        limits = httpx2.Timeout(timeout, connect=min(CONNECT_TIMEOUT_S, timeout))
        name = self._endpoint.config.tls.server_name
        return httpx2.Request(
            method,
            target.url,
            headers=[*target.headers, *{**ours, **headers}.items()],
            content=body,
            extensions={"timeout": limits.as_dict(), **({"sni_hostname": name} if name else {})},
        )

    def _shown(self, text: str, target: Target, *, partial: bool = False, most: int = MAX_ANSWER) -> str:
        secrets = target.secrets | {source.reveal() for source in self._secrets}
        return brief(blot(text, secrets, cut=partial), most)


async def _talk(transport: httpx2.AsyncHTTPTransport, request: httpx2.Request, reply: _Reply) -> None:
    response = await transport.handle_async_request(request)
    reply.status, reply.headers = response.status_code, response.headers
    try:
        async with aclosing(response.aiter_raw()) as chunks:
            async for chunk in chunks:
                reply.body += chunk[: MAX_BODY - len(reply.body)]
                if len(reply.body) >= MAX_BODY:
                    return
        reply.whole = True
    finally:
        await response.aclose()


def _below(url: httpx2.URL, path: str) -> httpx2.URL:
    base = url.raw_path.partition(b"?")[0].rstrip(b"/")
    return url.copy_with(raw_path=base + path.encode("ascii"))


def encode(payload: object) -> bytes:
    """Return compact JSON in UTF-8; halves of surrogate pairs become "?"."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def reason_of(status: int) -> Reason:
    """Return the class of a status that is not 2xx."""
    if status >= 500:
        return Reason.SERVER
    return _STATUS_REASONS.get(status, Reason.CLIENT)


def _proxy_reason(text: str) -> Reason:
    """The class of what a proxy said instead of connecting: "407 Proxy Authentication Required"."""
    status = text.partition(" ")[0]
    return reason_of(int(status)) if status.isdecimal() else Reason.NETWORK


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds in Retry-After, in [0, 3600]; None if it is absent or nonsense.

    A date counts from the answer's own Date, so neither our clock nor the
    receiver's need be right; without a Date it says nothing.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER_S)
    until, sent = _date(value), _date(headers.get("date", ""))
    if until is None or sent is None:
        return None
    return min(max((until - sent).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _refusal(target: Target, reply: _Reply, text: str) -> DeliveryError:
    reason = reason_of(reply.status)
    remedy = _REMEDIES[reason]
    if 300 <= reply.status < 400:
        remedy = f"a redirect{_destination(target, reply)}: none is followed, so write the final address"
    said = f" {text}" if text else ""
    return DeliveryError(
        f"{target.origin}: answered {reply.status}{said}: {remedy}",
        reason=reason,
        retry_after=retry_after(reply.headers),
        status=reply.status,
    )


def _destination(target: Target, reply: _Reply) -> str:
    location = reply.headers.get("location", "")
    try:
        url = target.url.join(location)
    except (httpx2.InvalidURL, ValueError):
        return ""
    return f" to {origin(url)}" if location and url.host else ""
