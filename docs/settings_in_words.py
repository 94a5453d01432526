"""What each setting, option and variable means, for docs/reference/configuration.md; defaults and bounds from the code.

Which there are, the code says: docs/configuration_reference.py compares.
"""

from __future__ import annotations

from typing import NamedTuple

from alerts.config import SETTINGS
from alerts.config_intervals import SPAN_SETTINGS
from alerts.config_own import (
    ACKNOWLEDGEMENT_SETTINGS,
    ESCALATION_SETTINGS,
    HEARTBEAT_SETTINGS,
    KEY_SETTINGS,
    RETENTION_SETTINGS,
    SILENCES_SETTINGS,
    STEP_SETTINGS,
    STORAGE_SETTINGS,
)
from alerts.config_receivers import GLOBAL_SETTINGS
from alerts.config_records import (
    ACK_EXPIRES_S,
    BURST_S,
    HEARTBEAT_S,
    LEAST_RETENTION_BYTES,
    LEAST_RETENTION_S,
    RESOLVE_TIMEOUT_S,
    RETENTION_S,
    SCOPES,
    SILENCE_MAX_S,
)
from alerts.config_routes import INHIBIT_SETTINGS, ROUTE_SETTINGS
from alerts.durations import exact_duration
from alerts.routes import GROUP_INTERVAL_S, GROUP_WAIT_S, REPEAT_INTERVAL_S


class Row(NamedTuple):
    """What a setting takes, and what holds without it."""

    takes: str
    absent: str


class Option(NamedTuple):
    """What an option of the command line does, and what holds without it where it has no default."""

    what: str
    absent: str = ""


def _d(seconds: float) -> str:
    return f"`{exact_duration(seconds)}`"


_SIZE = f"`{LEAST_RETENTION_BYTES // 2**20}MB`"
_SCOPES = ", ".join(f"`{scope}`" for scope in SCOPES[:-1]) + f" or `{SCOPES[-1]}`"

_OWN = {
    "heartbeat": HEARTBEAT_SETTINGS,
    "acknowledgement": ACKNOWLEDGEMENT_SETTINGS,
    "silences": SILENCES_SETTINGS,
    "retention": RETENTION_SETTINGS,
    "storage": STORAGE_SETTINGS,
    "escalations[]": ESCALATION_SETTINGS,
    "escalations[].steps[]": STEP_SETTINGS,
    "keys[]": KEY_SETTINGS,
}

