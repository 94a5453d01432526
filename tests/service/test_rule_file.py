"""Rule files: read from YAML, each problem and warning with file and line; used by serve, check and rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from alerts import default_rules
from alerts.default_rules import DEFAULT_RULES
from alerts.rule_form import dump_rules, parse_rules
from alerts.rules import Rule
from service.config_file import ConfigFileError, load_config
from service.rule_file import load_rules
from service.rule_text import rules_text
from tests.support.rules import UNHURRIED, rules
from tests.support.running import Running, until

ALL_DEFAULTS = [found for found in vars(default_rules).values() if isinstance(found, Rule)]

MINE = """\
# What we want to know of.
rules:
  - alert: Denied
    any: {}
    match: ['category="permission"']
    labels: {severity: page}
  - alert: Slow
    error_rate:
      above: 10%
      window: 10m
    labels: {severity: ticket}
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def problems(*paths: Path) -> list[str]:
    with pytest.raises(ConfigFileError) as refused:
        load_rules(paths)
    return [problem.replace(f"{paths[0].parent}/", "") for problem in refused.value.problems]


def test_a_rule_file_is_read_and_each_rule_has_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yml", MINE)

    loaded = load_rules([path])

    assert [rule.id for rule in loaded.rules] == ["Denied/page", "Slow/ticket"]
    assert loaded.places == {"Denied/page": f"{path}:3", "Slow/ticket": f"{path}:7"}
    assert loaded.warnings == ()


def test_a_problem_has_file_line_place_value_and_remedy(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yml", MINE.replace("10%", "7").replace("window: 10m", "windw: 10m"))

    assert problems(path) == [
        "mine.yml:10: rules[1].error_rate.windw: not a field of `error_rate`: did you mean window?"
    ]
    assert problems(write(tmp_path, "mine.yml", MINE.replace("10%", "7"))) == [
        "mine.yml:9: rules[1].error_rate.above: 7: write a share between 0 and 1, such as 5%"
    ]


def test_a_warning_has_file_line_and_place(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yml", MINE.replace("ticket", "low"))

    assert load_rules([path]).warnings == (
        (
            f"{path}:11: rules[1].labels.severity: 'low': neither page nor ticket, "
            "which routes and inhibit rules go by: write one of them, or route it yourself"
        ),
    )


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    good = write(tmp_path, "good.yml", MINE)
    broken = write(tmp_path, "broken.yml", "rules: [")
    wrong = write(tmp_path, "wrong.yml", "rules: []")

    found = problems(good, broken, wrong, tmp_path / "none.yml")

    assert [text.split(":")[0] for text in found] == ["broken.yml", "none.yml", "wrong.yml"]


def test_two_files_may_not_have_the_same_rule(tmp_path: Path) -> None:
    one, two = write(tmp_path, "one.yml", MINE), write(tmp_path, "two.yml", MINE)

    assert problems(one, two)[0] == (
        "two.yml:3: rules[0]: Denied/page: makes the same alerts as one.yml:3: give one a label of its own"
    )


def test_the_default_rules_are_included_once_and_one_of_another_file_replaces_its(tmp_path: Path) -> None:
    plain = write(tmp_path, "a.yml", "include: defaults\n")
    mine = write(
        tmp_path, "b.yml", "include: defaults\nrules: [{alert: ClaudeAuthError, any: {}, labels: {severity: page}}]"
    )

    loaded = load_rules([plain, mine])

    assert [rule.id for rule in loaded.rules] == [rule.id for rule in DEFAULT_RULES]
    assert loaded.rules[0].match == ()
    assert loaded.places[loaded.rules[0].id] == f"{mine}:2"
    assert loaded.places[loaded.rules[1].id] == f"{plain}:1"


# ── YAML ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "mine.yml:1: not valid YAML: "),
        (
            "rules:\n- {for: 2026-13-01}",
            "mine.yml:2: not valid YAML: '2026-13-01': month must be in 1..12: write a text in",
        ),
        ("rules: !!bool x", "mine.yml:1: not valid YAML: 'x': 'x': write a text in quotes"),
        ("rules: !!int ''", "mine.yml:1: not valid YAML: '': string index out of range: write a text in quotes"),
        ("rules: !!timestamp x", "mine.yml:1: not valid YAML: 'x': "),
        ("rules: !!python/name:os.system", "mine.yml:1: not valid YAML: could not determine a constructor"),
        ("rules: &a [*a]", "mine.yml: too deeply nested"),
        ("[" * 2000, "mine.yml: too deeply nested"),
        ("a: 1\na: 2", "mine.yml:2: a: written twice: keep one"),
        ("rules: []\x00", "mine.yml: not valid YAML: "),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{x}: &{x} [{','.join([f'*{y}'] * 10)}]\n" for y, x in zip("abcdef", "bcdefg", strict=True)),
            "mine.yml: over 100,000 things in one file: split it, or use fewer aliases",
        ),
    ],
    ids=range(11),
)
def test_what_is_no_good_yaml_is_refused(tmp_path: Path, text: str, said: str) -> None:
    found = problems(write(tmp_path, "mine.yml", text))

    assert found[0].startswith(said), found


