"""docs/howto/pagerduty.md and slack.md: their configurations load, and lead where they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from service.cli import main
from service.config_file import load_config
from tests.support.repository import ROOT

PAGES = {name: (ROOT / f"docs/howto/{name}.md").read_text("utf-8") for name in ("pagerduty", "slack")}
SECRETS = {
    "pagerduty-key": "0" * 32,
    "pagerduty-by-day": "1" * 32,
    "pagerduty-webhook": "w" * 40,
    "slack-webhook": "https://hooks.slack.com/services/T0/B0/x",
    "slack-bot-token": "xoxb-0",
}


def written(name: str, folder: Path) -> Path:
    """Return the configuration of a page, with what it names beside it."""
    [config] = re.findall(r"^```yaml\n(.*?)^```", PAGES[name], re.DOTALL | re.MULTILINE)
    (folder / "secrets").mkdir()
    for secret, value in SECRETS.items():
        (folder / "secrets" / secret).write_text(value + "\n")
    (folder / "claxon.yml").write_text(config)
    return folder / "claxon.yml"


@pytest.mark.parametrize("name", PAGES)
def test_the_configuration_of_the_page_is_found_right(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(written(name, tmp_path))]) == 0, capsys.readouterr()


@pytest.mark.parametrize(
    ("name", "severity", "receiver"),
    [
        ("pagerduty", "page", "on-call"),
        ("pagerduty", "ticket", "by-day"),
        ("slack", "page", "incidents"),
        ("slack", "ticket", "tickets"),
    ],
)
def test_a_severity_goes_where_the_page_says(
    name: str, severity: str, receiver: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(name, tmp_path)

    assert main(["route", f"severity={severity}", "app=shop", "--config", str(config), "--format", "json"]) == 0
    assert [one["receiver"] for one in json.loads(capsys.readouterr().out)["told"]] == [receiver]


def test_the_webhook_of_the_page_is_that_of_a_receiver_that_has_a_secret(tmp_path: Path) -> None:
    [name] = re.findall(r"https://claxon\.example\.com/v1/pagerduty/([\w-]+)", PAGES["pagerduty"])

    assert f"{name}/pagerduty/0" in load_config(written("pagerduty", tmp_path)).receivers
    entry = PAGES["pagerduty"].partition(f"- name: {name}\n")[2].partition("- name:")[0]
    assert "webhook_secret_file" in entry


@pytest.mark.parametrize(
    ("name", "line"),
    [("pagerduty", "      - service_key: old"), ("slack", "      - {api_url: https://hooks.slack.com/x, title: mine}")],
)
def test_what_the_page_says_is_refused_is_refused(
    name: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(name, tmp_path)
    config.write_text(f"route: {{receiver: r}}\nreceivers:\n  - name: r\n    {name}_configs:\n{line}\n")

    assert main(["check", str(config)]) != 0
    said = "".join(capsys.readouterr())
    assert ("service_key" if name == "pagerduty" else "title") in said