TABLES: dict[str, tuple[tuple[str, ...], dict[str, Row]]] = {
    "file": (
        SETTINGS,
        {
            "route": Row("the first [route](#routes)", "everything goes to the console; refused if there are `receivers`"),
            "receivers": Row("a list of [receivers](#receivers)", "one, `console`"),
            "inhibit_rules": Row("a list of [inhibit rules](#inhibit-rules); `[]` for none", "[the default ones](decisions.md)"),
            "time_intervals": Row("a list of named [time intervals](#time-intervals)", "none"),
            "mute_time_intervals": Row("the same, under Alertmanager's old name", "none"),
            "global": Row("what [receivers take](#global) where they say nothing themselves", "nothing"),
            "templates": Row(
                "`[]`. Not supported: Claxon words its messages itself, from the [annotations](rules.md#annotations) of the rules",
                "none",
            ),
            "rule_files": Row("names of [rule files](rules.md), or patterns", "the default rules"),
            "external_url": Row(
                "where people reach this Claxon, for the links in messages", "the address it listens on"
            ),
            "grafana_url": Row(
                "where people reach the Grafana that has [our dashboards](../howto/grafana.md), for the link on an alert's page",
                "no link",
            ),
            "keys": Row("[who may post and read](keys.md), beside the keys of the database", "the `CLAXON_..._KEY` variables"),
            "fallback_receiver": Row(
                "the receiver that is told what another one refused, or did not take in 24 h",
                "the first other receiver of the file that has integrations",
            ),
            "heartbeat": Row("who is told [that Claxon is alive](#claxons-own-settings)", "nobody"),
            "acknowledgement": Row(
                "`expires_after`: how long an acknowledgement of a page holds; `0s`: until the alert ends", _d(ACK_EXPIRES_S)
            ),
            "silences": Row("`max_duration`: the longest that a silence may last", _d(SILENCE_MAX_S)),
            "retention": Row("`age` and `size`: [how much of the log is kept](retention.md)", f"{_d(RETENTION_S)}, no limit"),
            "storage": Row("[where the database is](#claxons-own-settings)", "`--data`, or the folder `claxon-data`"),
            "escalations": Row("[who is told next](#claxons-own-settings) while nobody acknowledges", "nobody"),
        },
    ),
    "route": (
        ROUTE_SETTINGS,
        {
            "receiver": Row("the name of a receiver", "that of the route above; the first must have one"),
            "matchers": Row(
                "a list of [matchers](#matchers), or one text; all must be true. Not at the first route", "everything"
            ),
            "match, match_re": Row("names of labels and values, or regular expressions: Alertmanager's old form", "nothing"),
            "continue": Row("true: later routes beside it are asked too. Not at the first route", "false"),
            "routes": Row("the routes below", "none"),
            "group_by": Row(
                "names of labels: alerts that have them alike are told together. `['...']`: by all labels. `[]`: all of them in "
                "one group",
                "that of the route above; at the first: **each alert is told alone**",
            ),
            "group_wait": Row(
                "from the first alert of a group to its first message",
                f"that of the route above; where `group_by` begins: {_d(GROUP_WAIT_S)}",
            ),
            "group_interval": Row(
                "from one look at a group to the next; more than 0",
                f"that of the route above; where `group_by` begins: {_d(GROUP_INTERVAL_S)}",
            ),
            "repeat_interval": Row(
                "after which what still fires is told again; more than 0", f"that of the route above; {_d(REPEAT_INTERVAL_S)}"
            ),
            "mute_time_intervals": Row(
                "names of [time intervals](#time-intervals): in these nothing is told. Not at the first route, not inherited", "none"
            ),
            "active_time_intervals": Row(
                "names of time intervals: only in these something is told. Not at the first route, not inherited", "always"
            ),
        },
    ),
    "inhibit": (
        INHIBIT_SETTINGS,
        {
            "source_matchers, target_matchers": Row(
                "[matchers](#matchers); each side needs at least one, unlike in Alertmanager, where an absent side matches everything",
                "refused",
            ),
            "equal": Row("names of labels", "nothing need be the same"),
            "name": Row("a text, for people", "none"),
            "source_match, source_match_re, target_match, target_match_re": Row(
                "Alertmanager's old form of the two sides", "nothing"
            ),
        },
    ),
    "span": (
        SPAN_SETTINGS,
        {
            "times": Row(
                "a list of `start_time` and `end_time`, `'HH:MM'` from `'00:00'` to `'24:00'`; the end is not in it, and comes later "
                "on the same day",
                "all day",
            ),
            "weekdays": Row("names, or ranges of them; the week begins on sunday", "every day"),
            "days_of_month": Row(
                "`1` to `31`, or `-1` (the last day) to `-31`, or ranges; cut at the length of the month", "every day"
            ),
            "months": Row("names or `1` to `12`, or ranges", "every month"),
            "years": Row("years, or ranges", "every year"),
            "location": Row(
                "the time zone of all of them, such as `Europe/Berlin`. `Local` is refused: name the zone", "UTC"
            ),
        },
    ),
    "own": (
        tuple(f"{where}.{name}" for where, names in _OWN.items() for name in names),
        {
            "heartbeat.url, heartbeat.url_file": Row(
                "one of them: where Claxon says that it lives; whoever watches there learns when it does not", "refused"
            ),
            "heartbeat.interval": Row("between two; more than 0", _d(HEARTBEAT_S)),
            "heartbeat.method": Row("`GET` or `POST`", "`GET`"),
            "acknowledgement.expires_after": Row(
                "how long an acknowledgement of a page holds; `0s`: until the alert ends", _d(ACK_EXPIRES_S)
            ),
            "silences.max_duration": Row("the longest that a silence may last; more than 0", _d(SILENCE_MAX_S)),
            "retention.age": Row(
                f"a duration from {_d(LEAST_RETENTION_S)}: events that were taken before are deleted; `--retention-age` goes before it",
                _d(RETENTION_S),
            ),
            "retention.size": Row(
                f"a size from {_SIZE}, such as `20GB`: over it the oldest events are deleted; `--retention-size` goes before it",
                "no limit",
            ),
            "storage.data, storage.data_file": Row(
                "one of them: the database, a folder or `postgresql://...` without a password; or a file that holds that URL, with its password. "
                "`--data`, `CLAXON_DATA` and `CLAXON_DATA_FILE` go before it. Read at the start alone",
                "the folder `claxon-data`",
            ),
            "storage.log": Row(
                "`kafka://...`: [the topic](../scaling.md) that takes what ingest nodes are sent; `--log` and `CLAXON_LOG` go before it. "
                "Read at the start alone",
                "the database takes it",
            ),
            "escalations[].matchers": Row("[matchers](#matchers): of which alerts", "all of them"),
            "escalations[].steps": Row("a list of steps, the earliest first", "refused"),
            "escalations[].steps[].after": Row("a duration since the alert fired; more than 0", "refused"),
            "escalations[].steps[].receiver": Row("who is told then if nobody has acknowledged", "refused"),
            "keys[].name, keys[].scope, keys[].sha256": Row(
                f"what `claxon keys create NAME --print` prints; names are unique; `scope` is {_SCOPES}", "refused"
            ),
            "keys[].app, keys[].only_app": Row(
                "the app of events that name none; true: events of any other are refused", "none; false"
            ),
            "keys[].events_per_second, keys[].requests_per_second, keys[].burst": Row(
                "[limits](keys.md#what-a-key-may-have)", f"none; {_d(BURST_S)}"
            ),
        },
    ),
}
"""By part of the page: the settings that the code knows, and a row for each, or for several."""


