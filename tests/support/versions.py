"""Copies of the program with changes, to run two versions side by side."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from service.storage import postgres_schema
from tests.support.repository import ROOT

MIGRATIONS = Path("service/storage/migrations/postgres")
_PARTS = ("alerts", "client/claxon", "service")


def copy_program(folder: Path, *, changes: Mapping[Path, tuple[str, str]] | None = None) -> Path:
    """Copy what runs into a folder, put some texts in the place of others, and return the folder."""
    for part in _PARTS:
        # With what was compiled: a start takes a second less, and of a file that is changed it is made anew.
        shutil.copytree(ROOT / part, folder / part)
    for name, (old, new) in (changes or {}).items():
        text = (folder / name).read_text("utf-8")
        assert old in text, (name, old)
        (folder / name).write_text(text.replace(old, new), "utf-8")
    return folder


def add_step(folder: Path, name: str, *, pre: str, post: str = "") -> str:
    """Add a migration to a copy, the newest, and return its full name."""
    full = f"{postgres_schema.known() + 1:04d}_{name}"
    (folder / MIGRATIONS / f"{full}.sql").write_text(pre)
    if post:
        (folder / MIGRATIONS / f"{full}.post.sql").write_text(post)
    return full


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment in which `python -m service` is a copy's, wherever it is started."""
    return {**os.environ, "PYTHONPATH": f"{folder}/client:{folder}", "PYTHONSAFEPATH": "1"}
