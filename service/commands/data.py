"""Where a command finds the database: --data, CLAXON_DATA or the file that CLAXON_DATA_FILE names.

≠ how it is opened.
"""

from __future__ import annotations

import argparse
import os

from alerts.config import StorageConfig

from ..placing import NOTHING, data_place
from ..settings import DEFAULT_DATA
from ..storage.places import Place, place_of

SAID = ("CLAXON_DATA", "CLAXON_DATA_FILE")

VARIABLES = {
    "CLAXON_DATA": "as --data",
    "CLAXON_DATA_FILE": "a file that holds what CLAXON_DATA would",
    "CLAXON_DATA_DEFAULT": "the folder where nobody says another; the image's is /data",
}
"""What a command with --data takes from the environment."""


_USUAL = f"a folder, or postgresql://...; default ./{DEFAULT_DATA}"


def add_data(parser: argparse.ArgumentParser, *, said: str = _USUAL) -> None:
    """Add --data."""
    parser.add_argument("--data", type=place_of, metavar="DIR|URL", help=said)


def data_of(options: argparse.Namespace, storage: StorageConfig = NOTHING) -> Place:
    """Return the place that --data names, else the environment, else a configuration; or the usual folder.

    Raises:
        StorageError: A file that should name it cannot be read.
    """
    return data_place(options.data, os.environ, storage)


def says_data(options: argparse.Namespace) -> bool:
    """Return whether somebody named the place."""
    return options.data is not None or any(os.environ.get(name) for name in SAID)