def _of(kind: str, *names: str) -> tuple[str, ...]:
    """Return those settings of `global` that begin as a kind does, but for names that are someone else's."""
    return tuple(name for name in GLOBAL_SETTINGS if name.startswith(f"{kind}_") and name not in names)


GLOBAL: tuple[tuple[str, ...], dict[tuple[str, ...], str]] = (
    GLOBAL_SETTINGS,
    {
        ("resolve_timeout",): "an alert that somebody posts without an end ends so long after it was posted last; "
        + _d(RESOLVE_TIMEOUT_S),
        ("http_config",): "every integration over HTTP",
        _of("smtp"): "`email_configs`, under the same names without `smtp_`",
        _of("slack"): "`slack_configs`: an entry with a URL takes no token, and the other way round",
        _of("pagerduty"): "`pagerduty_configs`: `url`",
        _of("opsgenie"): "`opsgenie_configs`",
        _of("wechat"): "`wechat_configs`",
        _of("victorops"): "`victorops_configs`",
        _of("telegram"): "`telegram_configs`",
        _of("webex"): "`webex_configs`",
        _of("jira"): "`jira_configs`",
        _of("rocketchat"): "`rocketchat_configs`",
        _of("mattermost"): "`mattermost_configs`",
    },
)

SERVE: dict[str, Option] = {
    "--config": Option("the configuration", "every page goes to the console"),
    "--listen": Option("where it listens; `[::1]:PORT` and `:PORT` too. On any address but loopback a [key](keys.md) is needed"),
    "--data": Option(
        "where the database is: a folder, made where there is none, or the `postgresql://...` of [several nodes](../scaling.md)",
        "`CLAXON_DATA`, `CLAXON_DATA_FILE`, `storage` of the configuration, `claxon-data`",
    ),
    "--role": Option("what this node does of several on one PostgreSQL: [roles](../scaling.md); more than one with commas", "`CLAXON_ROLE`, `all`"),
    "--log": Option("the topic of Kafka that takes what ingest nodes are sent", "`CLAXON_LOG`, `storage` of the configuration; the database"),
    "--advertise": Option("where others are told to find this node", "`CLAXON_ADVERTISE`, `--listen`"),
    "--inbox-size": Option(
        "bytes of batches that may wait for the elected node, of several on one PostgreSQL; over it ingest nodes answer 503", "`8GB`"
    ),
    "--tls-cert": Option("PEM: it speaks HTTPS alone, with this certificate ([TLS](keys.md#tls))", "`CLAXON_TLS_CERT`"),
    "--tls-key": Option("PEM: its private key", "`CLAXON_TLS_KEY`"),
    "--retention-age": Option("events that were taken before are deleted", "`retention.age`"),
    "--retention-size": Option("over it the oldest events are deleted", "`retention.size`"),
    "--log-level": Option("what is logged, from this level on"),
    "--json": Option("what it logs, what the console receiver prints and what is wrong are JSON, on a terminal too"),
}

