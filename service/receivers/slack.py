"""Slack's incoming webhooks, and bots with `chat.postMessage`.

≠ sending, the layout of a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import msgspec

from alerts.notification import Notification

from .base import Answer, DeliveryError, Reason
from .endpoint import Endpoint, read_endpoint
from .http import Http
from .settings import Settings
from .slack_message import message, plain_message

_LATER = (
    "app_token", "app_token_file", "app_url", "icon_emoji", "icon_url", "link_names", "actions",
    "callback_id", "color", "fallback", "fields", "footer", "mrkdwn_in", "pretext", "short_fields",
    "text", "title", "title_link", "image_url", "thumb_url", "message_text",
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
        endpoint: The incoming webhook, whose whole address is a secret.
        channel: Overrides the webhook's own where Slack allows it; "" does not.
        username: Overrides the sender's name; "" does not.
        send_resolved: True here, unlike in Alertmanager: each page gets its close.
    """

    endpoint: Endpoint
    channel: str = ""
    username: str = ""
    send_resolved: bool = True

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        config = cls(
            endpoint=read_endpoint(settings, "api_url"),
            channel=settings.text("channel"),
            username=settings.text("username"),
            send_resolved=settings.flag("send_resolved", default=True),
        )
        settings.done(unsupported=_LATER)
        return config


class SlackReceiver:
    """Posts each notification as one message."""

    kind = "slack"

    def __init__(self, config: SlackConfig) -> None:
        self.send_resolved = config.send_resolved
        names = {"channel": config.channel, "username": config.username}
        self._names = {name: text for name, text in names.items() if text}
        self._http = Http(config.endpoint)

    async def send(self, notification: Notification) -> Answer:
        """Deliver once. A message that is refused as invalid goes out again as plain text."""
        try:
            return await self._post(message(notification))
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