PIECES = st.sampled_from(
    [
        "rules:",
        "- alert: A",
        "  any: {}",
        "include: defaults",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "- ",
        "\n",
        "  ",
        "&a ",
        "*a ",
        "<<: *a",
        "'",
        '"',
        "!!int ",
        "!!timestamp ",
        "2026-13-01",
        "0x",
        "1e999",
        ".nan",
        "~",
        "null",
        "yes",
        "12:30:45",
        "#",
        "%YAML 9",
        "---",
        "...",
        ",",
        "? ",
        ">",
        "\t",
        "\\ud800",
        "5%",
        "match: ['app=x']",
        "error_rate: {above: 5%}",
    ]
)


@UNHURRIED
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
@example("? [a]\n: b")
@example("{[a]: b}")
@example("=: 1")
def test_whatever_a_file_holds_makes_rules_or_problems_and_never_raises(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    found: list[object] = []
    try:
        found += load_rules([path]).rules
    except ConfigFileError as refused:
        found += [problem for problem in refused.problems if problem.startswith(str(path))]

    assert found


# ── rules as text ─────────────────────────────────────────────────────────────


def test_the_default_rules_as_text_load_unchanged() -> None:
    text = rules_text(ALL_DEFAULTS)

    parsed = parse_rules(yaml.safe_load(text))

    assert (parsed.rules, parsed.problems, parsed.warnings) == (tuple(ALL_DEFAULTS), [], [])
    assert [rule.hash for rule in parsed.rules] == [rule.hash for rule in ALL_DEFAULTS]


def test_each_rule_of_the_text_has_a_line_in_words_above() -> None:
    lines = rules_text(ALL_DEFAULTS).splitlines()

    for number, line in enumerate(lines):
        assert len(line) <= 120
        if line.startswith("  - alert:"):
            assert lines[number - 1].startswith("  # ")
    assert "  # ticket: over 5 % of calls in 5m failed, and at least 3" in lines


@UNHURRIED
@given(st.lists(rules(), unique_by=lambda rule: rule.id, min_size=1, max_size=3))
def test_any_rules_as_text_load_unchanged(many: list[Rule]) -> None:
    assert parse_rules(yaml.safe_load(rules_text(many))).rules == tuple(many)
    assert parse_rules(yaml.safe_load(yaml.safe_dump(dump_rules(many)))).rules == tuple(many)


# ── rule_files of a configuration ─────────────────────────────────────────────


def test_a_configuration_names_rule_files_by_patterns_beside_itself(tmp_path: Path) -> None:
    write(tmp_path, "rules/deep/er/b.yml", MINE.replace("Denied", "Other").replace("Slow", "Slower"))
    absolute = write(tmp_path, "a.yml", MINE)
    (tmp_path / "rules/folder.yml").mkdir()
    config = write(tmp_path, "claxon.yml", f"rule_files: ['rules/**/*.yml', '{absolute}', 'a.*']")

    loaded = load_config(config)

    assert [rule.alert for rule in loaded.rules] == ["Other", "Slower", "Denied", "Slow"]
    assert loaded.rule_places["Denied/page"] == f"{absolute}:3"


def test_a_configuration_without_rule_files_has_the_default_rules(tmp_path: Path) -> None:
    loaded = load_config(write(tmp_path, "claxon.yml", "external_url: https://claxon.example"))

    assert (loaded.rules, loaded.warnings, loaded.rule_places) == (DEFAULT_RULES, (), {})
    assert load_config(None).rules == DEFAULT_RULES


def test_a_pattern_that_matches_nothing_or_only_folders_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()

    with pytest.raises(ConfigFileError) as refused:
        load_config(write(tmp_path, "claxon.yml", "rule_files: ['rules', 'r*.yml']"))

    assert refused.value.problems == [
        f"{tmp_path}/claxon.yml:1: rule_files[0]: 'rules': no such file in {tmp_path}: mend the name, or leave it out",
        f"{tmp_path}/claxon.yml:1: rule_files[1]: 'r*.yml': no such file in {tmp_path}: mend the name, or leave it out",
    ]


def test_problems_of_the_configuration_its_receivers_and_its_rules_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, "a.yml", "rules: []")
    text = "rule_files: [a.yml]\nroute: {receiver: x}\nreceivers: [{name: x, webhook_configs: [{urk: 1}]}]"

    with pytest.raises(ConfigFileError) as receivers:
        load_config(write(tmp_path, "claxon.yml", text))
    with pytest.raises(ConfigFileError) as setting:
        load_config(write(tmp_path, "claxon.yml", text.replace("route", "rout")))

    assert [problem.split(":")[2].strip() for problem in receivers.value.problems[:2]] == [
        "rules",
        "receivers[0].webhook_configs[0]",
    ]
    assert {problem.split(":")[2].strip() for problem in setting.value.problems} == {
        "rout",
        "route",
        "rules",
        "receivers[0].webhook_configs[0]",
    }


