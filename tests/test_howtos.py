"""docs/howto: what a reader copies works, and prints what is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from service.cli import main
from tests.support.repository import ROOT

TEST_RULES = (ROOT / "docs/howto/test-rules.md").read_text("utf-8")
LONE = """\
name: one 500 pages
events: [{at: 0s, status: 500}]
expect: [fires: {alertname: ClaudeErrorRate, severity: page}]
"""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of the page in the current folder, and their names."""
    monkeypatch.chdir(tmp_path)
    names = []
    for block in blocks(TEST_RULES, "yaml"):
        names.append(block.splitlines()[0].removeprefix("# "))
        Path(names[-1]).write_text(block, "utf-8")
    Path("lone.yml").write_text(LONE)
    return names


def test_the_scenarios_of_the_page_go_as_expected(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert files == ["two-timeouts.yml", "absorbed.yml"]
    assert main(["test", *files]) == 0, capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_the_output_of_the_page_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = blocks(TEST_RULES, "console")

    for block in shown:
        command, _, printed = block.partition("\n")
        main(command.removeprefix("$ claxon ").split())
        assert capsys.readouterr().out == printed
    assert len(shown) == 2


def test_every_expectation_and_every_word_of_an_event_is_on_the_page() -> None:
    from alerts.scenarios import event_form, expect_form, form

    words = {
        *expect_form._KINDS,
        *expect_form._COUNT,
        *event_form._SERIES,
        *event_form._RESTART,
        *form._OWN,
        *form._SHARED,
    }

    assert {word for word in words if f"`{word}" not in TEST_RULES and f"{word}:" not in TEST_RULES} == set()


@pytest.mark.parametrize("shipper", ["fluent-bit", "vector"])
def test_the_configuration_of_a_log_shipper_is_whole(shipper: str) -> None:
    """Their programs are not here; what Claxon must do for them is in tests/service/test_aliases.py."""
    page = (ROOT / f"docs/howto/{shipper}.md").read_text("utf-8")

    config = yaml.safe_load(blocks(page, "yaml")[0])
    assert "/v1/events" in str(config)
    assert "CLAXON_INGEST_KEY" in str(config)
