"""Where what is kept is: what the command line says, else the environment, else the configuration file.

The file may be the same for all nodes; so it says what they share, and not which role a node has, nor its address.

≠ what is there, how it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from alerts.config import StorageConfig, parse_config

from .settings import DEFAULT_DATA
from .storage.errors import StorageError
from .storage.places import Place, place_of
from .yaml_file import read_yaml

NOTHING = StorageConfig()


def read_storage(config: Path | None) -> StorageConfig:
    """Return what a configuration file says of it, names of files as they are reached from here.

    What is wrong with the rest of the file is for whoever reads all of it.

    Raises:
        ConfigFileError: It cannot be read, or is no YAML.
    """
    if config is None:
        return NOTHING
    found = parse_config(read_yaml(config).data, ())[0].storage
    here = config.parent
    folder = found.data if "://" in found.data or not found.data else str(here / found.data)
    return replace(found, data=folder, data_file=str(here / found.data_file) if found.data_file else "")


def data_place(named: Place | None, environment: Mapping[str, str], storage: StorageConfig = NOTHING) -> Place:
    """Return the database that --data names, else CLAXON_DATA or CLAXON_DATA_FILE, else the configuration.

    Where none does, it is the folder that CLAXON_DATA_DEFAULT names, as the image does, or the usual one.

    Raises:
        StorageError: A file that should hold a URL cannot be read, or is empty; or both variables are set.
    """
    if named is not None:
        return named
    said, file = environment.get("CLAXON_DATA", ""), environment.get("CLAXON_DATA_FILE", "")
    if said and file:
        raise StorageError("CLAXON_DATA_FILE: CLAXON_DATA is set, too: set one of them")
    if said:
        return place_of(said)
    if file:
        return _read("CLAXON_DATA_FILE", Path(file))
    if storage.data_file:
        return _read("storage.data_file", Path(storage.data_file))
    if storage.data:
        return place_of(storage.data)
    usual = environment.get("CLAXON_DATA_DEFAULT")
    return Path(usual) if usual else DEFAULT_DATA


def log_url(named: str | None, environment: Mapping[str, str], storage: StorageConfig = NOTHING) -> str | None:
    """Return the topic that --log names, else CLAXON_LOG, else the configuration; None is none."""
    return named or environment.get("CLAXON_LOG") or storage.log or None


def _read(where: str, file: Path) -> Place:
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "no text"
        raise StorageError(f"{where}: {file}: {why}: name a file that holds where the database is") from fault
    # Not shown: it holds a password.
    if not text or "\n" in text:
        raise StorageError(f"{where}: {file}: {'two lines' if text else 'empty'}: write postgresql://... and no more")
    return place_of(text)