def test_the_service_pages_by_the_rules_of_its_files(tmp_path: Path) -> None:
    write(tmp_path, "mine.yml", MINE.replace("labels: {severity: page}", "labels: {severity: page, team: core}"))

    with Running(tmp_path, config="rule_files: [mine.yml]") as running:
        running.post([{"model": "m", "app": "shop", "status": 403}, {"model": "m", "app": "shop", "status": 401}])
        until(lambda: running.firing(), 10)

        assert set(running.firing()) == {("Denied", "page")}
        assert running.firing()["Denied", "page"]["alert"]["labels"]["team"] == "core"


# ── the command line ──────────────────────────────────────────────────────────


def claxon(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_check_takes_a_rule_file_and_warns_of_what_is_odd(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yml", MINE.replace("ticket", "low"))

    ended = claxon("check", str(path))

    assert (ended.returncode, ended.stdout) == (0, f"{path}: good. Rules: 2\n")
    assert ended.stderr.startswith(f"claxon: warning: {path}:11: rules[1].labels.severity: 'low': neither page nor")


def test_check_takes_a_configuration_and_warns_of_what_is_odd_in_its_rules(tmp_path: Path) -> None:
    mine = write(tmp_path, "mine.yml", MINE.replace("ticket", "low"))
    path = write(tmp_path, "claxon.yml", "rule_files: [mine.yml]")

    ended = claxon("check", str(path))

    assert (ended.returncode, ended.stdout) == (0, f"{path}: good. Receivers: console/console/0. Rules: 2\n")
    assert ended.stderr.startswith(f"claxon: warning: {mine}:11: rules[1].labels.severity")


def test_check_says_when_the_rules_are_the_default_ones(tmp_path: Path) -> None:
    ended = claxon("check", str(write(tmp_path, "claxon.yml", "")))

    assert f"Rules: {len(DEFAULT_RULES)} (the default ones)" in ended.stdout


@pytest.mark.parametrize("arguments", [["check"], ["serve", "--listen", "127.0.0.1:0", "--config"]])
def test_a_bad_rule_file_ends_with_2_and_starts_nothing(tmp_path: Path, arguments: list[str]) -> None:
    bad = write(tmp_path, "bad.yml", "rules: [{alert: A}]")
    config = write(tmp_path, "claxon.yml", "rule_files: [bad.yml]")

    ended = claxon(*arguments, str(config), *(["--data", str(tmp_path / "data")] if "serve" in arguments else []))

    assert ended.returncode == 2
    assert f"claxon: {bad}:1: rules[0]: kind: missing: write exactly one of any, error_rate" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_check_of_a_bad_rule_file_ends_with_2(tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.yml", "include: defaults\nrules: [{alert: A}]")

    ended = claxon("check", str(bad))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"claxon: {bad}:2: rules[0]: kind: missing" in ended.stderr


def test_rules_prints_the_default_rules_as_a_rule_file(tmp_path: Path) -> None:
    path = write(tmp_path, "default.yml", claxon("rules").stdout)

    assert load_rules([path]).rules == DEFAULT_RULES
    assert claxon("check", str(path)).stderr == ""
