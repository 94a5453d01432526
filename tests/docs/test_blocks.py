"""Every block of code on every page is held to something: what cannot be tried says that it is text.

What is run, and its output compared, is where the subject is tested: tests/test_quickstart.py, tests/test_howtos.py,
tests/client/test_examples.py, tests/service/backtest/test_howto.py and others.
"""

from __future__ import annotations

import ast
import configparser
import inspect
import json
import re
import shutil
import subprocess
import textwrap
from dataclasses import fields
from pathlib import Path

import claxon
import pytest
import yaml
from claxon.settings import Settings

from alerts.config import SETTINGS
from alerts.scenarios.form import parse_scenarios
from service.cli import main
from service.decoding import decode
from service.metrics.catalog import METRICS, OF_NODES
from service.storage.kafka_url import parse_kafka_url
from tests.docs.commands import faults
from tests.docs.markdown import Block, blocks, blocks_of, pages
from tests.support.certificates import authority
from tests.support.peers import require
from tests.support.repository import ROOT, name_of, text_of, tree

BLOCKS = blocks()
FOREIGN = {
    "providers": {"apiVersion", "providers"},
    "exporters": {"exporters", "service"},
    "pipeline": {"service", "parsers", "pipeline"},
    "sinks": {"sources", "transforms", "sinks"},
    "kind": {"apiVersion", "kind", "metadata", "spec", "data", "stringData", "type"},
}
"""Of other people's YAML: a key by which it is known, and all that it may have. Their programs are not here."""
PROMETHEUS = {"scrape_configs", "alerting", "groups"}
"""Keys by which Prometheus's YAML is known; promtool reads it."""
SHOWN_FILES = {"nginx", "caddy", "ini", "dockerfile", "csv"}
"""Languages of files that lie in the repository as they are shown; a unit of systemd may be shown alone."""
NO_METRICS = {"claxon_session", "claxon_form", "claxon_read_key", "claxon_url"}
"""Names of other things that look like one."""
RUN = {"docs/howto/proxy.md": "tests/test_proxy_howto.py"}
"""Pages that show parts of such files, and what runs those."""


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def data_of(block: Block) -> dict[str, object]:
    (found,) = yaml.safe_load_all(textwrap.dedent(block.text)) if block.language == "yaml" else (None,)
    return found


def kind_of(block: Block) -> str:
    """Return what a block of YAML is, by what it says it is for and what it has."""
    found = data_of(block)
    if not isinstance(found, dict):
        return "unknown"
    if "expect" in found:
        return "scenario"
    if found.keys() & PROMETHEUS or block.text.startswith("# prometheus.yml"):
        return "prometheus"
    if found.keys() <= {"rules", "include"}:
        return "rules"
    if found.keys() <= set(SETTINGS):
        return "configuration"
    return next((key for key, known in FOREIGN.items() if key in found and found.keys() <= known), "unknown")


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in of("yaml") if kind_of(block) in kinds]


# ── languages ─────────────────────────────────────────────────────────────────────────────────────

HELD = {"yaml", "json", "python", "sh", "console", "promql", "js", "ts", "text", "http", "properties", *SHOWN_FILES}


def test_there_are_blocks_of_each_kind() -> None:
    """An empty list would let every test below pass."""
    assert len(BLOCKS) > 150
    for kind in ("configuration", "rules", "scenario", "prometheus"):
        assert of_kind(kind), kind


def test_every_block_names_a_language_that_is_held_to_something() -> None:
    assert [f"{block}: {block.language or 'no language'}" for block in BLOCKS if block.language not in HELD] == []


# ── YAML ──────────────────────────────────────────────────────────────────────────────────────────


def test_every_block_of_yaml_is_of_a_kind_that_is_tried() -> None:
    assert [str(block) for block in of_kind("unknown")] == []


def completed(found: dict[str, object], folder: Path) -> str:
    """Return a configuration of which a page shows a part, with the rest; what it names in files is there."""
    whole = dict(found)
    named = set(re.findall(r"'(?:receiver|fallback_receiver)': '([^']+)'", str(whole)))
    receivers = list(whole.get("receivers", []))
    receivers += [{"name": name} for name in sorted(named - {one["name"] for one in receivers})] or (
        [] if receivers else [{"name": "nobody"}]
    )
    whole |= {"receivers": receivers}
    whole.setdefault("route", {"receiver": receivers[0]["name"]})
    for pattern in whole.get("rule_files", []):
        (folder / pattern).parent.mkdir(parents=True, exist_ok=True)
        (folder / pattern.replace("*", "mine")).write_text("include: defaults\n")
    return yaml.safe_dump(_with_files(whole, folder, ""))


