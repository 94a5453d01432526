"""What the configuration says, once it is read: Config and its parts.

≠ how it is written in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from .matchers import Matcher
from .problems import Path
from .routes import Route
from .time_intervals import TimeInterval

SCOPES = ("ingest", "read", "admin")

RESOLVE_TIMEOUT_S = 300.0
ACK_EXPIRES_S = 1_800.0
SILENCE_MAX_S = 30 * 86_400.0
HEARTBEAT_S = 60.0
BURST_S = 10.0
RETENTION_S = 30 * 86_400.0
LEAST_RETENTION_S = 3_600.0
LEAST_RETENTION_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """A receiver's name and its integrations: (kind, settings, path)."""

    name: str
    integrations: tuple[tuple[str, Mapping[str, object], Path], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfig:
    """A key: only the SHA-256 of it is known here.

    Attributes:
        name: For people.
        scope: What it may do: post events, read, or everything.
        sha256: 64 hex digits.
        app: The app of events that name none.
        only_app: Whether it may post for no other app.
        events_per_second: So many it may post in the long run; 0: any number.
        requests_per_second: So often it may ask in the long run; 0: any number.
        burst_s: For so many seconds' worth of either it may hurry.
        source: Who holds it: configuration, environment, or database.
    """

    name: str
    scope: str
    sha256: str
    app: str = ""
    only_app: bool = False
    events_per_second: float = 0.0
    requests_per_second: float = 0.0
    burst_s: float = BURST_S
    source: str = "configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """Who is told if nobody has acknowledged.

    Attributes:
        after_s: Since the alert fired.
        receiver: The receiver's name.
    """

    after_s: float
    receiver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationConfig:
    """What happens when nobody acknowledges an alert.

    Attributes:
        matchers: Of the alerts it is for.
        steps: The earliest first.
    """

    matchers: tuple[Matcher, ...]
    steps: tuple[EscalationStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatConfig:
    """Who is told that Claxon is alive.

    Attributes:
        url: As written; it may hold a secret. "" where `url_file` names a file.
        url_file: The file that holds the URL, as written.
        interval_s: Between two.
        method: GET or POST.
    """

    url: str = ""
    url_file: str = ""
    interval_s: float = HEARTBEAT_S
    method: str = "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionConfig:
    """How much of the event log is kept.

    Attributes:
        age_s: Rows that were taken before are deleted.
        size: Bytes of the database over which the oldest rows are deleted; None: no limit.
    """

    age_s: float = RETENTION_S
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """Where what all nodes share is; "" is not said.

    Attributes:
        data: The database: a folder, or a URL without a password.
        data_file: The file that holds that URL, as written.
        log: The URL of a topic of Kafka.
    """

    data: str = ""
    data_file: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file.

    Attributes:
        external_url: Where people reach this Claxon.
        grafana_url: Where people reach the Grafana that has our dashboards; "" where there is none.
        route: Who is told of what.
        receivers: Who can be told.
        inhibit_rules: What mutes what.
        keys: Who may post and read.
        rule_files: Patterns of file names, as written; empty for the default rules.
        time_intervals: By name.
        global_: `global` as written: what receivers take where they say nothing themselves.
        resolve_timeout_s: After which an alert that was posted without an end has ended.
        fallback_receiver: Who is told what another receiver refused; "": the first other one of the file.
        escalations: Who is told next while nobody acknowledges.
        ack_expires_s: After which an acknowledgement of a page ends; 0: never.
        silence_max_s: The longest that a silence may last.
        heartbeat: Who is told that Claxon is alive; None: nobody.
        retention: How much of the event log is kept.
        storage: Where it is, and all else that is kept.
    """

    external_url: str = ""
    grafana_url: str = ""
    route: Route = field(default_factory=lambda: Route(receiver="console"))
    receivers: tuple[ReceiverConfig, ...] = (
        ReceiverConfig(name="console", integrations=(("console_configs", {}, ("receivers", 0)),)),
    )
    inhibit_rules: tuple[InhibitRule, ...] = DEFAULT_INHIBIT_RULES
    keys: tuple[KeyConfig, ...] = ()
    rule_files: tuple[str, ...] = ()
    time_intervals: Mapping[str, TimeInterval] = field(default_factory=dict)
    global_: Mapping[str, object] = field(default_factory=dict)
    resolve_timeout_s: float = RESOLVE_TIMEOUT_S
    fallback_receiver: str = ""
    escalations: tuple[EscalationConfig, ...] = ()
    ack_expires_s: float = ACK_EXPIRES_S
    silence_max_s: float = SILENCE_MAX_S
    heartbeat: HeartbeatConfig | None = None
    retention: RetentionConfig = RetentionConfig()
    storage: StorageConfig = StorageConfig()
