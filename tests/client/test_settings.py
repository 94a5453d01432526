"""Settings, from arguments, variables and defaults; bad ones never raise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import claxon
import pytest
from claxon.settings import NAMES, Settings, SettingsArguments, read_settings, variable_of


def test_arguments_win_over_variables_and_those_over_defaults() -> None:
    settings = read_settings({"app": "a"}, {"CLAXON_APP": "b", "CLAXON_ENVIRONMENT": "staging"})

    assert (settings.app, settings.environment, settings.batch_size) == ("a", "staging", 500)


def test_the_service_name_of_opentelemetry_is_the_app_unless_said_otherwise() -> None:
    assert read_settings({}, {"OTEL_SERVICE_NAME": "shop"}).app == "shop"
    assert read_settings({}, {"OTEL_SERVICE_NAME": "shop", "CLAXON_APP": "till"}).app == "till"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "ftp://x"),
        ("url", "http://"),
        ("url", "http://host:port"),
        ("url", 7),
        ("app", "x" * 65),
        ("key", "line\nbreak"),
        ("enabled", "perhaps"),
        ("batch_size", "many"),
        ("batch_size", 0),
        ("interval_s", "nan"),
        ("interval_s", -1),
        ("no_such_setting", 1),
    ],
)
def test_a_bad_setting_warns_once_and_the_default_holds(
    name: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert read_settings({name: value}, {}) == Settings()

    (record,) = caplog.records
    assert record.getMessage().startswith(name)


def test_a_bad_key_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    read_settings({"key": "secret\n"}, {})
    read_settings({"key": "sec\nret"}, {})

    assert "sec" not in caplog.text


@pytest.mark.parametrize("value", ["1", "true", "Yes", "on", True])
def test_flags_are_read_as_people_write_them(value: Any) -> None:
    assert read_settings({"log_events": value}, {}).log_events
    assert not read_settings({}, {"CLAXON_OTEL": "off"}).otel


def test_every_setting_is_an_argument_and_documented() -> None:
    readme = Path(claxon.__file__).parents[1].joinpath("README.md").read_text()

    assert set(SettingsArguments.__annotations__) == set(NAMES)
    for name in NAMES:
        assert f"`{name}`" in readme, name
        assert f"`{variable_of(name)}`" in readme, name


def test_the_readme_says_the_defaults_as_they_are() -> None:
    readme = Path(claxon.__file__).parents[1].joinpath("README.md").read_text()

    for name in NAMES:
        row = re.search(rf"^\| `{name}` \|[^|]*\| ([^|]*) \|", readme, re.MULTILINE)
        assert row is not None, name
        default = getattr(Settings(), name)
        shown = str(default).lower() or "empty"
        assert shown == row[1].replace(",", ""), name
