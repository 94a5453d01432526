"""What holds the house: who imports whom, what files may hold, what CI runs."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support import order
from tests.support.repository import ROOT, name_of, text_of, tree

MAX_LINES = 500


def test_the_tree_has_the_files_that_are_looked_at() -> None:
    """An empty list would let every test below pass."""
    names = {name_of(path) for path in tree()}

    assert {"pyproject.toml", "alerts/labels.py", "client/claxon/event.py", ".ci/run"} <= names
    assert not any(name.startswith((".venv/", ".git/")) or "__pycache__" in name for name in names)


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        name_of(path): len(text.splitlines())
        for path in tree("alerts", "service", "client")
        if (text := text_of(path)) is not None
    }

    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


PARSERS: dict[str, Callable[[str], object]] = {
    ".yml": lambda text: list(yaml.safe_load_all(text)),
    ".yaml": lambda text: list(yaml.safe_load_all(text)),
    ".json": json.loads,
    ".toml": tomllib.loads,
}


def test_every_yaml_json_and_toml_file_parses() -> None:
    broken = {}
    for path in tree():
        if parse := PARSERS.get(path.suffix):
            try:
                parse(path.read_text(encoding="utf-8"))
            except (ValueError, yaml.YAMLError) as error:
                broken[name_of(path)] = str(error)

    assert broken == {}


# In pieces, or this file would be the first one found.
REGISTRIES = tuple(
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("maven", "org"),
        ("deb", "debian", "org"),
    )
)
DEVELOPERS_PATH = re.compile(r"(?<![\w.}~/-])/(?:" + "|".join(("home", "root", "work", "Users")) + r")/[\w.]")


def foreign(text: str) -> list[str]:
    """Return the registry hosts and the paths of somebody's machine in a text."""
    return [host for host in REGISTRIES if host in text] + DEVELOPERS_PATH.findall(text)


def test_no_file_names_a_registry_or_a_path_of_somebodys_machine() -> None:
    """Both are facts of one machine; a clone on another would break, or tell of the first."""
    found = {name_of(path): names for path in tree() if (names := foreign(text_of(path) or ""))}

    assert found == {}


@pytest.mark.parametrize(
    ("text", "is_foreign"),
    [
        (f"https://{REGISTRIES[0]}/simple", True),
        (f'open("/{"home"}/ada/x")', True),
        (f"see /{'work'}/main", True),
        ("https://api.example/v1/work/items", False),
        ("/v1/messages and ~/work/x", False),
    ],
)
def test_a_foreign_name_is_found(text: str, is_foreign: bool) -> None:
    assert bool(foreign(text)) == is_foreign


# ── lock files ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-runtime.lock", "requirements-docs.lock"])
def test_a_lock_file_pins_by_hash_and_names_no_index(name: str) -> None:
    """Where packages come from is the business of whoever installs them."""
    text = (ROOT / name).read_text()

    requirements = re.split(r"\n(?=\S)", text.strip())
    assert "://" not in text
    assert [entry for entry in requirements if not re.match(r"[\w.-]+==\S+.*--hash=sha256:", entry, re.DOTALL)] == []


def test_the_runtime_lock_is_a_part_of_the_full_one() -> None:
    """What the tests ran with is what the image holds."""

    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==[^\s;\\]+", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements-runtime.lock") < pins("requirements.lock")


