"""docs/reference/configuration.md: each example loads, and each setting is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from alerts.config import SETTINGS, parse_config
from alerts.config_intervals import SPAN_SETTINGS
from alerts.config_receivers import GLOBAL_SETTINGS
from alerts.config_routes import INHIBIT_SETTINGS, ROUTE_SETTINGS
from docs.configuration_reference import PAGE, parts, settings_table
from docs.marked import stale
from docs.settings_in_words import ENVIRONMENT, TABLES
from service.cli import main
from service.receivers import KINDS
from tests.support.repository import ROOT

TEXT = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("The whole file", SETTINGS),
        ("Routes", ROUTE_SETTINGS),
        ("Inhibit rules", INHIBIT_SETTINGS),
        ("Time intervals", SPAN_SETTINGS),
        ("Global", GLOBAL_SETTINGS),
    ],
)
def test_every_setting_is_in_the_table_of_its_section(section: str, settings: tuple[str, ...]) -> None:
    rows = re.findall(r"^\| (.*?) \|", SECTIONS[section], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert set(settings) - told == set()
    assert told - set(settings) == set()


def test_the_page_is_what_the_code_says() -> None:
    """It also fails where a setting, or an option of `claxon serve`, has no row, or a row nothing in the code."""
    assert stale(PAGE, parts()) == [], "stale: python -m docs.configuration_reference"


def test_every_environment_variable_of_the_service_is_in_the_table() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "service").rglob("*.py")]
    read = {name for text in sources for name in re.findall(r"\b(?:CLAXON|OTEL)_[A-Z][A-Z_]+\b", text)}

    assert read - set(ENVIRONMENT) == set(), "docs/settings_in_words.py: ENVIRONMENT"
    assert {name for name in ENVIRONMENT if name.startswith(("CLAXON_", "OTEL_"))} - read == set()


def test_a_setting_without_a_row_is_said() -> None:
    settings, rows = TABLES["span"]

    with pytest.raises(ValueError, match=r"span: brand_new: say what it takes in docs/settings_in_words\.py"):
        settings_table("span", (*settings, "brand_new"), rows)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example: str) -> None:
    assert parse_config(yaml.safe_load(example), tuple(KINDS))[1] == []


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_what_the_page_shows_of_claxon_route_is_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    shown = re.search(r"^```console\n\$ claxon (route .*?)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert Path("examples/alertmanager.yml").exists()

    assert main(shown[1].split()) == 0
    told = capsys.readouterr().out.splitlines()
    lines = [line for line in shown[2].splitlines() if line.strip() != "..."]
    assert [line for line in lines if line not in told] == []
    assert len(lines) > 10
