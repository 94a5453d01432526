"""Reads the receivers of a configuration, and `global`: what they take where they say nothing themselves.

≠ what a kind of receiver needs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .config_reading import Reading
from .config_records import ReceiverConfig
from .problems import Path, nearest, shown

ALERTMANAGER_KINDS = (
    "discord_configs",
    "email_configs",
    "incidentio_configs",
    "jira_configs",
    "mattermost_configs",
    "msteams_configs",
    "msteamsv2_configs",
    "opsgenie_configs",
    "pagerduty_configs",
    "pushover_configs",
    "rocketchat_configs",
    "slack_configs",
    "sns_configs",
    "telegram_configs",
    "victorops_configs",
    "webex_configs",
    "webhook_configs",
    "wechat_configs",
)
"""All integrations of Alertmanager 0.34."""

_NOT_HTTP = ("email_configs", "console_configs", "apprise_configs")

# Kind -> its setting -> the setting of `global` that it takes.
_DEFAULTS: dict[str, dict[str, str]] = {
    "email_configs": {
        "smarthost": "smtp_smarthost",
        "from": "smtp_from",
        "hello": "smtp_hello",
        "auth_username": "smtp_auth_username",
        "auth_password": "smtp_auth_password",
        "auth_password_file": "smtp_auth_password_file",
        "auth_secret": "smtp_auth_secret",
        "auth_secret_file": "smtp_auth_secret_file",
        "auth_identity": "smtp_auth_identity",
        "require_tls": "smtp_require_tls",
        "tls_config": "smtp_tls_config",
        "force_implicit_tls": "smtp_force_implicit_tls",
    },
    "slack_configs": {
        "api_url": "slack_api_url",
        "api_url_file": "slack_api_url_file",
        "app_token": "slack_app_token",
        "app_token_file": "slack_app_token_file",
        "app_url": "slack_app_url",
    },
    "pagerduty_configs": {"url": "pagerduty_url"},
    "opsgenie_configs": {
        "api_url": "opsgenie_api_url",
        "api_key": "opsgenie_api_key",
        "api_key_file": "opsgenie_api_key_file",
    },
    "wechat_configs": {
        "api_url": "wechat_api_url",
        "api_secret": "wechat_api_secret",
        "api_secret_file": "wechat_api_secret_file",
        "corp_id": "wechat_api_corp_id",
    },
    "victorops_configs": {
        "api_url": "victorops_api_url",
        "api_key": "victorops_api_key",
        "api_key_file": "victorops_api_key_file",
    },
    "telegram_configs": {
        "api_url": "telegram_api_url",
        "bot_token": "telegram_bot_token",
        "bot_token_file": "telegram_bot_token_file",
    },
    "webex_configs": {"api_url": "webex_api_url"},
    "jira_configs": {"api_url": "jira_api_url"},
    "rocketchat_configs": {
        "api_url": "rocketchat_api_url",
        "token": "rocketchat_token",
        "token_file": "rocketchat_token_file",
        "token_id": "rocketchat_token_id",
        "token_id_file": "rocketchat_token_id_file",
    },
    "mattermost_configs": {
        "webhook_url": "mattermost_webhook_url",
        "webhook_url_file": "mattermost_webhook_url_file",
    },
}

GLOBAL_SETTINGS = (
    "resolve_timeout",
    "http_config",
    *(setting for settings in _DEFAULTS.values() for setting in settings.values()),
)
_MAPPINGS = ("http_config", "smtp_tls_config")
_FLAGS = ("smtp_require_tls", "smtp_force_implicit_tls")

# What an entry that says one of these takes nothing of: it says already how it signs in.
_INSTEAD = {
    "app_token": ("app_token", "app_token_file", "api_url", "api_url_file"),
    "app_token_file": ("app_token", "app_token_file", "api_url", "api_url_file"),
    "api_url": ("api_url", "api_url_file", "app_token", "app_token_file"),
    "api_url_file": ("api_url", "api_url_file", "app_token", "app_token_file"),
}


def with_defaults(kind: str, settings: Mapping[str, object], global_: Mapping[str, object]) -> Mapping[str, object]:
    """Return the settings of an integration with those of `global` that it does not set itself."""
    return dict(settings) | {name: global_[source] for name, source in taken(kind, settings, global_).items()}


def taken(kind: str, settings: Mapping[str, object], global_: Mapping[str, object]) -> dict[str, str]:
    """Return the settings that an integration takes of `global`, each with the name that it has there."""
    names = dict(_DEFAULTS.get(kind, {})) | ({} if kind in _NOT_HTTP else {"http_config": "http_config"})
    return {
        name: source
        for name, source in names.items()
        if _is_set(global_, source) and all(settings.get(other) is None for other in _instead(name))
    }


def _is_set(global_: Mapping[str, object], name: str) -> bool:
    plain = name.removesuffix("_file")
    # Of two that say the same, which is refused, one is enough.
    return global_.get(name) is not None and (name == plain or global_.get(plain) is None)


def _instead(name: str) -> tuple[str, ...]:
    plain = name.removesuffix("_file")
    return _INSTEAD.get(name, (plain, f"{plain}_file"))


def takers(setting: str) -> tuple[str, ...]:
    """Return the kinds of receivers that take a setting of `global`."""
    if setting in ("resolve_timeout", "http_config"):
        return ()
    return tuple(kind for kind, settings in _DEFAULTS.items() if setting in settings.values())


def read_global(reading: Reading, data: object) -> Mapping[str, object]:
    """Return `global` as written; null is nothing."""
    path: Path = ("global",)
    entry = reading.mapping(data, path) if data is not None else {}
    for name, value in entry.items():
        if name not in GLOBAL_SETTINGS:
            reading.wrong((*path, name), f"not a setting: {nearest(name, GLOBAL_SETTINGS)}")
        elif name != "resolve_timeout" and value is not None:
            _check_type(reading, name, value, (*path, name))
        if entry.get(f"{name}_file") is not None and value is not None:
            reading.wrong((*path, name), f"{name}_file is set too: keep one of them")
    return entry


def _check_type(reading: Reading, name: str, value: object, path: Path) -> None:
    if name in _MAPPINGS:
        reading.mapping(value, path)
    elif name in _FLAGS:
        if not isinstance(value, bool):
            reading.wrong(path, f"{shown(value)}: true or false")
    elif not isinstance(value, str):
        # Not shown: it may be a secret.
        reading.wrong(path, "expected a text: write it in quotes")


def read_receivers(reading: Reading, data: object, *, kinds: Collection[str]) -> tuple[ReceiverConfig, ...]:
    """Return the receivers below `receivers`, each with its integrations; what these need is not looked at."""
    found: list[ReceiverConfig] = []
    for path, entry in reading.entries(data, ("receivers",)):
        name = reading.text(entry, "name", path)
        if any(r.name == name for r in found):
            reading.wrong((*path, "name"), f"{name!r}: used twice: give each receiver a name of its own")
        integrations: list[tuple[str, Mapping[str, object], Path]] = []
        for kind, settings in entry.items():
            if kind == "name" or not _is_kind(reading, kind, (*path, kind), kinds):
                continue
            integrations += [(kind, one, place) for place, one in reading.entries(settings, (*path, kind))]
        found.append(ReceiverConfig(name=name, integrations=tuple(integrations)))
    return tuple(found)


def _is_kind(reading: Reading, kind: str, path: Path, kinds: Collection[str]) -> bool:
    if kind in kinds:
        return True
    if kind == "labels":
        reading.wrong(path, "not supported: nothing looks receivers up by labels: leave it out")
    elif kind in ALERTMANAGER_KINDS:
        other = "apprise_configs" if "apprise_configs" in kinds else "webhook_configs"
        reading.wrong(path, f"not supported: no receiver of this kind: use {other}")
    else:
        reading.wrong(path, f"not a kind of receiver: one of {', '.join(kinds)}")
    return False
