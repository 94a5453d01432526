"""Debian's amtool says of Claxon what it says of an Alertmanager with the same configuration and alerts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.peers import require

from .subjects import KINDS

pytestmark = pytest.mark.peer("alertmanager")

CONFIG = """\
route:
  receiver: page
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - receiver: mail
      matchers: ['team=~"red|blue"']
      continue: true
      routes:
        - {receiver: night, matchers: [at="night"], group_by: [team]}
    - {receiver: page, match: {severity: page}}
receivers:
  - {name: page, webhook_configs: [{url: "http://127.0.0.1:9/"}]}
  - {name: mail, webhook_configs: [{url: "http://127.0.0.1:9/"}]}
  - {name: night}
inhibit_rules:
  - {source_matchers: [alertname=cause], target_matchers: [alertname=symptom], equal: [app]}
"""

# For amtool's import; the times are far from any run of the tests.
SILENCES = [
    {
        "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
        "startsAt": "2090-01-01T00:00:00.000Z",
        "endsAt": "2090-01-01T06:00:00.000Z",
        "createdBy": "ada",
        "comment": f"imported {name}",
    }
    for name in ("one", "two")
]


class Said(NamedTuple):
    """What a command printed, without ids and instants, and its exit status."""

    status: int
    text: str


SCRIPT: Mapping[str, str] = {
    # What is done first, in this order; {id} is what the silence before it printed.
    "add an alert": "alert add alertname=disk app=x team=red --annotation=what=full --generator-url=http://g.example/",
    "add an alert by its bare name": "alert add cause app=y",
    "add what it inhibits": "alert add symptom app=y",
    "add an alert that is over": "alert add over app=x --start=2020-01-01T00:00:00Z --end=2020-01-01T01:00:00Z",
    "add an alert that ends before it begins": "alert add x --start=2090-01-02T00:00:00Z --end=2090-01-01T00:00:00Z",
    "silence": "silence add alertname=disk app=~x.* team!=green --comment=known --author=ada --duration=2h",
    "silence without a comment": "silence add alertname=disk --author=ada",
    "silence with a bad matcher": "silence add alertname=disk app=~( --comment=known --author=ada",
    "silence what is over": "silence add disk --comment=c --author=ada "
    "--start=2020-01-01T00:00:00Z --end=2020-01-01T01:00:00Z",
    "import silences": "silence import {silences}",
    "silence for a while": "silence add alertname=gone --comment=soon --author=bob --duration=1h",
    "extend the silence": "silence update {id} --duration=3h --comment=later",
    "expire the silence": "silence expire {id}",
    "expire it again": "silence expire {id}",
    "expire what is not there": "silence expire 11111111-2222-3333-4444-555555555555",
    # What is asked then.
    "alerts": "alert query",
    "alerts, extended": "alert query --output=extended",
    "alerts, as JSON": "alert query --output=json",
    "alerts by name": "alert query cause",
    "alerts by a matcher": "alert query app=y",
    "alerts by a regular expression": "alert query app=~x|y",
    "alerts by what they lack": "alert query team=",
    "alerts by a negation": "alert query alertname!=cause",
    "alerts, the silenced too": "alert query --silenced --output=json",
    "alerts, the inhibited too": "alert query --inhibited --output=json",
    "alerts that are active": "alert query --active",
    "alerts of a receiver": "alert query --receiver=mail --silenced",
    "alerts of no receiver": "alert query --receiver=nobody",
    "alerts by a bad matcher": "alert query app=x team=~(",
    "silences": "silence query",
    "silences, extended": "silence query --output=extended",
    "silences, as JSON": "silence query --output=json",
    "silences, their ids": "silence query --quiet",
    "silences by a matcher": "silence query alertname=disk",
    "silences by a matcher that none has": "silence query alertname=other",
    "silences of an author": "silence query --created-by=ada --output=json",
    "silences that are expired": "silence query --expired --output=json",
    "silences that end soon": "silence query --within=90m",
    "routes": "config routes show",
    "where an alert goes": "config routes test alertname=disk team=red",
    "where an alert goes, several": "config routes test team=blue at=night",
    "where an alert goes, several by continue": "config routes test team=blue severity=page",
    "where an alert goes, as a tree": "config routes test --tree team=blue at=night",
    "whether an alert goes there": "config routes test --verify.receivers=page alertname=other",
    "whether an alert goes elsewhere": "config routes test --verify.receivers=mail alertname=other",
}

REFUSED = {
    "add an alert that ends before it begins",
    "silence without a comment",
    "silence with a bad matcher",
    "silence what is over",
    "expire what is not there",
    "alerts by a bad matcher",
    "whether an alert goes elsewhere",
}
FOUND = {
    "alerts": "cause",
    "alerts, the silenced too": "suppressed",
    "alerts, the inhibited too": "inhibitedBy",
    "alerts of a receiver": "disk",
    "silences": "imported two",
    "silences of an author": '"pending"',
    "silences that are expired": "later",
    "routes": 'team=~"red|blue"',
    "where an alert goes, several by continue": "mail,page",
}
"""What Alertmanager refuses, and a word of what it finds."""

Transcripts = Mapping[str, Mapping[str, Said]]


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transcripts]:
    """What each command of the script said of each subject."""
    with ExitStack() as stack:
        subjects = {kind: new(tmp_path_factory.mktemp(kind), config=CONFIG) for kind, new in KINDS.items()}
        silences = tmp_path_factory.mktemp("amtool") / "silences.json"
        silences.write_text(json.dumps(SILENCES))
        with ThreadPoolExecutor() as pool:
            list(pool.map(stack.enter_context, subjects.values()))
            told = pool.map(lambda one: _transcript(one.url, silences), subjects.values())
            yield dict(zip(subjects, told, strict=True))


def _transcript(url: str, silences: Path) -> dict[str, Said]:
    said: dict[str, Said] = {}
    identity = ""
    for name, command in SCRIPT.items():
        if name == "alerts":
            time.sleep(1.5)  # until both have looked at each group, and know who is muted
        status, text = amtool(url, command.format(id=identity, silences=silences))
        if name == "silence for a while":
            identity = text.strip()
        said[name] = Said(status, masked(text, url))
    return said


def amtool(url: str, command: str) -> tuple[int, str]:
    """Return the exit status and what was printed, errors too."""
    program = require("alertmanager").with_name("amtool")
    ran = subprocess.run(
        [program, f"--alertmanager.url={url}", "--no-version-check", *command.split(" ")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout


def masked(text: str, url: str) -> str:
    """Return what was printed without what differs by nature: ids, instants, the address, the order of lines."""
    text = text.replace(url, "URL").replace(url.removeprefix("http://"), "HOST")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"2[01]\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)", "TIME", text)
    try:
        answer = json.loads(text)
    except ValueError:
        return "\n".join(sorted(re.sub(r" +", " ", line).strip() for line in text.splitlines()))
    return json.dumps(sorted(answer, key=json.dumps), indent=1, sort_keys=True)


@pytest.mark.parametrize("name", SCRIPT)
def test_amtool_says_the_same(name: str, transcripts: Transcripts) -> None:
    there, here = transcripts["alertmanager"][name], transcripts["claxon"][name]

    assert here.status == there.status, here.text
    if there.status == 0:
        assert here.text == there.text


def test_the_script_is_not_about_nothing(transcripts: Transcripts) -> None:
    """What would make two empty answers the same."""
    said = transcripts["alertmanager"]

    assert {name for name, one in said.items() if one.status} == REFUSED
    for name, found in FOUND.items():
        assert found in said[name].text, name


def test_amtool_finds_no_fault_in_a_file_that_claxon_serves(tmp_path: Path) -> None:
    """Without Claxon's own keys the file goes back to Alertmanager as it came."""
    (tmp_path / "config.yml").write_text(CONFIG)

    status, text = amtool("http://127.0.0.1:9", f"check-config {tmp_path / 'config.yml'}")

    assert (status, "SUCCESS" in text) == (0, True), text
    ran = subprocess.run(
        [sys.executable, "-m", "service", "check", str(tmp_path / "config.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
