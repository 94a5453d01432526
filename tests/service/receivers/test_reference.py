"""docs/reference/receivers/: each kind has a page that names each of its settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from service.receivers import KINDS
from service.receivers.http_config import read_http_config
from service.receivers.settings import Settings

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "receivers"


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_kind_is_documented(kind: str) -> None:
    settings = Settings({}, where="test", folder=Path())
    KINDS[kind].config.read(settings)

    text = (REFERENCE / f"{kind.removesuffix('_configs')}.md").read_text()

    assert text.startswith(f"# {kind}\n")
    assert [name for name in sorted(settings._read) if f"`{name}`" not in text and not _is_a_file(name, text)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_of_a_kind_names_settings_that_it_has(kind: str) -> None:
    text = (REFERENCE / f"{kind.removesuffix('_configs')}.md").read_text()
    settings = Settings({}, where="test", folder=Path())
    KINDS[kind].config.read(settings)

    example = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])

    for receiver in example["receivers"]:
        for entry in receiver[kind]:
            assert set(entry) <= settings._read


def _is_a_file(name: str, text: str) -> bool:
    """The name is the same setting in a file, of one that is documented."""
    return name.endswith("_file") and f"`{name.removesuffix('_file')}`" in text


def test_every_setting_of_http_config_is_documented() -> None:
    """The refusal of an unknown one lists them all."""
    text = (REFERENCE / "http_config.md").read_text()

    for block in ({"zzz": 1}, {"tls_config": {"zzz": 1}}):
        settings = Settings({"http_config": block}, where="test", folder=Path())
        read_http_config(settings)
        (problem,) = settings.problems
        names = problem.rpartition("write one of ")[2].split(", ")
        assert len(names) > 5
        assert [name for name in names if f"`{name}" not in text and not _is_a_file(name, text)] == []
