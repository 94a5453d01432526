"""The configuration file: every problem with file, line, value and remedy; nothing started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.config_file import ConfigFileError, load_config
from tests.support import peers
from tests.support.repository import ROOT

GOOD = """
external_url: https://claxon.example
route:
  receiver: on-call
  routes:
    - receiver: quiet
      matchers: ['severity="ticket"']
      continue: true
receivers:
  - name: on-call
    webhook_configs: [{url: "http://127.0.0.1:1/hook"}]
    pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef}]
  - name: quiet
    console_configs: [{}]
inhibit_rules:
  - source_matchers: ['severity="page"']
    target_matchers: ['severity="ticket"']
    equal: [app]
keys:
  - {name: ci, scope: ingest, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, app: shop}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "claxon.yml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigFileError) as refused:
        load_config(write(folder, text))
    return [p.replace(str(folder), "DIR") for p in refused.value.problems]


def test_a_good_file_is_read(tmp_path: Path) -> None:
    loaded = load_config(write(tmp_path, GOOD))

    assert list(loaded.receivers) == ["on-call/webhook/0", "on-call/pagerduty/1", "quiet/console/0"]
    assert loaded.config.route.receivers({"severity": "ticket"}) == ["quiet"]
    assert loaded.config.keys[0].app == "shop"


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    assert list(load_config(write(tmp_path, text)).receivers) == ["console/console/0"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "DIR/claxon.yml:1: not valid YAML"),
        ("- 1", "DIR/claxon.yml:1: [1]: expected a mapping of settings"),
        ("rout: {}", "DIR/claxon.yml:1: rout: not a setting: one of external_url, grafana_url, rule_files, route"),
        (
            "\nrule_files: [x]",
            "DIR/claxon.yml:2: rule_files[0]: 'x': no such file in DIR: mend the name, or leave it out",
        ),
        (
            "rule_files: []",
            "DIR/claxon.yml:1: rule_files: []: nobody would ever be paged: name a file, or leave it out",
        ),
        ("rule_files: x.yml", "DIR/claxon.yml:1: rule_files: 'x.yml': expected a list of texts"),
        (
            "rule_files: ['']",
            "DIR/claxon.yml:1: rule_files[0]: '': expected a file name or a pattern such as rules/*.yml",
        ),
        (
            "a: 2026-13-01",
            "DIR/claxon.yml:1: not valid YAML: '2026-13-01': month must be in 1..12: write a text in quotes",
        ),
        ("receivers: []", "DIR/claxon.yml:1: route: missing: name the receiver"),
        (
            "route: {receiver: x}\nreceivers: []",
            "DIR/claxon.yml:1: route.receiver: 'x': no such receiver: there are none",
        ),
        (GOOD + "route: {receiver: x}", "DIR/claxon.yml:21: route: written twice: keep one"),
        (
            GOOD.replace("receiver: quiet", "receiver: quite"),
            "claxon.yml:6: route.routes[0].receiver: 'quite': no such",
        ),
        (GOOD.replace("continue: true", "continue: 3"), "claxon.yml:8: route.routes[0].continue: 3: true or false"),
        (
            GOOD.replace("continue: true", "group_wait: 10s"),
            "claxon.yml:8: route.routes[0].group_wait: '10s': needs group_by: write group_by: []",
        ),
        (
            GOOD.replace('severity="ticket"', "severity"),
            "claxon.yml:7: route.routes[0].matchers[0]: 'severity': not a matcher",
        ),
        (GOOD.replace('="ticket"', '=~"("'), "not a regular expression"),
        (GOOD.replace("name: quiet", "name: on-call"), "claxon.yml:13: receivers[1].name: 'on-call': used twice"),
        (
            GOOD.replace("console_configs", "pager_configs"),
            "claxon.yml:14: receivers[1].pager_configs: not a kind of receiver",
        ),
        (GOOD.replace("{url:", "{urk:"), "claxon.yml:11: receivers[0].webhook_configs[0]: urk"),
        (GOOD.replace("http://127.0.0.1:1/hook", "ftp://x"), "claxon.yml:11: receivers[0].webhook_configs[0]: url"),
        (
            GOOD.replace("https://claxon", "claxon"),
            "claxon.yml:2: external_url: 'claxon.example': write a URL that begins",
        ),
        (
            GOOD.replace("scope: ingest", "scope: write"),
            "claxon.yml:20: keys[0].scope: 'write': one of ingest, read, admin",
        ),
        (GOOD.replace("9f86", "xx86"), "claxon.yml:20: keys[0].sha256: not the SHA-256 of a key"),
        (
            GOOD.replace("    target_matchers: ['severity=\"ticket\"']\n", ""),
            "claxon.yml:16: inhibit_rules[0]: source_matchers and",
        ),
    ],
)
def test_a_problem_has_file_line_value_and_remedy(tmp_path: Path, text: str, problem: str) -> None:
    assert any(problem in found for found in problems(tmp_path, text)), problems(tmp_path, text)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace("receiver: quiet", "receiver: quite").replace("scope: ingest", "scope: write")

    assert len(problems(tmp_path, broken)) == 2


