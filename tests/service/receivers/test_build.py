"""service/receivers/__init__.py: from the configuration to a receiver, or to every problem it has."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.receivers import KINDS, Rate, ReceiverConfigError, Resender, build
from service.receivers.secret import Secret, SecretFile
from tests.service.receivers.notifications import notification
from tests.support.pager import Pager, Reply

WHERE = "claxon.yml: receiver 'oncall': slack_configs[0]"
SLACK = "https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/s3cr3tS3cr3t"
TEAMS = "https://prod-1.westeurope.logic.azure.example/workflows/s3cr3t/triggers/manual/paths/invoke?sig=s3cr3tS3cr3t"
NO_HEADER = "has characters that no header may carry: copy it again, without line breaks"
NO_BASIC = "Basic: Basic has a user: write basic_auth instead"
LEAST: dict[str, dict[str, Any]] = {
    "webhook_configs": {"url": "https://pager.example/hook"},
    "pagerduty_configs": {"routing_key": "R0123456789"},
    "opsgenie_configs": {"api_key": "R0123456789"},
    "slack_configs": {"api_url": SLACK},
    "email_configs": {"from": "claxon@example.org", "to": "oncall@example.org", "smarthost": "mail.example:587"},
    "apprise_configs": {"url": "json://pager.example/s3cr3tS3cr3t"},
    "alertmanager_configs": {"urls": ["http://alertmanager.example:9093"]},
    "msteamsv2_configs": {"webhook_url": TEAMS},
    "console_configs": {},
}


def problems(kind: str, mapping: object, folder: Path | None = None) -> tuple[str, ...]:
    """What is wrong with the mapping, each behind its place."""
    with pytest.raises(ReceiverConfigError) as caught:
        build(kind, mapping, where=WHERE, folder=folder)
    for problem in caught.value.problems:
        assert problem.startswith(f"{WHERE}: ")
        assert problem in str(caught.value)
    return tuple(problem.removeprefix(f"{WHERE}: ") for problem in caught.value.problems)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_least_configuration_builds_and_wants_the_end_told(kind: str) -> None:
    receiver = build(kind, LEAST[kind], where=WHERE)

    assert receiver.kind == kind.removesuffix("_configs")
    assert receiver.send_resolved is True
    await receiver.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_can_do_without_the_end(kind: str) -> None:
    receiver = build(kind, {**LEAST[kind], "send_resolved": False}, where=WHERE)

    assert receiver.send_resolved is False
    await receiver.close()


@pytest.mark.parametrize(
    ("kind", "pairs", "rate"),
    [
        ("pagerduty_configs", True, Rate(2, 1.0)),
        ("slack_configs", False, Rate(1, 1.0)),
        ("webhook_configs", False, None),
        ("opsgenie_configs", True, Rate(5, 1.0)),
        ("msteamsv2_configs", False, Rate(1, 1.0)),
        ("console_configs", False, None),
    ],
)
def test_each_kind_says_how_it_wants_to_be_told(kind: str, pairs: bool, rate: Rate | None) -> None:
    receiver = build(kind, LEAST[kind], where=WHERE)

    assert (receiver.pairs, receiver.rate, receiver.resend_s) == (pairs, rate, None)


@pytest.mark.parametrize("kind", KINDS)
def test_what_must_hear_again_can_be_told_again(kind: str) -> None:
    receiver = build(kind, LEAST[kind], where=WHERE)

    assert isinstance(receiver, Resender) is (receiver.resend_s is not None) is (kind == "alertmanager_configs")


@pytest.mark.parametrize(
    ("limit", "rate"),
    [
        ({"max": 60, "per": "1m"}, Rate(60, 60.0)),
        ({"max": 3}, Rate(3, 1.0)),
        ({"max": 0}, None),
        (None, Rate(1, 1.0)),
    ],
)
def test_the_configuration_may_say_how_fast(limit: object, rate: Rate | None) -> None:
    assert build("slack_configs", {**LEAST["slack_configs"], "rate_limit": limit}, where=WHERE).rate == rate


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ({}, "rate_limit: max: missing: write how many messages, such as 60; 0 is no limit"),
        ({"max": -1}, "rate_limit: max: -1: write a whole number, 0 or more"),
        ({"max": 1, "per": "2d"}, "rate_limit: per: 2d: write at most 86400s"),
        ({"max": 1, "every": "1m"}, "rate_limit: every: unknown: write one of max, per"),
        (60, "rate_limit: not a mapping: write 'name: value' lines below it"),
    ],
)
def test_a_rate_that_is_none_is_refused(limit: object, problem: str) -> None:
    assert problem in problems("slack_configs", {**LEAST["slack_configs"], "rate_limit": limit})


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("webhook_configs", "url: missing: write url or url_file"),
        ("pagerduty_configs", "routing_key: missing: write routing_key or routing_key_file"),
        ("slack_configs", "api_url: missing: write api_url or api_url_file"),
        ("opsgenie_configs", "api_key: missing: write api_key or api_key_file"),
        ("msteamsv2_configs", "webhook_url: missing: write webhook_url or webhook_url_file"),
        ("alertmanager_configs", "urls: missing: write a list of addresses below urls"),
    ],
)
@pytest.mark.parametrize("mapping", [{}, None])
def test_what_is_missing_is_named(kind: str, missing: str, mapping: object) -> None:
    assert problems(kind, mapping) == (missing,)


def test_a_misspelt_setting_is_refused_with_the_nearest_name() -> None:
    assert problems("slack_configs", {**LEAST["slack_configs"], "chanel": "#x"}) == (
        "chanel: unknown: did you mean channel?",
    )


def test_an_unknown_setting_is_refused_with_all_names() -> None:
    assert problems("console_configs", {"zzz": 1}) == ("zzz: unknown: write one of send_resolved",)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("slack_configs", "icon_emoji"),
        ("slack_configs", "title"),
        ("pagerduty_configs", "details"),
        ("webhook_configs", "payload"),
    ],
)
def test_what_alertmanager_has_and_we_do_not_is_refused_by_name(kind: str, name: str) -> None:
    assert problems(kind, {**LEAST[kind], name: "x"}) == (f"{name}: not supported yet: remove it",)


def test_a_kind_that_we_do_not_have_is_refused_by_name() -> None:
    (problem,) = problems("pushover_configs", {})

    assert problem.startswith("pushover_configs: not supported yet: write one of webhook_configs, ")


def test_a_kind_whose_vendor_ended_it_is_refused_with_what_to_write_instead() -> None:
    (problem,) = problems("msteams_configs", {"webhook_url": "https://contoso.webhook.office.com/s3cr3t"})

    assert problem.startswith("msteams_configs: Microsoft ended the connectors it was for: make a workflow in Teams ")
    assert "write msteamsv2_configs with its webhook_url" in problem


def test_all_problems_are_reported_at_once() -> None:
    mapping = {
        "url": "ftp://x",
        "send_resolved": "yes",
        "max_alerts": -1,
        "timeout": "soon",
        "http_config": {"authorization": {"type": "Basic", "credentials": "a\nb"}},
        "nope": 1,
    }

    assert problems("webhook_configs", mapping) == (
        "url: neither http nor https: write an address such as https://example.org/hook",
        f"http_config: authorization: type: {NO_BASIC}",
        f"http_config: authorization: credentials: {NO_HEADER}",
        "timeout: soon: write a duration, such as 10s or 1m",
        "send_resolved: yes: write true or false",
        "max_alerts: -1: write a whole number, 0 or more",
        (
            "nope: unknown: write one of http_config, max_alerts, rate_limit, send_resolved, signing_secret, "
            "signing_secret_file, timeout, url, url_file"
        ),
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pager",
        "https://",
        "//x",
        "https://a b.example",
        "https://x:port/",
        "https://x:65536/",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    (problem,) = problems("webhook_configs", {"url": url})

    assert "write an address such as https://example.org/hook" in problem


@pytest.mark.parametrize("timeout", ["6m", "1h"])
def test_a_receiver_never_waits_for_more_than_five_minutes(timeout: str) -> None:
    mapping = {**LEAST["webhook_configs"], "timeout": timeout}

    assert problems("webhook_configs", mapping) == (f"timeout: {timeout}: write at most 300s",)


@pytest.mark.parametrize(("written", "seconds"), [("3s", 3.0), ("0s", 10.0), (0, 10.0), (None, 10.0)])
def test_no_timeout_is_the_default_timeout(written: object, seconds: float) -> None:
    """Alertmanager waits for ever at 0; one hung socket would then hold its receiver's pages."""
    receiver = build("webhook_configs", {**LEAST["webhook_configs"], "timeout": written}, where=WHERE)

    assert receiver._http._endpoint.timeout == seconds  # type: ignore[attr-defined]


