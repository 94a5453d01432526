"""Where each integration sends to, as others may read it: what of its settings is no secret.

≠ what is a secret: shown_config.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import yaml

from alerts.config import Config

from .receivers.secret import HIDDEN
from .shown_config import shown_config

_PLACES = ("url", "api_url", "webhook_url", "channel", "to", "smarthost", "region", "room_id", "chat_id", "topic_arn")
"""Settings that say where; the first two that are there are shown."""

_MOST = 2


def places(config: Config, written: str | None) -> dict[str, str]:
    """Return where each integration sends to, by "receiver/kind/index"; without those of which nothing may be said."""
    shown = _receivers(written)
    found: dict[str, str] = {}
    for receiver in config.receivers:
        for index, (kind, _, path) in enumerate(receiver.integrations):
            entry = _entry(shown.get(receiver.name, {}), kind, path[-1] if path else None)
            said = [str(entry[name]) for name in _PLACES if entry.get(name) and entry[name] != HIDDEN]
            if said:
                found[f"{receiver.name}/{kind.removesuffix('_configs')}/{index}"] = ", ".join(said[:_MOST])
    return found


# The file is read anew for each text, which takes far longer than showing it.
@lru_cache(maxsize=2)
def _receivers(written: str | None) -> Mapping[str, Mapping[str, object]]:
    read = yaml.safe_load(shown_config(written))
    return {str(one["name"]): one for one in read.get("receivers") or [] if isinstance(one, dict) and "name" in one}


def _entry(receiver: Mapping[str, object], kind: str, index: object) -> Mapping[str, object]:
    entries = receiver.get(kind)
    if not isinstance(entries, list) or not isinstance(index, int) or index >= len(entries):
        return {}
    entry = entries[index]
    return entry if isinstance(entry, dict) else {}
