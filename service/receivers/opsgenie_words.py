"""What an entry of `opsgenie_configs` adds to each alert, read strictly and held to the vendor's limits.

≠ the alert itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from .opsgenie_alert import (
    MAX_ACTION,
    MAX_ACTIONS,
    MAX_DETAILS,
    MAX_ENTITY,
    MAX_NOTE,
    MAX_RESPONDERS,
    MAX_SOURCE,
    MAX_TAG,
    MAX_TAGS,
    PRIORITIES,
    Words,
)
from .settings import Settings
from .text import width

_TYPES = ("team", "user", "escalation", "schedule")
_SEVERAL = "teams"
_TEMPLATE = "templates are not supported: write the text itself"


def read_words(settings: Settings) -> Words:
    """Read the settings; problems are left in `settings`."""
    priority = settings.text("priority")
    if priority and priority not in PRIORITIES:
        settings.refuse("priority", f"write one of {', '.join(PRIORITIES)}", value=priority)
    return Words(
        priority=priority,
        source=_text(settings, "source", most=MAX_SOURCE),
        entity=_text(settings, "entity", most=MAX_ENTITY),
        note=_text(settings, "note", most=MAX_NOTE),
        tags=_listed(settings, "tags", most=MAX_TAGS, each=MAX_TAG),
        actions=_listed(settings, "actions", most=MAX_ACTIONS, each=MAX_ACTION),
        details=_read_details(settings),
        responders=_read_responders(settings),
    )


def _text(settings: Settings, name: str, *, most: int) -> str:
    text = settings.text(name)
    if "{{" in text:
        settings.refuse(name, _TEMPLATE, value=text)
    elif width(text) > most:
        settings.refuse(name, f"write at most {most} characters", value=text)
    return text


def _listed(settings: Settings, name: str, *, most: int, each: int) -> tuple[str, ...]:
    """Return what Alertmanager separates by commas."""
    parts = tuple(part for text in settings.text(name).split(",") if (part := text.strip()))
    if any("{{" in part for part in parts):
        settings.refuse(name, _TEMPLATE)
    if len(parts) > most:
        settings.refuse(name, f"write at most {most}, separated by commas", value=len(parts))
    for part in parts:
        if width(part) > each:
            settings.refuse(name, f"write at most {each} characters", value=part)
    return parts


def _read_details(settings: Settings) -> tuple[tuple[str, str], ...]:
    below = settings.below("details")
    pairs = tuple((name, _text(below, name, most=MAX_DETAILS)) for name in below.names())
    below.done()
    if sum(width(name) + width(text) for name, text in pairs) > MAX_DETAILS // 2:
        settings.refuse("details", f"write at most {MAX_DETAILS // 2} characters in all")
    return pairs


def _read_responders(settings: Settings) -> tuple[Mapping[str, str], ...]:
    found = [each for entry in settings.each("responders") for each in _read_responder(entry)]
    if len(found) > MAX_RESPONDERS:
        settings.refuse("responders", f"write at most {MAX_RESPONDERS}", value=len(found))
    return tuple(found)


def _read_responder(entry: Settings) -> list[Mapping[str, str]]:
    """Return one responder, or each of the `teams` that Alertmanager separates by commas."""
    kind = entry.text("type").lower()
    named = {name: text for name in ("id", "name", "username") if (text := _text(entry, name, most=MAX_ENTITY))}
    entry.done()
    if not named:
        entry.refuse("name", "missing: write id, name or username")
    if kind not in (*_TYPES, _SEVERAL):
        entry.refuse("type", f"write one of {', '.join((*_TYPES, _SEVERAL))}", value=kind or None)
    if kind == _SEVERAL:
        names = (name.strip() for name in named.get("name", "").split(","))
        return [{"name": name, "type": "team"} for name in names if name]
    return [{**named, "type": kind}]
