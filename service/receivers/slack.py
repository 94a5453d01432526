"""Slack's incoming webhooks, and bots with `chat.postMessage`.

≠ sending, the layout of a message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import msgspec

from alerts.notification import Notification

from .base import Answer, DeliveryError, Rate, Reason
from .endpoint import Endpoint, read_endpoint, token_problem
from .http import Http
from .layout import laid_out
from .settings import Settings, read_rate
from .slack_message import message, plain_message

BOT_URL = "https://slack.com/api/chat.postMessage"
VENDOR_RATE = Rate(1, 1.0)
"""Slack takes a message a second for each webhook, and for each channel of a bot."""

_LATER = (
    "icon_emoji", "icon_url", "link_names", "actions",
    "callback_id", "color", "fallback", "fields", "footer", "mrkdwn_in", "pretext", "short_fields",
    "text", "title", "title_link", "image_url", "thumb_url", "message_text", "update_message",
)  # fmt: skip
_REASONS = {
    "ratelimited": Reason.RATE_LIMITED,
    "not_authed": Reason.AUTH, "invalid_auth": Reason.AUTH, "account_inactive": Reason.AUTH,
    "token_revoked": Reason.AUTH, "token_expired": Reason.AUTH, "missing_scope": Reason.AUTH,
    "channel_not_found": Reason.GONE, "is_archived": Reason.GONE,
    "internal_error": Reason.SERVER, "fatal_error": Reason.SERVER, "service_unavailable": Reason.SERVER,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackConfig:
    """An entry of `slack_configs`.

    Attributes:
        endpoint: The incoming webhook, whose whole address is a secret, or where a bot posts.
        channel: Where a bot posts; overrides a webhook's own where Slack allows it; "" does not.
        username: Overrides the sender's name; "" does not.
        send_resolved: True here, unlike in Alertmanager: each page gets its close.
        rate: How many messages it may be sent.
    """

    endpoint: Endpoint
    channel: str = ""
    username: str = ""
    send_resolved: bool = True
    rate: Rate | None = VENDOR_RATE

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        as_bot = settings.has("app_token") or settings.has("app_token_file")
        config = cls(
            endpoint=_bot(settings) if as_bot else read_endpoint(settings, "api_url"),
            channel=settings.text("channel"),
            username=settings.text("username"),
            send_resolved=settings.flag("send_resolved", default=True),
            rate=read_rate(settings, VENDOR_RATE),
        )
        for name in ("app_url", "app_token", "app_token_file", "api_url", "api_url_file"):
            settings.ignore(name)
        settings.done(unsupported=_LATER)
        return config


def _bot(settings: Settings) -> Endpoint:
    """Where a bot posts, with its token."""
    endpoint = read_endpoint(settings, "app_url", default=BOT_URL)
    if endpoint.credentials is not None:
        settings.refuse("app_token", "http_config authorises too: keep one of them")
    if settings.has("api_url") or settings.has("api_url_file"):
        settings.refuse("app_token", "api_url is set too: keep one of them")
    if not settings.has("channel"):
        settings.refuse("channel", "missing: write where the bot posts, such as #oncall or C0AAAAAAA")
    token = settings.required_secret("app_token", check=token_problem)
    return replace(endpoint, scheme="Bearer", credentials=token, public=True)


class SlackReceiver:
    """Posts each notification as one message."""

    kind = "slack"
    pairs = False
    resend_s = None

    def __init__(self, config: SlackConfig) -> None:
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        names = {"channel": config.channel, "username": config.username}
        self._names = {name: text for name, text in names.items() if text}
        self._http = Http(config.endpoint)

    async def send(self, notification: Notification) -> Answer:
        """Deliver once. A message that is refused as invalid goes out again as plain text."""
        try:
            return await self._post(await laid_out(len(notification.alerts), lambda: message(notification)))
        except DeliveryError as error:
            if error.status != 400:
                raise
        return await self._post(plain_message(notification))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post(self, body: dict[str, Any]) -> Answer:
        answer = await self._http.post({**body, **self._names})
        _check(answer)
        return answer


class _BotAnswer(msgspec.Struct):
    ok: bool
    error: str = ""


def _check(answer: Answer) -> None:
    """Raise unless Slack said yes: "ok" for a webhook, `{"ok": true}` for a bot.

    Without this, a proxy's login page, which is a 200 too, would swallow pages.
    An empty answer is the body that did not come after a 200.
    """
    if answer.text in ("", "ok"):
        return
    try:
        bot = msgspec.json.decode(answer.text, type=_BotAnswer)
    except msgspec.DecodeError:
        bot = _BotAnswer(ok=answer.text.startswith('{"ok":true'), error=answer.text)
    if not bot.ok:
        raise DeliveryError(
            f"slack: answered {answer.status} {bot.error}: a webhook answers ok; check api_url and channel",
            reason=_REASONS.get(bot.error, Reason.CLIENT),
            status=answer.status,
        )
