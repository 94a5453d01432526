"""The npm package of client-ts, installed and built as a user would, outside of the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support import npm as npm_packages
from tests.support import peers
from tests.support.repository import ROOT

SOURCE = ROOT / "client-ts"
OLDEST_NODE = 20


def build(folder: Path) -> Path:
    """Return a built copy of the package in a folder; skips, or fails in CI, where it cannot be installed."""
    node = peers.require("node")
    npm = peers.require("npm")
    _check_version(node)
    copy = folder / "client-ts"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to(npm_packages.modules(SOURCE), target_is_directory=True)
    run(npm, "run", "build", cwd=copy)
    return copy


def run(program: Path | str, *arguments: str, cwd: Path, more: Mapping[str, str] | None = None) -> str:
    """Return what a program wrote; fails with it where the program fails."""
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env=environment() | dict(more or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stdout[-6000:]}{done.stderr[-2000:]}"
    return done.stdout


def environment() -> dict[str, str]:
    """Return the environment of a program that runs the JavaScript tests, without settings of somebody's app."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CLAXON_", "ANTHROPIC_", "OTEL_"))
    }
    path = os.pathsep.join([str(ROOT / "client"), str(ROOT)])
    return kept | {"CLAXON_TEST_ROOT": str(ROOT), "CLAXON_TEST_PYTHON": sys.executable, "PYTHONPATH": path}


def _check_version(node: Path) -> None:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        npm_packages.give_up(f"node: {version}: the package needs Node.js {OLDEST_NODE} or later")
