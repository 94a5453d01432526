"""Where a command finds the database: --data, or CLAXON_DATA.

≠ how it is opened.
"""

from __future__ import annotations

import argparse
import os

from ..settings import DEFAULT_DATA, data_place
from ..storage.places import Place, place_of

VARIABLES = {"CLAXON_DATA": "as --data"}
"""What a command with --data takes from the environment."""


_USUAL = f"a folder, or postgresql://...; default ./{DEFAULT_DATA}"


def add_data(parser: argparse.ArgumentParser, *, said: str = _USUAL) -> None:
    """Add --data."""
    parser.add_argument("--data", type=place_of, metavar="DIR|URL", help=said)


def data_of(options: argparse.Namespace) -> Place:
    """Return the place that --data names, or CLAXON_DATA; or the usual folder."""
    return data_place(options.data, os.environ)
