"""Receivers: the ways to tell people. Adding one adds one line to `KINDS`.

≠ storage, rules, retries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from .alertmanager import AlertmanagerConfig, AlertmanagerReceiver
from .apprise import AppriseConfig, AppriseReceiver
from .base import Answer, DeliveryError, Rate, Reason, Receiver, Resender
from .console import ConsoleConfig, ConsoleReceiver
from .email import EmailConfig, EmailReceiver
from .opsgenie import OpsgenieConfig, OpsgenieReceiver
from .pagerduty import PagerDutyConfig, PagerDutyReceiver
from .settings import ReceiverConfigError, Settings
from .slack import SlackConfig, SlackReceiver
from .teams import RETIRED as TEAMS_RETIRED
from .teams import TeamsConfig, TeamsReceiver
from .webhook import WebhookConfig, WebhookReceiver

__all__ = [
    "KINDS", "RETIRED", "Answer", "DeliveryError", "Kind", "Rate", "Reason", "Receiver", "ReceiverConfigError",
    "Resender", "build",
]  # fmt: skip


class Config(Protocol):
    """The settings of one receiver: a frozen dataclass that reads itself."""

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read the settings in the file; problems are left in `settings`."""


C = TypeVar("C", bound=Config)


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """One kind of receiver: its configuration, and the receiver itself."""

    config: type[C]
    receiver: Callable[[C], Receiver]


KINDS: dict[str, Kind[Any]] = {
    "webhook_configs": Kind(WebhookConfig, WebhookReceiver),
    "pagerduty_configs": Kind(PagerDutyConfig, PagerDutyReceiver),
    "opsgenie_configs": Kind(OpsgenieConfig, OpsgenieReceiver),
    "slack_configs": Kind(SlackConfig, SlackReceiver),
    "email_configs": Kind(EmailConfig, EmailReceiver),
    "apprise_configs": Kind(AppriseConfig, AppriseReceiver),
    "msteamsv2_configs": Kind(TeamsConfig, TeamsReceiver),
    "alertmanager_configs": Kind(AlertmanagerConfig, AlertmanagerReceiver),
    "console_configs": Kind(ConsoleConfig, ConsoleReceiver),
}

RETIRED: dict[str, str] = {"msteams_configs": TEAMS_RETIRED}
"""Kinds that Alertmanager has and no vendor takes any more, with what to write in their place."""


def build(kind: str, config_mapping: object, *, where: str, folder: Path | None = None) -> Receiver:
    """Return the receiver that a mapping of the configuration describes.

    Args:
        kind: Alertmanager's key, such as "webhook_configs".
        config_mapping: One entry below that key.
        where: Names the entry in errors: the file, the receiver, the index.
        folder: What relative paths of files start from; the working directory if None.

    Raises:
        ReceiverConfigError: Something is wrong; it names everything that is.
    """
    if kind in RETIRED:
        raise ReceiverConfigError([f"{where}: {kind}: {RETIRED[kind]}"])
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise ReceiverConfigError([f"{where}: {kind}: not supported yet: write one of {known}"])
    settings = Settings(config_mapping, where=where, folder=folder or Path())
    config = KINDS[kind].config.read(settings)
    if settings.problems:
        raise ReceiverConfigError(settings.problems)
    return KINDS[kind].receiver(config)
