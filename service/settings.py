"""Settings of one run: command line and environment -> frozen Settings.

≠ the configuration file.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from alerts.config import SCOPES, KeyConfig
from alerts.config_records import LEAST_RETENTION_BYTES, LEAST_RETENTION_S, RetentionConfig
from alerts.durations import parse_milliseconds
from alerts.errors import DurationError
from alerts.sizes import SizeError, parse_size

from .roles import ALL, Role, RoleError, parse_roles
from .storage.kafka_url import KafkaUrl, KafkaUrlError, parse_kafka_url
from .storage.places import Place, check_size_limit

DEFAULT_LISTEN = "127.0.0.1:5290"
DEFAULT_DATA = Path("claxon-data")


class SettingsError(Exception):
    """A setting that cannot be used; the text is *where: value: remedy*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Two PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """How metrics are pushed by OTLP; where to is the exporter's business.

    Attributes:
        interval_s: How often.
        exponential: Whether histograms have exponential buckets in place of the classic ones.
    """

    interval_s: float = 60.0
    exponential: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one run was asked for.

    Attributes:
        host, port: Where it listens.
        data: Where the database is.
        roles: What this node does, of several on one database.
        log: The topic of Kafka that takes what ingest nodes are sent; None: the database takes it.
        inbox_size: Bytes that may wait for the elected node; None: as many as usual.
        advertise: Where others are told to find this node; None: where it listens.
        config: The configuration file, if there is one.
        tls: Without it, it speaks plain HTTP.
        push: How metrics are pushed; None: they are not.
        retention_age_s, retention_size: How much of the log is kept; None: as the configuration says.
    """

    host: str = "127.0.0.1"
    port: int = 5290
    data: Place = DEFAULT_DATA
    roles: frozenset[Role] = ALL
    log: KafkaUrl | None = None
    inbox_size: int | None = None
    advertise: str | None = None
    config: Path | None = None
    tls: TlsFiles | None = None
    push: PushSettings | None = None
    retention_age_s: float | None = None
    retention_size: int | None = None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """Where it listens, as a URL that this machine can open."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 — read, not bound
        scheme = "https" if self.tls is not None else "http"
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    @property
    def public_url(self) -> str:
        """Where people are sent, unless the configuration says otherwise."""
        return self.advertise or self.url

    @property
    def address(self) -> str:
        """Where other nodes, and who asks them, find this one."""
        if self.advertise is not None:
            return self.advertise.rstrip("/")
        if self.host in ("0.0.0.0", "::"):  # noqa: S104 — read, not bound
            return f"{'https' if self.tls is not None else 'http'}://{socket.gethostname()}:{self.port}"
        return self.url


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of "HOST:PORT", "[::1]:PORT" or ":PORT".

    Raises:
        SettingsError: It is none of these.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"--listen: {text}: write HOST:PORT, such as {DEFAULT_LISTEN}")
    return host.strip("[]") or "127.0.0.1", int(port)


def node_roles(named: str | None, environment: Mapping[str, str], data: Place) -> frozenset[Role]:
    """Return the roles that --role names, or CLAXON_ROLE; or all.

    Raises:
        SettingsError: There is no such role, or it needs a database that several nodes share.
    """
    try:
        roles = parse_roles(named or environment.get("CLAXON_ROLE") or "all")
    except RoleError as fault:
        raise SettingsError(f"--role: {fault}") from fault
    if roles != ALL and isinstance(data, Path):
        raise SettingsError(
            f"--role: {named}: a folder is one node's alone: name a PostgreSQL by --data, or leave it out"
        )
    return roles


def log_topic(url: str | None, data: Place) -> KafkaUrl | None:
    """Return the topic that the URL of a log names; None where there is none.

    Raises:
        SettingsError: It is no URL of one, or needs a database that several nodes share.
    """
    if url is None:
        return None
    try:
        topic = parse_kafka_url(url)
    except KafkaUrlError as fault:
        raise SettingsError(str(fault)) from fault
    if isinstance(data, Path):
        raise SettingsError(f"--log: {topic}: up to where it is evaluated says a PostgreSQL: name one by --data")
    return topic


