"""Peers: found, skipped with a remedy, installed in CI, started and ended."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import drivers, peers
from tests.support.repository import ROOT

ASK_FOR_PEERS = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest
from tests.support.peers import require
for name in sys.argv[2:]:
    try:
        print("found", require(name))
    except pytest.skip.Exception as skipped:
        print("skipped", skipped)
"""

APT_THAT_INSTALLS = """
case "$*" in
  *install*prometheus-alertmanager) installed="prometheus-alertmanager amtool" ;;
  *install*prometheus) installed="prometheus promtool" ;;
esac
for program in $installed; do cp "$0" "$(dirname "$0")/$program"; done
"""


@pytest.fixture
def ask_for(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Ask for peers on a machine that has none: its whole PATH is one folder, with a fake apt-get."""
    path = tmp_path / "bin"
    path.mkdir()
    (path / "env").symlink_to("/usr/bin/env")
    _program(path / "sudo", 'shift; exec "$@"')

    def ask(*names: str, apt: str, ci: str) -> subprocess.CompletedProcess[str]:
        _program(path / "apt-get", f'PATH=/usr/bin:/bin; echo "$*" >> {tmp_path}/apt.log\n{apt}')
        return subprocess.run(
            [sys.executable, "-c", ASK_FOR_PEERS, str(ROOT), *names],
            env={"PATH": str(path), "CI": ci, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return ask


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_ci_a_missing_peer_skips_the_test_and_says_how_to_get_it(
    ask_for: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    result = ask_for("prometheus", apt="exit 1", ci="")

    assert result.stdout.startswith("skipped peer prometheus: prometheus, promtool: not on the PATH")
    assert "apt-get install --no-install-recommends prometheus`" in result.stdout
    assert not (tmp_path / "apt.log").exists()


def test_in_ci_a_missing_peer_is_installed_from_an_index_renewed_once(
    ask_for: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    result = ask_for("prometheus", "alertmanager", "prometheus", apt=APT_THAT_INSTALLS, ci="true")

    assert result.stdout.splitlines() == [
        f"found {tmp_path}/bin/prometheus",
        f"found {tmp_path}/bin/prometheus-alertmanager",
        f"found {tmp_path}/bin/prometheus",
    ], result.stderr
    asked = [line.partition("Timeout=300 ")[2] for line in (tmp_path / "apt.log").read_text().splitlines()]
    assert asked == [
        "update",
        "install -y --no-install-recommends prometheus",
        "install -y --no-install-recommends prometheus-alertmanager",
    ]


@pytest.mark.parametrize(
    ("apt", "said"),
    [
        ("echo 'E: no route to the mirror' >&2; exit 100", "exit 100: E: no route to the mirror"),
        ("exit 0", "chromium: installed, but not on the PATH: chromium"),
    ],
    ids=["apt fails", "apt installs something else"],
)
def test_in_ci_a_peer_that_cannot_be_installed_fails_the_run(
    ask_for: Callable[..., subprocess.CompletedProcess[str]], apt: str, said: str
) -> None:
    """In CI a skip would be a promise that nobody checked."""
    result = ask_for("chromium", apt=apt, ci="true")

    assert result.returncode != 0
    assert "PeerError: " in result.stderr
    assert said in result.stderr


@pytest.mark.peer("prometheus")
def test_prometheus_runs_in_its_block_and_no_longer(tmp_path: Path) -> None:
    with peers.start_prometheus("scrape_configs: []", tmp_path / "bystander") as bystander:
        with peers.start_prometheus("scrape_configs: []", tmp_path) as running:
            assert _answers(running)

        assert not _answers(running)
        assert not Path(f"/proc/{running.pid}").exists()
        assert _answers(bystander)


@pytest.mark.peer("alertmanager")
def test_alertmanager_runs_in_its_block_and_no_longer(tmp_path: Path) -> None:
    with peers.start_alertmanager("{route: {receiver: x}, receivers: [{name: x}]}", tmp_path) as running:
        assert _answers(running)

    assert not _answers(running)


def _answers(peer: peers.Running) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(peer.url.rpartition(":")[2]))) == 0


@pytest.mark.peer("prometheus")
def test_a_peer_that_ends_at_once_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(peers.PeerError, match="field scrape_konfigs not found"),
        peers.start_prometheus("scrape_konfigs: []", tmp_path),
    ):
        pass


@pytest.mark.peer("prometheus")
def test_prometheus_accepts_the_composed_configuration() -> None:
    promtool = peers.require("prometheus").with_name("promtool")

    subprocess.run(
        [promtool, "check", "config", "--syntax-only", ROOT / "deploy/compose/prometheus.yml"],
        check=True,
        capture_output=True,
    )


@pytest.mark.peer("chromium")
def test_chromium_starts_with_the_arguments_that_tests_give_it(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<title>x</title><script>document.write(6 * 7)</script>")

    result = subprocess.run(
        [
            peers.chromium_path(),
            *peers.CHROMIUM_ARGUMENTS,
            f"--user-data-dir={tmp_path}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "42" in result.stdout


def test_of_several_versions_beside_the_path_the_newest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("9", "17", "16"):
        (tmp_path / version / "bin").mkdir(parents=True)
        _program(tmp_path / version / "bin" / "postgres", "")
    beside = f"{tmp_path.relative_to('/')}/*/bin"
    monkeypatch.setitem(peers.PEERS, "x", peers.Peer(package="x", programs=("postgres",), elsewhere=beside))

    assert peers.require("x") == tmp_path / "17/bin/postgres"


def test_without_ci_a_missing_driver_skips_the_test_and_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # which was looked up before

    with pytest.raises(
        pytest.skip.Exception, match=r"driver no_such_driver: .*run `python -m tests\.support\.drivers`"
    ):
        drivers.driver("no_such_driver")
