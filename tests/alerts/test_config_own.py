"""alerts/config_own.py: the settings of the file that Alertmanager does not have."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.config import (
    Config,
    EscalationConfig,
    EscalationStep,
    HeartbeatConfig,
    KeyConfig,
    RetentionConfig,
    StorageConfig,
    parse_config,
)
from alerts.matchers import parse_matchers

WHO = {
    "route": {"receiver": "all"},
    "receivers": [{"name": "all", "console_configs": [{}]}, {"name": "lead"}],
}


def read(**top: Any) -> tuple[Config, list[str]]:
    config, problems = parse_config(WHO | top, ("console_configs",))
    return config, [problem.said for problem in problems]


def test_what_is_not_said_has_its_default() -> None:
    config, problems = read()

    assert problems == []
    assert (config.fallback_receiver, config.heartbeat, config.escalations) == ("", None, ())
    assert (config.ack_expires_s, config.silence_max_s) == (1800.0, 2_592_000.0)
    assert config.retention == RetentionConfig(age_s=2_592_000.0, size=None)


def test_all_of_them_are_read() -> None:
    config, problems = read(
        fallback_receiver="lead",
        heartbeat={"url": "https://example.org/ping", "interval": "30s"},
        acknowledgement={"expires_after": "0s"},
        silences={"max_duration": "7d"},
        retention={"age": "7d", "size": "20GB"},
        escalations=[
            {
                "matchers": ['severity="page"'],
                "steps": [{"after": "10m", "receiver": "lead"}, {"after": "25m", "receiver": "all"}],
            },
            {"steps": [{"after": "1d", "receiver": "all"}]},
        ],
    )

    assert problems == []
    assert config.fallback_receiver == "lead"
    assert config.heartbeat == HeartbeatConfig(url="https://example.org/ping", interval_s=30.0)
    assert (config.ack_expires_s, config.silence_max_s) == (0.0, 604_800.0)
    assert config.retention == RetentionConfig(age_s=604_800.0, size=20 * 1024**3)
    assert config.escalations == (
        EscalationConfig(
            matchers=parse_matchers('severity="page"'),
            steps=(EscalationStep(after_s=600.0, receiver="lead"), EscalationStep(after_s=1500.0, receiver="all")),
        ),
        EscalationConfig(matchers=(), steps=(EscalationStep(after_s=86400.0, receiver="all"),)),
    )


def test_the_url_of_the_heartbeat_may_stand_in_a_file() -> None:
    assert read(heartbeat={"url_file": "ping.url"})[0].heartbeat == HeartbeatConfig(url_file="ping.url")


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ({"fallback_receiver": "nobody"}, "fallback_receiver: 'nobody': no such receiver: one of all, lead"),
        ({"fallback_receiver": ""}, "fallback_receiver: '': expected a text that is not empty"),
        ({"heartbeat": {}}, "heartbeat: write either url or url_file"),
        ({"heartbeat": {"url": "https://x", "url_file": "y"}}, "heartbeat: write either url or url_file"),
        ({"heartbeat": {"url": "secret"}}, "heartbeat.url: write a URL that begins with http:// or https://"),
        ({"heartbeat": {"url": "https://x", "method": "PUT"}}, "heartbeat.method: 'PUT': write GET or POST"),
        ({"heartbeat": {"url": 3}}, "heartbeat.url: write a URL"),
        ({"heartbeat": {"url": "https://x", "interval": "0s"}}, "heartbeat.interval: '0s': must be more than 0"),
        ({"heartbeat": {"url": "https://x", "every": "1s"}}, "heartbeat.every: not a setting: one of url, url_file"),
        ({"heartbeat": []}, "heartbeat: []: expected a mapping"),
        ({"acknowledgement": {"expires_after": "-1m"}}, "acknowledgement.expires_after: '-1m': not a duration"),
        ({"acknowledgement": {"expires": "1m"}}, "acknowledgement.expires: not a setting: one of expires_after"),
        ({"silences": {"max_duration": "0s"}}, "silences.max_duration: '0s': must be more than 0"),
        ({"silences": 3}, "silences: 3: expected a mapping"),
        ({"retention": {"age": "5m"}}, "retention.age: '5m': at least 1h"),
        ({"retention": {"age": "soon"}}, "retention.age: 'soon': not a duration"),
        ({"retention": {"size": "20"}}, "retention.size: '20': not a size: write a whole number and a unit"),
        ({"retention": {"size": 20}}, "retention.size: '20': not a size: write a whole number and a unit"),
        ({"retention": {"size": "63MB"}}, "retention.size: '63MB': at least 64MB"),
        ({"retention": {"bytes": "1GB"}}, "retention.bytes: not a setting: one of age, size"),
        ({"retention": []}, "retention: []: expected a mapping"),
        ({"escalations": {}}, "escalations: {}: expected a list"),
        ({"escalations": [{"matchers": ["a=1"]}]}, "escalations[0]: steps: missing: write who is told next"),
        (
            {"escalations": [{"steps": [{"after": "1m", "receiver": "x"}]}]},
            "escalations[0].steps[0].receiver: 'x': no such receiver: one of all, lead",
        ),
        (
            {"escalations": [{"steps": [{"receiver": "all"}]}]},
            "escalations[0].steps[0]: after: missing: write after: followed by a duration",
        ),
        (
            {"escalations": [{"steps": [{"after": "0s", "receiver": "all"}]}]},
            "escalations[0].steps[0].after: '0s': must be more than 0",
        ),
        (
            {"escalations": [{"steps": [{"after": "2m", "receiver": "all"}, {"after": "2m", "receiver": "lead"}]}]},
            "escalations[0].steps[1].after: '2m': the step before is 2m after the alert: put the earliest first",
        ),
        (
            {"escalations": [{"matchers": ["a"], "steps": [{"after": "2m", "receiver": "all"}]}]},
            "escalations[0].matchers[0]: 'a': not a matcher",
        ),
        ({"rule_files": None}, "rule_files: []: nobody would ever be paged"),
    ],
)
def test_each_problem_has_its_path_and_a_remedy(top: dict[str, Any], said: str) -> None:
    _, problems = read(**top)

    assert len(problems) == 1, problems
    assert problems[0].startswith(said), problems


def test_the_url_of_the_heartbeat_is_never_shown() -> None:
    """Whoever knows it can say that a dead Claxon lives."""
    _, problems = read(heartbeat={"url": "htps://hc.example/0b6f2b1c"})

    assert "0b6f2b1c" not in str(problems)


# ── keys ──────────────────────────────────────────────────────────────────────

KEY = {"name": "ci", "scope": "ingest", "sha256": "a" * 64}


def test_what_a_key_may_is_read() -> None:
    limits = {"app": "shop", "only_app": True, "events_per_second": 500, "requests_per_second": 0.5, "burst": "1m"}
    config, problems = read(keys=[KEY | limits, KEY | {"name": "me", "sha256": "b" * 64}])

    assert problems == []
    assert config.keys == (
        KeyConfig(
            name="ci",
            scope="ingest",
            sha256="a" * 64,
            app="shop",
            only_app=True,
            events_per_second=500.0,
            requests_per_second=0.5,
            burst_s=60.0,
        ),
        KeyConfig(name="me", scope="ingest", sha256="b" * 64),
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"only_app": True}, "keys[0].only_app: true: for which app: write app: followed by its name"),
        ({"events_per_second": 0}, "keys[0].events_per_second: 0: a number over 0 and at most 1e+09, or leave it out"),
        ({"requests_per_second": True}, "keys[0].requests_per_second: True: a number over 0 and at most 1e+09"),
        ({"events_per_second": "many"}, "keys[0].events_per_second: 'many': a number over 0"),
        ({"burst": "0s"}, "keys[0].burst: '0s': must be more than 0"),
        ({"rate": 1}, "keys[0].rate: not a setting: one of name, scope, sha256, app, only_app"),
    ],
)
def test_what_a_key_cannot_be_says_why(wrong: dict[str, Any], said: str) -> None:
    problems = read(keys=[KEY | wrong])[1]

    assert [problem[: len(said)] for problem in problems] == [said]


def test_two_keys_of_one_name_or_one_hash_are_refused() -> None:
    problems = read(keys=[KEY, KEY])[1]

    assert problems == [
        "keys[1].name: 'ci': named twice: a key is known by its name: choose another",
        "keys[1].sha256: the same key twice: keep one",
    ]


def test_storage_is_read() -> None:
    config, problems = read(storage={"data": "postgresql://db/claxon?passfile=/x", "log": "kafka://a:9092/events"})

    assert problems == []
    assert config.storage == StorageConfig(data="postgresql://db/claxon?passfile=/x", log="kafka://a:9092/events")
    assert read(storage={"data": "some/folder"})[1] == []
    assert read(storage={"data_file": "url"})[0].storage == StorageConfig(data_file="url")


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ({"data": "x", "data_file": "y"}, "storage: write either data or data_file: where the database is"),
        ({"data": "mysql://db/x"}, "storage.data: write a URL that begins with postgresql://"),
        ({"log": "topic"}, "storage.log: write a URL that begins with kafka://"),
        (
            {"data": "postgresql://me:hush@db/x"},
            "storage.data: a password in it: name a file that holds the URL, as data_file",
        ),
        (
            {"data": "postgresql://db/x?password=hush"},
            "storage.data: a password in it: name a file that holds the URL, as data_file",
        ),
        (
            {"log": "kafka://a:1/t?sasl.password=hush"},
            "storage.log: a password in it: name a file, as ?properties=",
        ),
    ],
)
def test_storage_that_cannot_be_is_said_without_its_password(storage: dict[str, str], said: str) -> None:
    assert read(storage=storage)[1] == [said]
