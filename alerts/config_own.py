"""Reads the settings of a configuration that are Claxon's own: keys, rule files, fallback, escalations and so on.

≠ what is Alertmanager's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from .config_reading import Entry, Reading
from .config_records import (
    ACK_EXPIRES_S,
    BURST_S,
    HEARTBEAT_S,
    LEAST_RETENTION_BYTES,
    LEAST_RETENTION_S,
    RETENTION_S,
    SCOPES,
    SILENCE_MAX_S,
    EscalationConfig,
    EscalationStep,
    HeartbeatConfig,
    KeyConfig,
    RetentionConfig,
    StorageConfig,
)
from .durations import exact_duration
from .problems import Path, shown
from .sizes import SizeError, parse_size

LOOKED_AT = "people look at the failures behind an alert"

KEY_SETTINGS = ("name", "scope", "sha256", "app", "only_app", "events_per_second", "requests_per_second", "burst")

HEARTBEAT_SETTINGS = ("url", "url_file", "interval", "method")
ACKNOWLEDGEMENT_SETTINGS = ("expires_after",)
SILENCES_SETTINGS = ("max_duration",)
RETENTION_SETTINGS = ("age", "size")
STORAGE_SETTINGS = ("data", "data_file", "log")
ESCALATION_SETTINGS = ("matchers", "steps")
STEP_SETTINGS = ("after", "receiver")

_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@|[?&](sasl\.|ssl\.key\.)?password=")

MOST_PER_SECOND = 1e9
"""Of a key's limits: above that there is none."""


def read_rule_files(reading: Reading, top: Entry) -> tuple[str, ...]:
    """Return the patterns of file names below `rule_files`."""
    if "rule_files" not in top:
        return ()
    path: Path = ("rule_files",)
    patterns = reading.strings(top["rule_files"], path)
    if not patterns and top["rule_files"] in ([], None):
        reading.wrong(path, "[]: nobody would ever be paged: name a file, or leave it out for the default rules")
    for i, pattern in enumerate(patterns):
        if not pattern.strip() or "\0" in pattern:
            reading.wrong((*path, i), f"{shown(pattern)}: expected a file name or a pattern such as rules/*.yml")
    return tuple(patterns)


def read_keys(reading: Reading, data: object) -> tuple[KeyConfig, ...]:
    """Return the keys below `keys`."""
    found: list[KeyConfig] = []
    for path, entry in reading.entries(data, ("keys",)):
        key = _read_key(reading, entry, path)
        if key.name and key.name in {other.name for other in found}:
            reading.wrong(
                (*path, "name"), f"{shown(key.name)}: named twice: a key is known by its name: choose another"
            )
        if key.sha256 and key.sha256 in {other.sha256 for other in found}:
            reading.wrong((*path, "sha256"), "the same key twice: keep one")
        found.append(key)
    return tuple(found)


def _read_key(reading: Reading, entry: Entry, path: Path) -> KeyConfig:
    reading.known(entry, path, KEY_SETTINGS)
    scope = reading.text(entry, "scope", path)
    if scope and scope not in SCOPES:
        reading.wrong((*path, "scope"), f"{scope!r}: one of {', '.join(SCOPES)}")
    digest = reading.text(entry, "sha256", path)
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        said = "not the SHA-256 of a key: 64 hex digits; `claxon keys create NAME --print` prints one"
        reading.wrong((*path, "sha256"), said)
    app = reading.text(entry, "app", path) if "app" in entry else ""
    only_app = reading.flag(entry, "only_app", path)
    if only_app and "app" not in entry:
        reading.wrong((*path, "only_app"), "true: for which app: write app: followed by its name")
    return KeyConfig(
        name=reading.text(entry, "name", path),
        scope=scope,
        sha256=digest,
        app=app,
        only_app=only_app,
        events_per_second=_rate(reading, entry, "events_per_second", path),
        requests_per_second=_rate(reading, entry, "requests_per_second", path),
        burst_s=reading.seconds(entry, "burst", path, default=BURST_S, above_zero=True),
    )


def _rate(reading: Reading, entry: Entry, name: str, path: Path) -> float:
    """Return so many a second; 0 for any number, where it is not there."""
    value = entry.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_PER_SECOND:
        reading.wrong(
            (*path, name), f"{shown(value)}: a number over 0 and at most {MOST_PER_SECOND:g}, or leave it out"
        )
        return 0.0
    return float(value)


def read_fallback(reading: Reading, top: Entry, *, receivers: Collection[str]) -> str:
    """Return the receiver named by `fallback_receiver`; "" where none is."""
    if "fallback_receiver" not in top:
        return ""
    name = reading.text(top, "fallback_receiver", ())
    reading.receiver(name, ("fallback_receiver",), receivers)
    return name