def _with_files(value: object, folder: Path, of: str) -> object:
    """Return a value whose settings `..._file` name files of this folder that are there; `of`: the setting above."""
    if isinstance(value, list):
        return [_with_files(one, folder, of) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _file(name, folder, of) if name.endswith("_file") else _with_files(one, folder, name)
        for name, one in value.items()
    }


def _file(name: str, folder: Path, of: str) -> str:
    if of == "tls_config":
        if not (folder / "own.pem").exists():
            authority(folder, "own")
        return str(folder / ("own.key" if name == "key_file" else "own.pem"))
    scheme = "ntfy" if of == "apprise_configs" else "https"
    (folder / name).write_text(f"{scheme}://example.org/hook" if "url" in name else "0123456789abcdef" * 2)
    return name


@pytest.mark.parametrize("block", of_kind("configuration"), ids=str)
def test_every_configuration_is_good(block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claxon.yml").write_text(completed(data_of(block), tmp_path))

    assert main(["check", str(tmp_path / "claxon.yml")]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("block", of_kind("rules"), ids=str)
def test_every_file_of_rules_is_good(block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yml").write_text(block.text)

    assert main(["check", str(tmp_path / "rules.yml")]) == 0, capsys.readouterr().err
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("block", of_kind("scenario"), ids=str)
def test_every_scenario_is_understood(block: Block) -> None:
    scenarios, problems = parse_scenarios(data_of(block))

    assert (len(scenarios), problems) == (1, [])


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("block", of_kind("prometheus"), ids=str)
def test_prometheus_reads_what_is_meant_for_it(block: Block, tmp_path: Path) -> None:
    promtool = require("prometheus").with_name("promtool")
    found = data_of(block)
    for pattern in found.get("rule_files", []):
        (tmp_path / pattern).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "dashboards/prometheus-rules.yml", tmp_path / pattern)
    text = yaml.safe_dump(_with_files(found, tmp_path, ""))
    (tmp_path / "file.yml").write_text(text)

    what = "rules" if "groups" in found else "config"
    run = subprocess.run([promtool, "check", what, tmp_path / "file.yml"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_every_block_of_json_parses_and_an_event_is_accepted(block: Block) -> None:
    found = json.loads(block.text)

    if isinstance(found, dict) and "model" in found:
        batch = decode(block.text.encode(), ndjson=False, received_at=1_800_000_000.0, app="default")
        assert (len(batch.events), batch.rejects) == (1, [])


def test_every_event_that_is_posted_with_curl_is_accepted() -> None:
    posted = [body for block in of("sh") for body in re.findall(r"-d '(\{[^']*\"model\"[^']*\})'", block.text)]

    batch = decode("\n".join(posted).encode(), ndjson=True, received_at=1_800_000_000.0, app="default")
    assert len(posted) >= 3
    assert (len(batch.events), batch.rejects) == (len(posted), [])


# ── Python ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_compiles_and_calls_claxon_by_names_that_it_has(block: Block) -> None:
    tree = ast.parse(textwrap.dedent(block.text))

    assert unknown_names(tree) == []


def unknown_names(tree: ast.AST) -> list[str]:
    """Return what a program asks of `claxon` that it does not have: names, and arguments of what it calls."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="claxon", names=names):
                found += [name.name for name in names if not hasattr(claxon, name.name)]
            case ast.Attribute(value=ast.Name(id="claxon"), attr=name) if not hasattr(claxon, name):
                found.append(f"claxon.{name}")
            case ast.Call(func=ast.Attribute(value=ast.Name(id="claxon"), attr=name), keywords=keywords):
                taken = arguments_of(name)
                found += [f"claxon.{name}({one.arg}=)" for one in keywords if taken and one.arg not in taken]
    return found


def arguments_of(name: str) -> set[str]:
    """Return the arguments that a function of `claxon` takes by name; empty: any, or there is none such."""
    function = getattr(claxon, name, None)
    taken = inspect.signature(function).parameters.values() if callable(function) else ()
    settings = (
        {one.name for one in fields(Settings)} if any("Settings" in str(one.annotation) for one in taken) else set()
    )
    anything = any(one.kind is one.VAR_KEYWORD for one in taken) and not settings
    return set() if anything else settings | {one.name for one in taken}


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("claxon.instrumment(app='x')", ["claxon.instrumment"]),
        ("claxon.instrument(ap='x')", ["claxon.instrument(ap=)"]),
        ("from claxon import instrument, productoin", ["productoin"]),
        ("claxon.production(client, fallback=[])", ["claxon.production(fallback=)"]),
        ("claxon.production(client, fallbacks=[], app='shop')", []),
        ("claxon.context(path='x', tenant='y')", []),
    ],
)
def test_a_name_that_claxon_does_not_have_is_found(line: str, unknown: list[str]) -> None:
    assert unknown_names(ast.parse(line)) == unknown


# ── commands ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_every_command_is_one_that_its_program_knows(block: Block) -> None:
    assert faults(block.text) == []


@pytest.mark.parametrize("block", of("console"), ids=str)
def test_every_command_of_a_session_is_one_that_its_program_knows(block: Block) -> None:
    typed = re.findall(r"^\$ (.*(?:\\\n.*)*)", block.text, re.MULTILINE)

    assert typed, "a session begins with a command: `$ ...`"
    assert faults("\n".join(typed)) == []


@pytest.mark.parametrize(
    ("line", "is_wrong"),
    [
        ("claxon serve --config claxon.yml", False),
        ("claxon keys create shop --app shop > shop.key", False),
        ("make serve ARGS='--config claxon.yml'   # the real thing", False),
        ("python -m benchmarks.noise --quick && make check test", False),
        ("python examples/client/retries.py", False),
        ("claxon serve --confg claxon.yml", True),
        ("cat x | claxon exprot y", True),
        ("make everything", True),
        ("make serve ARGS='--confg claxon.yml'", True),
        ("CI=true python -m benchmarks.noises", True),
        ("python examples/client/retry.py", True),
        ("python -m claxon deferred lst", True),
        ("runuser -u claxon -- /opt/claxon/bin/claxon keys mak ada", True),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, is_wrong: bool) -> None:
    assert bool(faults(line)) == is_wrong


# ── the rest ──────────────────────────────────────────────────────────────────────────────────────


def test_every_metric_that_a_page_names_exists() -> None:
    known = {metric.name for metric in (*METRICS, *OF_NODES)}
    suffixes = r"(_bucket|_count|_sum)?$"

    named = {
        (name_of(page), name)
        for page in pages()
        if page.name != "CHANGELOG.md"
        for name in re.findall(r"(?<![\w./-])claxon_\w+[a-z](?![\w*]|[.]\w|\()", page.read_text("utf-8"))
    }
    assert len(named) > 100
    unknown = {(page, name) for page, name in named if re.sub(suffixes, "", name) not in known | NO_METRICS}
    assert {(page, name) for page, name in unknown if "xxx" not in name} == set()  # the shape of a key


@pytest.mark.peer("node")
@pytest.mark.parametrize("block", of("js"), ids=str)
def test_javascript_parses(block: Block, tmp_path: Path) -> None:
    (tmp_path / "block.cjs").write_text(block.text)

    run = subprocess.run(
        [require("node"), "--check", tmp_path / "block.cjs"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("block", of("ts"), ids=str)
def test_typescript_imports_what_the_package_has_and_gives_it_settings_that_it_takes(block: Block) -> None:
    exported = (ROOT / "client-ts/src/index.ts").read_text("utf-8")
    settings = (ROOT / "client-ts/src/settings.ts").read_text("utf-8")

    for names in re.findall(r"import \{([^}]*)\} from \"claxon\"", block.text):
        assert [name for name in names.replace(",", " ").split() if not re.search(rf"\b{name}\b", exported)] == []
    for given in re.findall(r"watch\(new \w+\(\), \{(.*?)\}\)", block.text):
        assert [name for name in re.findall(r"(\w+): ", given) if not re.search(rf"\b{name}\??:", settings)] == []


@pytest.mark.parametrize("block", of("properties"), ids=str)
def test_options_of_brokers_are_taken_from_a_file_of_them(block: Block, tmp_path: Path) -> None:
    named = tmp_path / "kafka.properties"
    named.write_text(block.text)

    log = parse_kafka_url(f"kafka://broker:9093/events?properties={named}")
    assert dict(log.options)["security.protocol"] == "SASL_SSL"


@pytest.mark.parametrize("block", of(*SHOWN_FILES), ids=str)
def test_a_file_that_is_shown_is_one_of_the_repository_or_units_of_systemd_or_run(block: Block) -> None:
    shown = textwrap.dedent(block.text).strip()
    if block.page in RUN:
        assert block.page in (ROOT / RUN[block.page]).read_text("utf-8")
        return
    if any(shown in (text_of(path) or "") for path in tree("examples", "deploy")):
        return
    units = configparser.ConfigParser(strict=False, interpolation=None)
    units.optionxform = str  # type: ignore[assignment,method-assign]
    units.read_string(shown)
    assert {"Unit", "Service", "Timer", "Install"} >= set(units.sections()) != set()


def test_a_block_is_found_wherever_it_stands() -> None:
    text = "1. x:\n\n   ```yaml\n   a: 1\n   ```\n\n~~~\nplain\n~~~\n"

    assert [(block.language, block.line) for block in blocks_of(text, "p")] == [("yaml", 3), ("", 7)]
