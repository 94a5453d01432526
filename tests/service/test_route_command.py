"""`claxon route`: where an alert would go, said so that somebody who was just woken understands it."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest

from service.cli import main

CONFIG = """
fallback_receiver: backup
route:
  receiver: default
  group_by: [alertname, app]
  routes:
    - matchers: ['severity="page"', 'app=~"chat|batch"']
      receiver: pager
      group_wait: 0s
      continue: true
    - matchers: ['app="chat"']
      receiver: nobody
      active_time_intervals: [office]
      routes:
        - matchers: ['team="x"']
          mute_time_intervals: [office]
    - matchers: ['severity="page"']
receivers:
  - name: default
    console_configs: [{}]
  - name: pager
    webhook_configs: [{url_file: not-there}]
    console_configs: [{}]
  - name: nobody
  - name: backup
    console_configs: [{}]
time_intervals:
  - name: office
    time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: 09:00, end_time: 17:00}]}]
inhibit_rules:
  - {source_matchers: ['alertname="Key"'], target_matchers: ['severity="page"'], equal: [app, environment]}
  - {source_matchers: ['severity="page"'], target_matchers: ['app!=""']}
escalations:
  - matchers: ['severity="page"']
    steps: [{after: 10m, receiver: backup}, {after: 25m, receiver: default}]
"""
SUNDAY, MONDAY = "2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "claxon.yml"
    file.write_text(CONFIG)
    return file


def test_the_answer_comes_first_and_then_why(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The receiver's secret is in a file that is not there: none is needed."""
    assert main(["route", "app=chat", "severity=page", "--config", str(path), "--at", SUNDAY]) == 0

    assert capsys.readouterr().out == dedent(
        """\
        An alert with app="chat", severity="page" at 2026-11-22T12:00:00Z

        -> pager, by route.routes[0]
           told by    pager/webhook/0, pager/console/1
           grouped    with all that have app="chat": first after 0s, then every 5m if something changed, again after 4h
           quiet now  no
           fallback   backup
        -> nobody, by route.routes[1]
           told by    nothing: the receiver has no integrations, and what it gets is dropped
           grouped    with all that have app="chat": first after 30s, then every 5m if something changed, again after 4h
           quiet now  YES: it is none of its active_time_intervals: office
           fallback   backup

        Routes asked, in order:
        yes  route (default): no matchers, takes everything
          TELL route.routes[0] (pager): app=~"chat|batch", severity="page"
          TELL route.routes[1] (nobody): app="chat"
            no   route.routes[1].routes[0] (nobody): team="x" fails: team is not there
          -    route.routes[2] (default): not asked: route.routes[1] took it, and has no continue

        Muted by inhibit_rules[0] while an alert fires that matches {alertname="Key"} and has app="chat", no \
environment.
        Muted by inhibit_rules[1] while an alert fires that matches {severity="page"}; but none that could be muted by \
the same rule, for this one is a source of it too.
        While nobody acknowledges, escalations[0] tells: after 10m backup, after 25m default.
        """
    )


@pytest.mark.parametrize(
    ("labels", "at", "said"),
    [
        (["app=chat"], MONDAY, "quiet now  no"),
        (["app=chat", "team=x"], MONDAY, "quiet now  YES: in its mute_time_intervals: office"),
        (["app=chat", "team=x"], SUNDAY, "quiet now  no"),
        (["app=web", "severity=page"], SUNDAY, 'app=~"chat|batch" fails: app is "web"'),
        (["x=1"], SUNDAY, "with all others of this route"),
        (["x=1"], SUNDAY, "No inhibit rule can mute it.\nNo escalation applies"),
    ],
)
def test_what_is_otherwise_is_said_otherwise(
    path: Path, capsys: pytest.CaptureFixture[str], labels: list[str], at: str, said: str
) -> None:
    assert main(["route", *labels, "--config", str(path), "--at", at]) == 0

    assert said in capsys.readouterr().out


def test_without_a_file_everything_goes_to_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "app=chat"]) == 0

    told = capsys.readouterr().out
    assert "-> console, by route\n   told by    console/console/0\n   grouped    alone: told at once" in told
    assert "fallback   nobody: there is no other receiver" in told


def test_a_script_gets_the_same_as_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "app=chat", "team=a=b", "--config", str(path), "--at", SUNDAY, "--format", "json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["labels"] == {"app": "chat", "team": "a=b"}
    assert [(told["receiver"], told["group"], told["muted_by"]) for told in said["told"]] == [
        ("nobody", {"app": "chat"}, ["office"])
    ]
    assert said["tree"]["routes"][1]["tells"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["app"], "'app': not a label: write LABEL=VALUE, such as severity=page"),
        (["=chat"], "'=chat': not a label"),
        (["app!=chat"], "'app!=chat': not a label"),
        (["app=~chat"], "'app=~chat': not a label"),
        (["app=a", "app=b"], "app: said twice: an alert has one value of a label"),
        (["app=a", "--at", "soon"], "--at: 'soon': write how long ago"),
        (["app=a", "--at", ""], "--at: '': write how long ago"),
        (["app=a", "--config", "/nowhere/x.yml"], "/nowhere/x.yml: cannot be read"),
    ],
)
def test_a_question_that_cannot_be_answered_ends_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["route", *arguments]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"claxon: {said}" in captured.err


def test_a_file_that_is_wrong_is_said_with_all_that_is_wrong(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(CONFIG.replace("[office]", "[offices]"))

    assert main(["route", "app=chat", "--config", str(path)]) == 2
    assert capsys.readouterr().err.count("'offices': not in time_intervals: one of office") == 2