def test_two_ways_to_authorise_are_refused() -> None:
    mapping = {
        "url": "https://pat:s3cr3t@pager.example",
        "http_config": {"authorization": {"credentials": "t0ken"}},
    }

    assert problems("webhook_configs", mapping) == (
        "url: has a user, and http_config authorises too: keep one of them",
    )


def test_an_authorization_without_credentials_is_refused() -> None:
    mapping = {**LEAST["webhook_configs"], "http_config": {"authorization": {"type": "Bearer"}}}

    assert problems("webhook_configs", mapping) == (
        "http_config: authorization: credentials: missing: write credentials or credentials_file",
    )


def test_a_severity_that_pagerduty_lacks_is_refused() -> None:
    mapping = {**LEAST["pagerduty_configs"], "severity": "page"}

    assert problems("pagerduty_configs", mapping) == ("severity: page: write one of critical, error, warning, info",)


@given(
    kind=st.sampled_from(list(KINDS)),
    mapping=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["url", "url_file", "api_url", "routing_key", "timeout", "http_config", "authorization",
                     "credentials", "send_resolved", "max_alerts", "channel", "severity", "type"]
                ) | st.text() | st.integers(),
                inner,
                max_size=5,
            )
        ),
    ),
)  # fmt: skip
def test_whatever_the_file_holds_it_builds_or_is_refused(kind: str, mapping: object) -> None:
    with suppress(ReceiverConfigError):
        build(kind, mapping, where=WHERE, folder=Path("/nonexistent"))


# Secrets


@pytest.mark.parametrize(
    ("kind", "mapping"),
    [
        ("webhook_configs", {"url": "hps://pat:s3cr3t@pager.example/s3cr3t?s3cr3t"}),
        ("webhook_configs", {"url": ["s3cr3t"]}),
        ("webhook_configs", {"ulr": "https://pager.example/s3cr3t"}),
        ("webhook_configs", {"url": "https://x", "url_file": "/x", "http_config": {"s3": "s3cr3t"}}),
        ("webhook_configs", {"url": "https://x", "http_config": {"authorization": {"credentials": "s3cr3t\n"}}}),
        ("pagerduty_configs", {"routing_key": "s3cr3t\x00"}),
        ("pagerduty_configs", {"routing_key": {"s3cr3t": 1}}),
        ("slack_configs", {"api_url": "hooks.slack.com/services/s3cr3t"}),
    ],
)
def test_no_refusal_quotes_a_secret(kind: str, mapping: dict[str, Any]) -> None:
    assert "s3cr3t" not in "\n".join(problems(kind, mapping))


@pytest.mark.parametrize("kind", KINDS)
def test_no_receiver_and_no_configuration_shows_a_secret(kind: str) -> None:
    receiver = build(kind, LEAST[kind], where=WHERE)

    shown = f"{receiver!r} {vars(receiver)!r} {receiver}"
    assert "s3cr3t" not in shown
    assert "R0123456789" not in shown


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("s3cr3t")

    assert f"{secret} {secret!r} {[secret]}" == "<secret> <secret> [<secret>]"
    assert secret.reveal() == "s3cr3t"
    assert secret == Secret("s3cr3t")
    assert secret != Secret("other")


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("webhook_configs", "url", "https://pager.example/hook"),
        ("slack_configs", "api_url", SLACK),
        ("pagerduty_configs", "routing_key", "R0123456789"),
    ],
)
def test_each_secret_may_stand_in_a_file(kind: str, name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{text}\n")

    receiver = build(kind, {f"{name}_file": "secret"}, where=WHERE, folder=tmp_path)

    assert text not in repr(vars(receiver))


@pytest.mark.parametrize("content", [None, "", "not an address", b"\xff\xfe"])
def test_a_file_without_a_good_secret_is_refused(content: str | bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content.encode() if isinstance(content, str) else content)

    (problem,) = problems("slack_configs", {"api_url_file": "secret"}, folder=tmp_path)

    assert problem.startswith("api_url_file: secret: ")


def test_a_secret_in_two_places_is_refused() -> None:
    mapping = {**LEAST["slack_configs"], "api_url_file": "secret"}

    assert problems("slack_configs", mapping) == ("api_url: api_url_file is set too: keep one of them",)


async def test_a_file_that_changes_is_used_at_the_next_page_without_a_restart(tmp_path: Path, pager: Pager) -> None:
    file = tmp_path / "token"
    file.write_text("first-token")
    authorization = {"credentials_file": "token"}
    mapping = {"url": pager.url, "http_config": {"authorization": authorization}}
    receiver = build("webhook_configs", mapping, where=WHERE, folder=tmp_path)

    for content in ("first-token", "second-token", "", None):
        file.write_text(content) if content is not None else file.unlink()
        await receiver.send(notification())
    await receiver.close()

    used = [request.headers["authorization"].removeprefix("Bearer ") for request in pager.received]
    assert used == ["first-token", "second-token", "second-token", "second-token"]


async def test_a_receiver_that_answers_401_names_no_token(tmp_path: Path, pager: Pager) -> None:
    (tmp_path / "token").write_text("first-token")
    pager.answer_with(Reply(status=401, body="first-token is bad"))
    secret = SecretFile(tmp_path / "token", check=lambda _: "")

    assert "first-token" not in repr(secret)
    assert secret.reveal() == "first-token"
