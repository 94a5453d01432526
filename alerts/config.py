"""Reads a configuration as a whole. Every problem is reported, each with its path.

≠ files, environment, what a receiver needs.
"""

from __future__ import annotations

from .config_intervals import read_time_intervals
from .config_own import (
    read_ack_expires_s,
    read_escalations,
    read_fallback,
    read_heartbeat,
    read_keys,
    read_retention,
    read_rule_files,
    read_silence_max_s,
    read_storage,
)
from .config_reading import Entry, Reading
from .config_receivers import read_global, read_receivers
from .config_records import (
    RESOLVE_TIMEOUT_S,
    SCOPES,
    Config,
    EscalationConfig,
    EscalationStep,
    HeartbeatConfig,
    KeyConfig,
    ReceiverConfig,
    RetentionConfig,
    StorageConfig,
)
from .config_routes import Named, read_inhibit_rules, read_route
from .problems import Path, Problem
from .routes import Route

__all__ = [
    "SCOPES",
    "SETTINGS",
    "Config",
    "EscalationConfig",
    "EscalationStep",
    "HeartbeatConfig",
    "KeyConfig",
    "Path",
    "Problem",
    "ReceiverConfig",
    "RetentionConfig",
    "StorageConfig",
    "parse_config",
]

SETTINGS = (
    "external_url",
    "grafana_url",
    "rule_files",
    "route",
    "receivers",
    "inhibit_rules",
    "keys",
    "global",
    "templates",
    "time_intervals",
    "mute_time_intervals",
    "fallback_receiver",
    "heartbeat",
    "acknowledgement",
    "silences",
    "escalations",
    "retention",
    "storage",
)
"""What a configuration file may have."""

_UNSUPPORTED = {
    "tracing": "Claxon sends no traces of itself: leave it out",
    "event_recorder": "the ledger keeps every decision, and `claxon explain` says it: leave it out",
}
_TEMPLATES = "not supported: Claxon words its messages itself, from the annotations of the rules: leave it out"


def parse_config(data: object, kinds: tuple[str, ...]) -> tuple[Config, list[Problem]]:
    """Return the configuration that a file's content means, and all that is wrong with it.

    Args:
        data: What the YAML holds: mappings, lists, scalars; None for an empty file.
        kinds: Known kinds of receivers, such as "webhook_configs".
    """
    if data is None:
        return Config(), []
    reading = Reading()
    top = reading.mapping(data, ())
    reading.known(top, (), SETTINGS, unsupported=_UNSUPPORTED)
    if reading.strings(top.get("templates"), ("templates",)):
        reading.wrong(("templates",), _TEMPLATES)
    return _config(reading, top, kinds), reading.problems


def _config(reading: Reading, top: Entry, kinds: tuple[str, ...]) -> Config:
    default = Config()
    receivers = default.receivers
    if "receivers" in top:
        receivers = read_receivers(reading, top["receivers"], kinds=kinds)
    names = [receiver.name for receiver in receivers]
    intervals = read_time_intervals(reading, top)
    global_ = read_global(reading, top.get("global"))
    return Config(
        external_url=reading.url(top, "external_url"),
        grafana_url=reading.url(top, "grafana_url"),
        route=_route(reading, top, named=Named(receivers=names, intervals=intervals), default=default.route),
        receivers=receivers,
        inhibit_rules=(
            read_inhibit_rules(reading, top["inhibit_rules"]) if "inhibit_rules" in top else default.inhibit_rules
        ),
        keys=read_keys(reading, top.get("keys")),
        rule_files=read_rule_files(reading, top),
        time_intervals=intervals,
        global_=global_,
        resolve_timeout_s=reading.seconds(global_, "resolve_timeout", ("global",), default=RESOLVE_TIMEOUT_S),
        fallback_receiver=read_fallback(reading, top, receivers=names),
        escalations=read_escalations(reading, top.get("escalations"), receivers=names),
        ack_expires_s=read_ack_expires_s(reading, top.get("acknowledgement")),
        silence_max_s=read_silence_max_s(reading, top.get("silences")),
        heartbeat=read_heartbeat(reading, top.get("heartbeat")),
        retention=read_retention(reading, top.get("retention")),
        storage=read_storage(reading, top.get("storage")),
    )


def _route(reading: Reading, top: Entry, *, named: Named, default: Route) -> Route:
    if "route" in top:
        return read_route(reading, top["route"], named=named)
    if "receivers" in top:
        reading.wrong(
            (), "route: missing: name the receiver that gets what no other route matches, as route: {receiver: NAME}"
        )
    return default
