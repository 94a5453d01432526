"""What two configurations have not in common, for the log and for whoever reloads.

≠ how a configuration is put in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts.config import Config
from alerts.config_receivers import with_defaults
from alerts.rules import Rule

from .config_file import Loaded
from .receivers import Receiver

_SETTINGS = {
    "resolve_timeout": "resolve_timeout_s",
    "fallback_receiver": "fallback_receiver",
    "heartbeat": "heartbeat",
    "acknowledgement": "ack_expires_s",
    "silences": "silence_max_s",
    "escalations": "escalations",
    "retention": "retention",
    "storage": "storage",
    "grafana_url": "grafana_url",
}


class ChangedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that has another text; the hashes are the same if it decides as before and only says other words.

    Attributes:
        id: Of the rule.
        old, new: The hashes.
    """

    id: str
    old: str
    new: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """From one configuration to the next.

    Attributes:
        rules_added, rules_removed: Their ids.
        rules_changed: With the hash of the old text and of the new one.
        receivers_added, receivers_removed, receivers_changed: As "receiver/kind/index".
        routes_changed, inhibit_rules_changed, keys_changed: Whether they did.
        time_intervals_changed: Whether one did; those that no route names too.
        settings_changed: Those of the whole that did, such as `fallback_receiver` and `escalations`, by name.
        external_url: The new one; "" where it did not change.
    """

    rules_added: list[str]
    rules_removed: list[str]
    rules_changed: list[ChangedRule]
    receivers_added: list[str]
    receivers_removed: list[str]
    receivers_changed: list[str]
    routes_changed: bool
    inhibit_rules_changed: bool
    keys_changed: bool
    time_intervals_changed: bool
    settings_changed: list[str]
    external_url: str

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not any(getattr(self, name) for name in self.__struct_fields__)


def compare(old: Config, new: Config, *, old_rules: Iterable[Rule], new_rules: Iterable[Rule]) -> Difference:
    """Return what changes from one configuration to another."""
    before, after = integrations(old), integrations(new)
    was, is_ = {rule.id: rule for rule in old_rules}, {rule.id: rule for rule in new_rules}
    return Difference(
        rules_added=sorted(is_.keys() - was.keys()),
        rules_removed=sorted(was.keys() - is_.keys()),
        rules_changed=[
            ChangedRule(id=name, old=was[name].hash, new=is_[name].hash)
            for name in sorted(is_.keys() & was.keys())
            if was[name] != is_[name]
        ],
        receivers_added=sorted(after.keys() - before.keys()),
        receivers_removed=sorted(before.keys() - after.keys()),
        receivers_changed=sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
        routes_changed=old.route != new.route,
        inhibit_rules_changed=old.inhibit_rules != new.inhibit_rules,
        keys_changed=set(old.keys) != set(new.keys),
        time_intervals_changed=old.time_intervals != new.time_intervals,
        settings_changed=[name for name, of in _SETTINGS.items() if getattr(old, of) != getattr(new, of)],
        external_url=new.external_url if new.external_url != old.external_url else "",
    )


def integrations(config: Config) -> dict[str, Mapping[str, object]]:
    """Return the settings of each integration, those of `global` among them, by "receiver/kind/index"."""
    return {
        f"{receiver.name}/{kind.removesuffix('_configs')}/{index}": with_defaults(kind, settings, config.global_)
        for receiver in config.receivers
        for index, (kind, settings, _) in enumerate(receiver.integrations)
    }


def receivers_to_use(
    loaded: Loaded, before: Loaded, *, present: Mapping[str, Receiver]
) -> tuple[dict[str, Receiver], list[Receiver]]:
    """Return the receivers to go on with, the present ones where nothing changed, and those that are not needed.

    Args:
        loaded: What was just read.
        before: What is in force.
        present: Its receivers, by "receiver/kind/index".
    """
    old, new = integrations(before.config), integrations(loaded.config)
    chosen = {
        target: present[target] if target in present and old.get(target) == new.get(target) else receiver
        for target, receiver in loaded.receivers.items()
    }
    return chosen, [receiver for target, receiver in loaded.receivers.items() if chosen[target] is not receiver]