def test_problems_of_receivers_are_told_with_all_the_others(tmp_path: Path) -> None:
    broken = GOOD.replace("receiver: quiet", "receiver: quite").replace("{url:", "{urk:")

    assert [problem.partition(": ")[0] for problem in problems(tmp_path, broken)] == [
        "DIR/claxon.yml:6",
        "DIR/claxon.yml:11",
        "DIR/claxon.yml:11",
    ]


def test_a_receiver_takes_of_global_what_it_does_not_say(tmp_path: Path) -> None:
    slack = "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{channel: x}]}]\n"

    assert "api_url: missing" in problems(tmp_path, slack)[0]
    loaded = load_config(write(tmp_path, slack + "global: {slack_api_url: 'https://127.0.0.1/hook'}"))
    assert list(loaded.receivers) == ["a/slack/0"]


def test_what_is_wrong_in_global_is_told_there_and_once(tmp_path: Path) -> None:
    text = """
global: {http_config: {nonsense: 1}}
route: {receiver: a}
receivers: [{name: a, webhook_configs: [{url: "http://127.0.0.1"}, {url: "http://127.0.0.1"}]}]
"""
    told = problems(tmp_path, text)

    assert len(told) == 1
    assert told[0].startswith("DIR/claxon.yml:2: global.http_config: nonsense: unknown")


def test_a_file_that_is_alertmanagers_loads_unchanged() -> None:
    loaded = load_config(ROOT / "examples/alertmanager.yml")

    assert loaded.config.route.receivers({"severity": "critical", "team": "payments", "app": "ledger-eu"}) == [
        "on-call",
        "payments-pager",
    ]
    assert list(loaded.receivers) == [
        "everyone/slack/0",
        "on-call/pagerduty/0",
        "on-call/slack/1",
        "payments/webhook/0",
        "payments-pager/pagerduty/0",
    ]
    assert set(loaded.config.time_intervals) == {"office-hours", "holidays"}
    assert any("match: an old setting" in note for note in loaded.notes)


@pytest.mark.peer("alertmanager")
def test_alertmanager_loads_the_same_file() -> None:
    amtool = peers.require("alertmanager").with_name("amtool")

    subprocess.run([amtool, "check-config", ROOT / "examples/alertmanager.yml"], check=True, capture_output=True)


def test_check_names_what_loads_and_was_perhaps_not_meant(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("continue: true", "group_by: [app]") + "time_intervals: [{name: x}]")

    ended = subprocess.run(
        [sys.executable, "-m", "service", "check", str(path)], capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode == 0
    assert ended.stderr.splitlines() == [f"claxon: warning: {path}:21: time_intervals: x: no route names it"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="cannot be read"):
        load_config(tmp_path / "none.yml")


def test_a_secret_in_a_broken_entry_is_not_shown(tmp_path: Path) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    text = GOOD.replace(secret, f"{secret} {secret}").replace("continue: true", "continue: 3")

    assert secret not in str(problems(tmp_path, text))


@pytest.mark.parametrize("command", [["check"], ["serve", "--listen", "127.0.0.1:0", "--config"]])
def test_a_bad_file_ends_with_2_and_starts_nothing(tmp_path: Path, command: list[str]) -> None:
    path = write(tmp_path, "route: {receiver: x}")

    data = ["--data", str(tmp_path / "data")] if "serve" in command else []
    ended = subprocess.run(
        [sys.executable, "-m", "service", *command, str(path), *data],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert f"claxon: {path}:1: route.receiver: 'x': no such receiver" in ended.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--listen", "nowhere"], "--listen: nowhere: write HOST:PORT"),
        (["serve", "--listen", "127.0.0.1:99999"], "--listen: 127.0.0.1:99999: write HOST:PORT"),
        (["serve", "--listen", "0.0.0.0:0"], "anybody who reaches it could read and post"),
        (["serve", "--listen", "127.0.0.1:0", "--data", "/proc/nowhere"], "name a folder that this user may write"),
    ],
)
def test_a_bad_option_ends_with_2_and_a_remedy(arguments: list[str], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "service", *arguments], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr
