"""Where a command finds a Claxon: one that answers, or else the data folder that nobody has open.

≠ what it does there.
"""

from __future__ import annotations

import argparse
import os
import pwd
from pathlib import Path

from ..asking import Claxon, NotAnswered, read_key
from ..audit import Actor
from ..settings import DEFAULT_DATA, DEFAULT_LISTEN
from ..storage.connecting import Connection
from ..storage.places import Place
from .data import add_data, data_of, says_data

DEFAULT_URL = f"http://{DEFAULT_LISTEN}"


def add_arguments(parser: argparse.ArgumentParser, *, scope: str) -> None:
    """Add --url, --data and --key-file."""
    parser.add_argument("--url", metavar="URL", help=f"of the service that runs; default {DEFAULT_URL}")
    add_data(
        parser, said=f"a folder, or postgresql://..., opened where no service runs on it; default ./{DEFAULT_DATA}"
    )
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help=f"holds a key of scope {scope}, for the service (or CLAXON_{scope.upper()}_KEY)",
    )


def variables(scope: str) -> dict[str, str]:
    """Return what a command takes from the environment that needs a key of a scope."""
    admin = {"CLAXON_ADMIN_KEY": "a key of scope admin, if no file is named"}
    read = {"CLAXON_READ_KEY": "a key of scope read, if no file is named"} if scope == "read" else {}
    return read | admin


def reach(options: argparse.Namespace, *, scope: str) -> Claxon | Connection:
    """Return the service that runs, or the database of one that does not.

    With --data, or CLAXON_DATA, the database is tried first, and the service if that has it open; without, the service,
    and then ./claxon-data. The service of a server's database is that of the elected node, unless --url names another.

    Raises:
        NotAnswered: Neither is there.
    """
    from ..storage.database import StorageError, open_database
    from ..storage.errors import InUseError

    key = read_key(options.key_file, scope=scope)
    claxon = Claxon(options.url or DEFAULT_URL, key=key)
    if not says_data(options):
        if options.url is not None or _answers(claxon):
            return claxon
        try:
            return open_database(data_of(options), create=False)
        except StorageError as fault:
            raise NotAnswered(f"{DEFAULT_URL}: no service answers: name it by --url; and {fault}") from fault
    try:
        place = data_of(options)
        return open_database(place)
    except InUseError as fault:
        elected = _elected(place) if options.url is None else ""
        if elected:
            return Claxon(elected, key=key)
        if options.url is not None or _answers(claxon):
            return claxon
        raise NotAnswered(f"{fault}: it has the keys: name it by --url") from fault
    except StorageError as fault:
        raise NotAnswered(str(fault)) from fault


def _elected(place: Place) -> str:
    """Return where the node is found that has a database open; "" where nobody says."""
    from ..storage.database import StorageError, leader

    try:
        found = leader(place)
    except StorageError:
        return ""
    return found.node if found is not None else ""


def _answers(claxon: Claxon) -> bool:
    try:
        claxon.get("/-/healthy")
    except NotAnswered as fault:
        return not fault.nobody
    return True


def whoever_runs_this() -> Actor:
    """Return the user of the machine who runs the command."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Actor(who=f"user {name}", via="command line")
