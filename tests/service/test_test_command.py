"""`claxon test`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.cli import main

GOOD = """\
name: a 401 pages
events: [{at: 1s, status: 401, app: shop}]
expect:
  - {at: 1s, fires: {alertname: ClaudeAuthError}}
"""
BAD = """\
scenarios:
  - name: a 401 pages nobody
    events: [{at: 1s, status: 401, app: shop}]
    expect:
      - {at: 2s, firing: []}
  - name: a 200 pages
    events: [{at: 1s, status: 200, app: shop}]
    expect:
      - {at: 2s, firing: [{alertname: ClaudeAuthError}]}
"""
RULES = "rules: [{alert: Mine, any: {}, match: ['status=\"418\"'], labels: {severity: ticket}}]"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yml").write_text(GOOD)
    (tmp_path / "bad.yml").write_text(BAD)
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["test", *arguments])
    out = capsys.readouterr()
    return status, out.out, out.err


@pytest.mark.usefixtures("folder")
def test_all_as_expected_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "good.yml") == (0, "ok   good.yml:1: a 401 pages\n1 scenario: 1 as expected, 0 not\n", "")


@pytest.mark.usefixtures("folder")
def test_a_difference_ends_with_1_and_says_line_expectation_and_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "good.yml", "bad.yml") == (
        1,
        """\
ok   good.yml:1: a 401 pages
FAIL bad.yml:2: a 401 pages nobody
     bad.yml:5: scenarios[0].expect[0]: at 2s: firing
       expected: nothing
       was:      ClaudeAuthError{app="shop", severity="page"} since 1s: 1 attempt; one is enough
FAIL bad.yml:6: a 200 pages
     bad.yml:9: scenarios[1].expect[0]: at 2s: firing
       expected: ClaudeAuthError
       was:      nothing
3 scenarios: 1 as expected, 2 not
""",
        "",
    )


@pytest.mark.usefixtures("folder")
def test_a_missed_alert_is_told_with_the_ledgers_rows_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("late.yml").write_text(GOOD.replace("at: 1s, fires", "at: 9s, fires"))

    _, out, _ = ran(capsys, "late.yml")

    row = '       ledger:   fired at 1s: ClaudeAuthError{app="shop", severity="page"}: 1 attempt; one is enough'
    assert row in out.splitlines()


@pytest.mark.usefixtures("folder")
def test_json_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = ran(capsys, "good.yml", "bad.yml", "--format", "json", "-k", "A 200")

    assert status == 1
    assert json.loads(out) == {
        "scenarios": [
            {
                "file": "bad.yml",
                "line": 6,
                "name": "a 200 pages",
                "passed": False,
                "differences": [
                    {
                        "line": 9,
                        "where": "scenarios[1].expect[0]",
                        "claim": "at 2s: firing",
                        "expected": "ClaudeAuthError",
                        "was": "nothing",
                        "ledger": [],
                    }
                ],
            }
        ],
        "passed": 0,
        "failed": 1,
    }


@pytest.mark.usefixtures("folder")
def test_a_folder_stands_for_its_files_and_a_word_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    everything = ran(capsys, ".", "good.yml")
    assert everything[1].splitlines()[-1] == "3 scenarios: 1 as expected, 2 not"
    assert ran(capsys, ".", "-k", "GOOD")[0] == 0


@pytest.mark.usefixtures("folder")
def test_what_a_scenario_names_is_found_beside_it(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    inside = folder / "inside"
    inside.mkdir()
    (inside / "rules.yml").write_text(RULES)
    (inside / "claxon.yml").write_text(
        "route: {receiver: tea}\nreceivers: [{name: tea, slack_configs: [{api_url_file: /nowhere}]}]"
    )
    (inside / "s.yml").write_text(
        "name: a teapot is told to tea\nconfig: claxon.yml\nrule_files: [rules.yml]\n"
        "events: [{at: 0s, status: 418}]\nexpect: [notifications: [{alertname: Mine, receiver: tea}]]"
    )

    assert ran(capsys, "inside/s.yml")[0] == 0


@pytest.mark.parametrize(
    ("files", "arguments", "said"),
    [
        ({}, ["none.yml"], "none.yml: cannot be read: [Errno 2] No such file or directory: 'none.yml'"),
        ({}, ["empty"], "empty: no *.yml in it: name a file, or a folder that holds scenarios"),
        ({}, ["good.yml", "-k", "x"], "-k: x: no scenario has this in its file's name or its own: leave it out"),
        ({"s.yml": "name: ["}, ["s.yml"], "s.yml:1: not valid YAML: "),
        ({"s.yml": "start: 2026-13-01"}, ["s.yml"], "s.yml:1: not valid YAML: '2026-13-01': month must be in 1..12"),
        ({"s.yml": ""}, ["s.yml"], "s.yml:1: None: expected a scenario: name, events, expect"),
        ({"s.yml": GOOD + "\nruls: []"}, ["s.yml"], "s.yml:6: ruls: not known here: one of name, "),
        ({"s.yml": GOOD.replace("1s, fires", "x, fires")}, ["s.yml"], "s.yml:4: expect[0].at: 'x': not a duration: "),
        ({"s.yml": GOOD + "rule_files: [r.yml]"}, ["s.yml"], "s.yml:5: rule_files[0]: r.yml: cannot be read: "),
        (
            {"s.yml": GOOD + "rule_files: [r.yml]", "r.yml": "rules:\n  - {alert: X, anny: {}}"},
            ["s.yml"],
            "s.yml:5: rule_files[0]: r.yml:2: rules[0].anny: not a field of a rule: ",
        ),
        ({"s.yml": GOOD + "config: c.yml"}, ["s.yml"], "s.yml:5: config: c.yml: cannot be read: "),
        (
            {"s.yml": GOOD + "config: c.yml", "c.yml": "rout: {}"},
            ["s.yml"],
            "s.yml:5: config: c.yml:1: rout: not a setting: ",
        ),
    ],
)
def test_what_cannot_be_used_ends_with_2_and_runs_nothing(
    capsys: pytest.CaptureFixture[str], folder: Path, files: dict[str, str], arguments: list[str], said: str
) -> None:
    (folder / "empty").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)

    status, out, err = ran(capsys, *arguments)

    assert (status, out) == (2, "")
    assert err.startswith(f"claxon: {said}"), err


@pytest.mark.usefixtures("folder")
def test_all_that_is_wrong_with_all_files_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yml").write_text(GOOD + "x: 1\ny: 2")

    status, _, err = ran(capsys, "a.yml", "none.yml", "good.yml")

    assert (status, len(err.splitlines())) == (2, 3)
