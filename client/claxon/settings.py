"""Settings: the arguments of `instrument()`, else `CLAXON_*` variables, else defaults.

A bad value never raises into the app: it is warned of once, and the default
holds. The table in client/README.md lists every setting.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict
from urllib.parse import urlsplit

from . import guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Validated settings; frozen, so every part of the client reads the same ones.

    Attributes:
        url: The service's address, without `/v1/events`; empty ships nothing.
        key: The ingest key, sent as a bearer token; empty sends none.
        app: Name of the app; empty leaves it to the key, else `default`.
        environment: Such as `production`; may be empty.
        enabled: False makes the client inert.
        log_events: Also write each event as a JSON line.
        otel: Also join each event to the current span and the GenAI metrics.
        batch_size: Events in one request, at most.
        interval_s: Seconds that an event without an error waits, at most.
        queue_size: Events kept in memory while the service cannot be reached.
        spool: A folder for what the service cannot take; empty writes nothing.
        spool_size_mb: What its files may take, together.
        connect_timeout_s: Seconds to connect to the service.
        read_timeout_s: Seconds to wait for each part of its answer.
        backoff_s: Seconds before the first retry; doubles, up to 30.
        exit_timeout_s: Seconds that the exit of the process may wait.
    """

    url: str = "http://127.0.0.1:5290"
    key: str = ""
    app: str = ""
    environment: str = ""
    enabled: bool = True
    log_events: bool = False
    otel: bool = True
    batch_size: int = 500
    interval_s: float = 1.0
    queue_size: int = 10_000
    spool: str = ""
    spool_size_mb: int = 64
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 10.0
    backoff_s: float = 0.5
    exit_timeout_s: float = 2.0


class SettingsArguments(TypedDict, total=False):
    """What `instrument()` and `watch()` take; each is described at `Settings`."""

    url: str
    key: str
    app: str
    environment: str
    enabled: bool
    log_events: bool
    otel: bool
    batch_size: int
    interval_s: float
    queue_size: int
    spool: str
    spool_size_mb: int
    connect_timeout_s: float
    read_timeout_s: float
    backoff_s: float
    exit_timeout_s: float


def read_settings(arguments: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings; never raises. A bad value is warned of and its default taken."""
    environ = os.environ if environ is None else environ
    taken: dict[str, Any] = {}
    for name, value, origin in _given(arguments, environ):
        try:
            taken[name] = _READERS[name](value)
        except (TypeError, ValueError) as error:
            shown = "***" if name == "key" else repr(value)
            guard.warn_once(f"setting {origin}", f"{origin}: {shown}: {error}; the default is used")
    return Settings(**taken)


def _given(arguments: Mapping[str, Any], environ: Mapping[str, str]) -> list[tuple[str, Any, str]]:
    """Return (name, value, where it came from) of every setting that was given."""
    given: list[tuple[str, Any, str]] = []
    for name in NAMES:
        variable = variable_of(name)
        if arguments.get(name) is not None:
            given.append((name, arguments[name], name))
        elif variable in environ:
            given.append((name, environ[variable], variable))
        elif name == "app" and environ.get("OTEL_SERVICE_NAME"):
            given.append((name, environ["OTEL_SERVICE_NAME"], "OTEL_SERVICE_NAME"))
    for name in arguments.keys() - set(NAMES):
        guard.warn_once(f"setting {name}", f"{name}: no such setting: use one of {', '.join(NAMES)}")
    return given


def variable_of(name: str) -> str:
    """Return the environment variable of a setting, such as CLAXON_URL."""
    return f"CLAXON_{name.upper()}"


NAMES = tuple(field.name for field in fields(Settings))


def _text(limit: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit:
            raise ValueError(f"write a string of at most {limit} characters")
        return value.strip()

    return read


def _url(value: Any) -> str:
    url = _text(2000)(value).rstrip("/")
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write an address such as https://claxon.example.com")
    _ = parts.port  # raises ValueError when it is no port
    return url


def _key(value: Any) -> str:
    key = _text(500)(value)
    # http.client would refuse such a header on every request.
    if not key.isascii() or not key.isprintable():
        raise ValueError("write a key of printable ASCII characters")
    return key


def _folder(value: Any) -> str:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    named = _text(4096)(path)
    if "\0" in named:
        raise ValueError("write the path of a folder")
    # Absolute: a daemon may go elsewhere later.
    return os.path.abspath(os.path.expanduser(named)) if named else ""


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("write true or false")


def _count(value: Any) -> int:
    number = int(value)
    if not 1 <= number <= 1_000_000:
        raise ValueError("write a whole number from 1 to 1000000")
    return number


def _seconds(value: Any) -> float:
    number = float(value)
    if not 0.001 <= number <= 3600:
        raise ValueError("write seconds, from 0.001 to 3600")
    return number


_READERS: dict[str, Callable[[Any], Any]] = {
    "url": _url,
    "key": _key,
    "app": _text(64),
    "environment": _text(64),
    "enabled": _flag,
    "log_events": _flag,
    "otel": _flag,
    "batch_size": _count,
    "interval_s": _seconds,
    "queue_size": _count,
    "spool": _folder,
    "spool_size_mb": _count,
    "connect_timeout_s": _seconds,
    "read_timeout_s": _seconds,
    "backoff_s": _seconds,
    "exit_timeout_s": _seconds,
}