def parse_retention(age: str | None, size: str | None) -> tuple[float | None, int | None]:
    """Return the age and the size that --retention-age and --retention-size say; None is not said.

    Raises:
        SettingsError: One is no duration or size, or too small to be meant.
    """
    try:
        age_s = parse_milliseconds(age) / 1000 if age is not None else None
    except DurationError as fault:
        raise SettingsError(f"--retention-age: {fault}") from fault
    try:
        bytes_ = parse_size(size) if size is not None else None
    except SizeError as fault:
        raise SettingsError(f"--retention-size: {fault}") from fault
    if age_s is not None and age_s < LEAST_RETENTION_S:
        raise SettingsError(f"--retention-age: {age}: at least 1h")
    if bytes_ is not None and bytes_ < LEAST_RETENTION_BYTES:
        raise SettingsError(f"--retention-size: {size}: at least 64MB")
    return age_s, bytes_


def check_address(settings: Settings) -> None:
    """Refuse an address to tell others that nobody can open.

    Raises:
        SettingsError: It is no URL of HTTP's with a host, or says more than where the node is.
    """
    if settings.advertise is None:
        return
    try:
        parts = urlsplit(settings.advertise)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in settings.advertise or parts.query or parts.fragment:
        example = "https://claxon-a.internal:5290"
        raise SettingsError(f"--advertise: {settings.advertise}: write where others find this node, such as {example}")


def check_retention(settings: Settings, said: RetentionConfig) -> None:
    """Refuse a limit that the database cannot keep.

    Args:
        settings: Where it is, and what the command line says.
        said: By the configuration.

    Raises:
        SettingsError: Its size is limited, and what is deleted does not make it smaller.
    """
    name = "--retention-size" if settings.retention_size is not None else "retention.size"
    if settings.retention_size is None and said.size is None:
        return
    try:
        check_size_limit(settings.data)
    except ValueError as fault:
        raise SettingsError(f"{name}: {fault}") from fault


def parse_inbox_size(named: str | None, environment: Mapping[str, str]) -> int | None:
    """Return the size that --inbox-size says, or CLAXON_INBOX_SIZE; None is not said.

    Raises:
        SettingsError: It is no size.
    """
    said = named or environment.get("CLAXON_INBOX_SIZE") or None
    try:
        return parse_size(said) if said is not None else None
    except SizeError as fault:
        raise SettingsError(f"--inbox-size: {fault}") from fault


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def tls_files(certificate: Path | None, key: Path | None, environment: Mapping[str, str]) -> TlsFiles | None:
    """Return what --tls-cert and --tls-key name, or CLAXON_TLS_CERT and CLAXON_TLS_KEY; None for plain HTTP.

    Raises:
        SettingsError: One of them is named without the other.
    """
    certificate = certificate or _path(environment.get("CLAXON_TLS_CERT", ""))
    key = key or _path(environment.get("CLAXON_TLS_KEY", ""))
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        there, lacks = ("--tls-cert", "--tls-key") if key is None else ("--tls-key", "--tls-cert")
        raise SettingsError(f"{there}: {certificate or key}: without {lacks}: name both files, or neither")
    return TlsFiles(certificate=certificate, key=key)


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def keys_from_environment(environment: Mapping[str, str]) -> tuple[KeyConfig, ...]:
    """Return the keys that CLAXON_INGEST_KEY, CLAXON_READ_KEY and CLAXON_ADMIN_KEY hold, hashed at once.

    Raises:
        SettingsError: One is too short to be a secret.
    """
    found: list[KeyConfig] = []
    for scope in SCOPES:
        name = f"CLAXON_{scope.upper()}_KEY"
        key = environment.get(name, "")
        if key and len(key) < 20:
            raise SettingsError(f"{name}: {len(key)} characters: at least 20; `claxon keys create` makes one")
        if key:
            found.append(KeyConfig(name=name.lower(), scope=scope, sha256=hash_key(key), source="environment"))
    return tuple(found)


def hash_key(key: str) -> str:
    """Return the SHA-256 of a key. Keys are random and long, so no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def check_exposure(settings: Settings, keys: tuple[KeyConfig, ...]) -> None:
    """Refuse to be reached from elsewhere without keys, with TLS or without.

    Args:
        settings: Where it listens.
        keys: That let somebody in: not those that have ended or were revoked.

    Raises:
        SettingsError: The address is not loopback, and there is no key.
    """
    if not settings.loopback and not keys:
        raise SettingsError(
            f"--listen: {settings.host}:{settings.port}: anybody who reaches it could read and post: "
            "make a key by `claxon keys create NAME --scope admin --data DIR`, set CLAXON_ADMIN_KEY or `keys` in the "
            "configuration, or listen on 127.0.0.1"
        )