def read_heartbeat(reading: Reading, data: object) -> HeartbeatConfig | None:
    """Return what stands below `heartbeat`; None where nothing does."""
    if data is None:
        return None
    path: Path = ("heartbeat",)
    entry = reading.mapping(data, path)
    reading.known(entry, path, HEARTBEAT_SETTINGS)
    if isinstance(data, Mapping) and ("url" in entry) == ("url_file" in entry):
        reading.wrong(path, "write either url or url_file: who is told that Claxon is alive")
    url = entry.get("url", "")
    # Not shown: whoever has it can keep the watch quiet.
    if not isinstance(url, str) or ("url" in entry and not url.startswith(("http://", "https://"))):
        reading.wrong((*path, "url"), "write a URL that begins with http:// or https://")
    method = entry.get("method", "GET")
    if method not in ("GET", "POST"):
        reading.wrong((*path, "method"), f"{shown(method)}: write GET or POST")
    return HeartbeatConfig(
        method=str(method),
        url=str(url),
        url_file=reading.text(entry, "url_file", path) if "url_file" in entry else "",
        interval_s=reading.seconds(entry, "interval", path, default=HEARTBEAT_S, above_zero=True),
    )


def read_ack_expires_s(reading: Reading, data: object) -> float:
    """Return after how many seconds an acknowledgement ends; 0: never."""
    entry = _settings(reading, data, "acknowledgement", ACKNOWLEDGEMENT_SETTINGS)
    return reading.seconds(entry, "expires_after", ("acknowledgement",), default=ACK_EXPIRES_S)


def read_silence_max_s(reading: Reading, data: object) -> float:
    """Return how many seconds a silence may last."""
    entry = _settings(reading, data, "silences", SILENCES_SETTINGS)
    return reading.seconds(entry, "max_duration", ("silences",), default=SILENCE_MAX_S, above_zero=True)


def read_retention(reading: Reading, data: object) -> RetentionConfig:
    """Return what stands below `retention`."""
    path: Path = ("retention",)
    entry = reading.mapping(data, path) if data is not None else {}
    reading.known(entry, path, RETENTION_SETTINGS)
    age_s = reading.seconds(entry, "age", path, default=RETENTION_S)
    if age_s < LEAST_RETENTION_S:
        reading.wrong((*path, "age"), f"{shown(entry['age'])}: at least 1h: {LOOKED_AT}")
    size: int | None = None
    if entry.get("size") is not None:
        try:
            size = parse_size(str(entry["size"]))
        except SizeError as fault:
            reading.wrong((*path, "size"), str(fault))
        if size is not None and size < LEAST_RETENTION_BYTES:
            reading.wrong((*path, "size"), f"{shown(entry['size'])}: at least 64MB: {LOOKED_AT}")
    return RetentionConfig(age_s=age_s, size=size)


def read_storage(reading: Reading, data: object) -> StorageConfig:
    """Return what stands below `storage`."""
    path: Path = ("storage",)
    entry = _settings(reading, data, "storage", STORAGE_SETTINGS)
    said = {name: reading.text(entry, name, path) for name in STORAGE_SETTINGS if name in entry}
    if "data" in said and "data_file" in said:
        reading.wrong(path, "write either data or data_file: where the database is")
    for name, schemes in (("data", ("postgresql", "postgres")), ("log", ("kafka",))):
        scheme, found, _ = said.get(name, "").partition("://")
        if (found or name == "log") and said.get(name) and scheme not in schemes:
            reading.wrong((*path, name), f"write a URL that begins with {schemes[0]}://")
        elif _PASSWORD.search(said.get(name, "")):
            # Not shown, and not in a file that many read.
            where = "name a file that holds the URL, as data_file" if name == "data" else "name a file, as ?properties="
            reading.wrong((*path, name), f"a password in it: {where}")
    return StorageConfig(**said)


def _settings(reading: Reading, data: object, name: str, known: tuple[str, ...]) -> Entry:
    entry = reading.mapping(data, (name,)) if data is not None else {}
    reading.known(entry, (name,), known)
    return entry


def read_escalations(reading: Reading, data: object, *, receivers: Collection[str]) -> tuple[EscalationConfig, ...]:
    """Return what stands below `escalations`."""
    found: list[EscalationConfig] = []
    for path, entry in reading.entries(data, ("escalations",)):
        reading.known(entry, path, ESCALATION_SETTINGS)
        matchers = reading.matchers(entry.get("matchers"), (*path, "matchers"))
        steps: list[EscalationStep] = []
        for place, step in reading.entries(entry.get("steps"), (*path, "steps")):
            steps.append(_step(reading, step, place, receivers=receivers, before=steps[-1].after_s if steps else 0.0))
        if not entry.get("steps"):
            reading.wrong(path, "steps: missing: write who is told next, as steps: [{after: 10m, receiver: NAME}]")
        found.append(EscalationConfig(matchers=matchers, steps=tuple(steps)))
    return tuple(found)


def _step(reading: Reading, entry: Entry, path: Path, *, receivers: Collection[str], before: float) -> EscalationStep:
    reading.known(entry, path, STEP_SETTINGS)
    name = reading.text(entry, "receiver", path)
    reading.receiver(name, (*path, "receiver"), receivers)
    if entry.get("after") is None:
        reading.wrong(path, "after: missing: write after: followed by a duration, such as 10m")
    after_s = reading.seconds(entry, "after", path, default=0.0, above_zero=True)
    if 0 < after_s <= before:
        said = f"the step before is {exact_duration(before)} after the alert: put the earliest first"
        reading.wrong((*path, "after"), f"{shown(entry['after'])}: {said}")
    return EscalationStep(after_s=after_s, receiver=name)