ENVIRONMENT: dict[str, Row] = {
    **{
        f"CLAXON_{scope.upper()}_KEY": Row(f"a [key](keys.md) of scope `{scope}`, 20 characters at least", "no such key")
        for scope in SCOPES
    },
    "CLAXON_DATA": Row("as `--data`", "`CLAXON_DATA_FILE`"),
    "CLAXON_DATA_FILE": Row("a file that holds what `CLAXON_DATA` would: for a URL with a password", "`storage` of the configuration"),
    "CLAXON_DATA_DEFAULT": Row("the folder of the database where nothing else says it; the image sets it to `/data`", "`claxon-data`"),
    "CLAXON_ROLE": Row("as `--role`", "`all`"),
    "CLAXON_LOG": Row("as `--log`", "`storage` of the configuration"),
    "CLAXON_ADVERTISE": Row("as `--advertise`", "`--listen`"),
    "CLAXON_INBOX_SIZE": Row("as `--inbox-size`", "`8GB`"),
    "CLAXON_TLS_CERT": Row("as `--tls-cert`", "plain HTTP"),
    "CLAXON_TLS_KEY": Row("as `--tls-key`", "plain HTTP"),
    "FORWARDED_ALLOW_IPS": Row(
        "the addresses of proxies whose `X-Forwarded-For` is believed, with commas between", "`127.0.0.1`"
    ),
    "HTTP_PROXY": Row("of receivers with `proxy_from_environment`", "no proxy"),
    "HTTPS_PROXY": Row("the same, for `https`", "no proxy"),
    "NO_PROXY": Row("the same: what is reached without one", "nothing"),
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": Row("where metrics are [pushed by OTLP](../howto/push-metrics.md)", "they are not"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": Row("the same for all signals; only with `OTEL_METRICS_EXPORTER=otlp`", "they are not"),
    "OTEL_METRICS_EXPORTER": Row("`otlp`, or `none`", "`otlp` where there is an endpoint for metrics"),
    "OTEL_METRIC_EXPORT_INTERVAL": Row("how often, in milliseconds", "`60000`"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": Row(
        "`explicit_bucket_histogram` or `base2_exponential_bucket_histogram`", "`explicit_bucket_histogram`"
    ),
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": Row("`http/protobuf`; anything else is refused", "`http/protobuf`"),
    "OTEL_EXPORTER_OTLP_PROTOCOL": Row("the same for all signals", "`http/protobuf`"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": Row("`cumulative`; anything else is refused", "`cumulative`"),
    "OTEL_SDK_DISABLED": Row("`true`: nothing is pushed", "`false`"),
}
"""Of `claxon serve`."""

