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


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example: str) -> None:
    assert parse_config(yaml.safe_load(example), tuple(KINDS))[1] == []


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_what_the_page_shows_of_claxon_route_is_what_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    shown = re.search(r"^```\n\$ claxon (route .*?)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert Path("examples/alertmanager.yml").exists()

    assert main(shown[1].split()) == 0
    told = capsys.readouterr().out.splitlines()
    lines = [line for line in shown[2].splitlines() if line.strip() != "..."]
    assert [line for line in lines if line not in told] == []
    assert len(lines) > 10
