"""The configuration file as others may read it: Alertmanager's part of it, without secrets.

What is not known to be harmless is hidden, and what is not Alertmanager's is left out, so that
its tools read it. It is made of the file's own words, for YAML reads 10:00 as a number.

≠ what the settings mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import yaml

from alerts.config_receivers import ALERTMANAGER_KINDS

from .receivers.secret import HIDDEN

WITHOUT_A_FILE = "route:\n  receiver: console\nreceivers:\n- name: console\n"

_AS_IT_IS = ("route", "inhibit_rules", "time_intervals", "mute_time_intervals")

_SHOWN_NAMES = """
    actions agent_id api_type api_version auth_identity auth_username auth_username_file avatar_url
    bcc bool callback_id cc channel chat_id class client client_id color component corp_id custom_fields description
    device disable_notifications enable_http2 entity entity_display_name expire fallback fields
    follow_redirects footer force_implicit_tls from group hello html icon_emoji insecure_skip_verify issue_type
    link_names max_alerts max_version message message_type min_version monitoring_tool mrkdwn_in name no_proxy note
    parse_mode phone_number pretext priority project proxy_from_environment recipient region reopen_duration
    reopen_transition require_tls resolve_timeout resolve_transition responders retry role_arn room_id scopes
    send_resolved server_name severity short_fields short smarthost smtp_auth_identity smtp_auth_username
    smtp_force_implicit_tls smtp_from smtp_hello smtp_require_tls smtp_smarthost sound source state_message
    style subject summary tags text timeout title to to_party to_tag to_user topic_arn ttl type update_alerts
    update_message use_discovery username wechat_api_corp_id wont_fix_resolution
"""
_SHOWN = frozenset(_SHOWN_NAMES.split())
"""Settings of `global` and of receivers that hold no secret."""

_HIDDEN_NAMES = """
    access_key alert_source_token api_key api_secret app_token auth_password auth_secret attributes authorization
    basic_auth bearer_token bot_token ca cert client_secret credentials details endpoint_params headers href
    http_config http_headers id image_url images key links metadata oauth2 opsgenie_api_key password
    profile proxy_connect_header rocketchat_token rocketchat_token_id routing_key secret_key secrets service_key
    sigv4 slack_app_token smtp_auth_password smtp_auth_secret smtp_tls_config src telegram_bot_token
    tls_config token token_id user_key value values victorops_api_key wechat_api_secret alt
"""
_HIDDEN = frozenset(_HIDDEN_NAMES.split())
"""Alertmanager's other settings, by name: their texts are hidden, and so are those below them that are not shown."""

_OWN_NAMES = (
    *("headers", "details", "endpoint_params", "http_headers", "proxy_connect_header"),
    *("attributes", "metadata", "custom_fields"),
)
"""Settings below which the names are the operator's."""

_URL = re.compile(r"(https?://)(?:[^/?#@\s]*@)?([A-Za-z0-9.:\[\]-]+)(/?)(.*)", re.IGNORECASE | re.DOTALL)

_TEXT = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"


def shown_config(text: str | None) -> str:
    """Return what of a configuration file may be shown, as YAML.

    Args:
        text: The file, which was read before; None without one.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader) if text is not None else None
    if not isinstance(root, yaml.MappingNode):
        return WITHOUT_A_FILE
    parts: dict[str, Callable[[yaml.Node], yaml.Node]] = dict.fromkeys(_AS_IT_IS, _copy)
    parts |= {"global": _settings, "receivers": _receivers}
    found = {name: parts[name](value) for name, value in _entries(root) if name in parts}
    if "receivers" not in found:
        default = yaml.compose(WITHOUT_A_FILE, Loader=yaml.SafeLoader)
        found = dict(_entries(default)) | found
    shown: str = yaml.serialize(_mapping(found), Dumper=yaml.SafeDumper, allow_unicode=True, width=1000)
    return shown


def _entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the entries of a mapping, with those that `<<` merges into it; none of anything else."""
    if not isinstance(node, yaml.MappingNode):
        return
    # Anchors are written out: a copy is changed, and not what others share.
    whole = yaml.MappingNode(node.tag, list(node.value))
    yaml.SafeLoader("").flatten_mapping(whole)
    yield from {str(name.value): value for name, value in whole.value}.items()


def _mapping(entries: dict[str, yaml.Node]) -> yaml.Node:
    pairs = [(yaml.ScalarNode(_TEXT, name), value) for name, value in entries.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)


def _copy(node: yaml.Node) -> yaml.Node:
    """Return the same without anchors."""
    if isinstance(node, yaml.MappingNode):
        return _mapping({name: _copy(value) for name, value in _entries(node)})
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [_copy(one) for one in node.value], flow_style=node.flow_style)
    if ":" in node.value:
        # 10:00 is a number here and a text there, and in braces it is neither.
        return yaml.ScalarNode(_TEXT, node.value, style='"')
    return yaml.ScalarNode(node.tag, node.value, style=getattr(node, "style", None))


def _receivers(node: yaml.Node) -> yaml.Node:
    return yaml.SequenceNode(node.tag, [_receiver(one) for one in node.value], flow_style=False)


def _receiver(node: yaml.Node) -> yaml.Node:
    found: dict[str, yaml.Node] = {}
    for name, value in _entries(node):
        if name == "name":
            found[name] = _copy(value)
        elif name in ALERTMANAGER_KINDS and isinstance(value, yaml.SequenceNode):
            found[name] = yaml.SequenceNode(value.tag, [_settings(one) for one in value.value], flow_style=False)
    return _mapping(found)


def _settings(node: yaml.Node) -> yaml.Node:
    """Return the settings that are Alertmanager's, with nothing shown but what is known to be harmless."""
    return _mapping(
        {
            name: _copy(value) if name in _SHOWN and isinstance(value, yaml.ScalarNode) else _hidden(name, value)
            for name, value in _entries(node)
            if name in _SHOWN or name in _HIDDEN or name.endswith(("_file", "_files", "url", "_ref"))
        }
    )


def _hidden(name: str, node: yaml.Node) -> yaml.Node:
    if isinstance(node, yaml.MappingNode):
        return _all_hidden(node) if name in _OWN_NAMES else _settings(node)
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [_hidden(name, one) for one in node.value], flow_style=node.flow_style)
    if node.tag == _NULL or name in _SHOWN or name.endswith(("_file", "_files")):
        return _copy(node)
    return yaml.ScalarNode(_TEXT, _origin(node.value) if name.endswith("url") else HIDDEN)


def _all_hidden(node: yaml.Node) -> yaml.Node:
    """Return a mapping whose names are the operator's own, with every text in it hidden."""
    if isinstance(node, yaml.MappingNode):
        return _mapping({name: _all_hidden(value) for name, value in _entries(node)})
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(node.tag, [_all_hidden(one) for one in node.value])
    return yaml.ScalarNode(_TEXT, HIDDEN)


def _origin(url: str) -> str:
    """Return where a URL leads without the rest, which is the secret of most."""
    form = _URL.fullmatch(url)
    if form is None:
        return HIDDEN
    return f"{form[1]}{form[2]}{form[3]}" if not form[4] else f"{form[1]}{form[2]}/{HIDDEN}"
