"""Writes the tables of docs/reference/configuration.md from the code: python -m docs.configuration_reference

Which settings there are, and what is theirs by default, the code says; what they mean stands here, and in
docs/settings_in_words.py. tests/test_configuration_reference.py holds the page to both.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from docs.marked import renew, table
from docs.settings_in_words import ENVIRONMENT, GLOBAL, SERVE, TABLES, Row
from service.cli import make_parser

PAGE = Path(__file__).parent / "reference/configuration.md"


def parts() -> dict[str, str]:
    """Return the parts of the page that come from code.

    Raises:
        ValueError: A setting has no row, or a row no setting.
    """
    found = {name: settings_table(name, settings, rows) for name, (settings, rows) in TABLES.items()}
    settings, rows = GLOBAL
    _check("global", settings, [name for names in rows for name in names])
    lines = [(", ".join(f"`{name}`" for name in names), what) for names, what in rows.items()]
    environment = [(f"`{name}`", *row) for name, row in ENVIRONMENT.items()]
    return {
        **found,
        "global": table(("setting", "for"), lines),
        "serve": _serve(),
        "environment": table(("variable", "says", "when absent"), environment),
    }


def settings_table(name: str, settings: Sequence[str], rows: dict[str, Row]) -> str:
    """Return the table of some settings.

    Raises:
        ValueError: One has no row, or a row no setting.
    """
    _check(name, settings, [one for names in rows for one in names.split(", ")])
    lines = [(", ".join(f"`{one}`" for one in names.split(", ")), *row) for names, row in rows.items()]
    return table(("setting", "takes", "when absent"), lines)


def _check(name: str, settings: Sequence[str], told: Sequence[str]) -> None:
    if sorted(settings) != sorted(told):
        differ = sorted(set(settings) ^ set(told))
        raise ValueError(f"{name}: {', '.join(differ)}: say what it takes in docs/settings_in_words.py, or take it out there")


def _serve() -> str:
    options = list(options_of_serve())
    _check("claxon serve", [one.option_strings[-1] for one in options], list(SERVE))
    rows = []
    for one in options:
        name = one.option_strings[-1]
        said = SERVE[name]
        takes = ", ".join(f"`{choice}`" for choice in one.choices) if one.choices else f"`{one.metavar}`"
        rows.append((f"`{name}`", takes, said.what, f"`{one.default}`" if one.default is not None else said.absent))
    return table(("option", "takes", "what", "when absent"), rows)


def options_of_serve() -> Iterator[argparse.Action]:
    """Yield the options of `claxon serve`, as the command line reads them."""
    commands = next(one for one in make_parser()._actions if isinstance(one, argparse._SubParsersAction))
    for one in commands.choices["serve"]._actions:
        if one.dest != "help":
            yield one


def main() -> None:
    """Write the page anew."""
    renew(PAGE, parts())


if __name__ == "__main__":
    main()