# ── imports ───────────────────────────────────────────────────────────────────────────────────────


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_contracts_hold() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("alerts/labels.py", "import service.cli"),
        ("alerts/labels.py", "import claxon.exporter"),
        ("claxon/event.py", "import alerts.labels"),
        ("claxon/event.py", "import service.cli"),
    ],
)
def test_the_import_contracts_can_break(tmp_path: Path, file: str, line: str) -> None:
    """A contract that no import can break holds nothing."""
    for source in ("alerts", "service", "client/claxon"):
        shutil.copytree(ROOT / source, tmp_path / Path(source).name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a") as module:
        module.write(f"\n{line}\n")

    result = lint_imports(tmp_path)

    assert result.returncode != 0
    assert "BROKEN" in result.stdout, result.stdout + result.stderr


def modules(*folders: str) -> list[Path]:
    return [path for path in tree(*folders) if path.suffix == ".py"]


def imported(path: Path) -> set[str]:
    """Return the absolute names of the modules that a file of the root imports, wherever it does."""
    package = name_of(path).removesuffix(".py").split("/")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize(
    ("folder", "unknown"),
    [
        ("service/storage", "service.receivers"),
        ("service/storage", "service.api"),
        ("service/receivers", "service.storage"),
        ("service/receivers", "service.api"),
        ("service/api", "service.receivers"),
    ],
)
def test_the_parts_of_the_service_do_not_know_each_other(folder: str, unknown: str) -> None:
    knowing = {
        name_of(path)
        for path in modules(folder)
        if any(f"{name}.".startswith(f"{unknown}.") for name in imported(path))
    }

    assert knowing == set()


def test_one_file_knows_the_scheduler() -> None:
    knowing = {name_of(path) for path in modules("service") if any("apscheduler" in n for n in imported(path))}

    assert len(knowing) <= 1


def test_importing_the_client_imports_nothing_of_others() -> None:
    """`import claxon` stands at the top of other people's programs; `anthropic` alone takes seconds."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules); import claxon; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(new - sys.stdlib_module_names - {'claxon'}))"
    )

    command = [sys.executable, "-I", "-c", script, str(ROOT / "client")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)

    assert result.stdout.split() == []


# ── the domain is pure ────────────────────────────────────────────────────────────────────────────


# Of other people's packages the domain knows two, jinja2 only to fill in annotations; of the standard library it
# knows nothing that reads a clock, a file, the network, the environment or chance, and nothing that runs beside it.
DOMAIN_PACKAGES = {"alerts", "claxon", "jinja2", "msgspec"}
IMPURE_MODULES = re.compile(
    "asyncio|concurrent|contextvars|ctypes|email|fcntl|fileinput|ftplib|getpass|glob|http|imaplib|importlib"
    "|io|locale|logging|mmap|multiprocessing|os|pathlib|pickle|platform|poplib|queue|random|sched|secrets"
    "|select|selectors|shelve|shutil|signal|smtplib|socket|socketserver|sqlite3|ssl|subprocess|sys|syslog"
    "|tempfile|threading|time|urllib|uuid|warnings|xmlrpc|zipfile"
)
IMPURE_CALLS = {"open", "print", "input", "eval", "exec", "compile", "__import__"}
CLOCKS = {"now", "utcnow", "today"}


def impurities(source: str) -> list[str]:
    """Return what a module of the domain must not do, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                roots = [alias.name.partition(".")[0] for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                roots = [module.partition(".")[0]]
            case _:
                roots = []
        found += [f"{node.lineno}: imports {root}" for root in roots if not _is_pure(root)]  # type: ignore[attr-defined]
        found += _impure_use(node)
    return found


def _is_pure(module: str) -> bool:
    return module in DOMAIN_PACKAGES or (module in sys.stdlib_module_names and not IMPURE_MODULES.fullmatch(module))


def _impure_use(node: ast.AST) -> list[str]:
    match node:
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return [f"{node.lineno}: async"]
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
            return [f"{node.lineno}: calls {name}()"]
        case ast.Call(func=ast.Attribute(value=ast.Name(id="date" | "datetime"), attr=name)) if name in CLOCKS:
            return [f"{node.lineno}: reads the clock"]
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="date" | "datetime"), attr=name)) if name in CLOCKS:
            return [f"{node.lineno}: reads the clock"]
    return []


@pytest.mark.parametrize("path", modules("alerts"), ids=name_of)
def test_the_domain_is_pure(path: Path) -> None:
    """The same log must give the same decisions live, after a crash and in a backtest."""
    assert impurities(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import random",
        "import structlog",
        "def f():\n    import sqlite3",
        "async def f(): ...",
        "open('x')",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.now(datetime.UTC)",
        "import datetime\ndatetime.date.today()",
    ],
)
def test_an_impure_module_is_found(source: str) -> None:
    assert len(impurities(source)) == 1


def test_a_pure_module_is_not_blamed() -> None:
    source = (
        "from datetime import datetime\nimport re, math, msgspec\nfrom . import labels\ndatetime.fromisoformat('x')"
    )

    assert impurities(source) == []


# ── CI ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_file_that_begins_early_is_there() -> None:
    assert [name for name in order.LONGEST if not (ROOT / name).is_file()] == []


def test_the_longest_files_begin_first(request: pytest.FixtureRequest) -> None:
    """As seen in this very run."""
    places = [order.place(item) for item in request.session.items]

    assert places == sorted(places)


def test_ci_runs_the_readmes_test_command() -> None:
    """A reader who follows the README gets what CI gets."""
    script = (ROOT / ".ci/run").read_text().splitlines()
    commands = [line for line in script if line and not re.match(r"#|set |cd |export ", line)]
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    readme = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]

    assert commands == ["make test"]
    assert commands[0] in readme


@pytest.mark.parametrize("status", [0, 3])
def test_ci_ends_as_the_tests_end(tmp_path: Path, status: int) -> None:
    """It says what they said, and fails when they fail."""
    script = tmp_path / "clone/.ci/run"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", script)
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "make $* in $PWD, CI=$CI"\nexit {status}\n')
    make.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"

    result = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)

    assert result.stdout == f"make test in {tmp_path / 'clone'}, CI=true\n"
    assert (result.returncode != 0) == (status != 0)
