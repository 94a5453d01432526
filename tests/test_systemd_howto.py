"""docs/howto/systemd.md: the unit is one that systemd takes, and fits the program."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

from service.cli import make_parser
from service.config_file import load_config
from tests.support.repository import ROOT

UNIT = (ROOT / "examples/systemd/claxon.service").read_text("utf-8")
PAGE = (ROOT / "docs/howto/systemd.md").read_text("utf-8")
CREDENTIALS = "/run/credentials/claxon.service"
LINES = [line.partition("=")[::2] for line in UNIT.splitlines() if "=" in line and not line.startswith("#")]
# What systemd 247 (where LoadCredential came) and later have, of what hardens or supervises.
KNOWN = """
Description After Wants StartLimitIntervalSec Type ExecStart ExecReload User Group StateDirectory
StateDirectoryMode WorkingDirectory Restart RestartSec RestartPreventExitStatus TimeoutStopSec LimitNOFILE
LoadCredential NoNewPrivileges CapabilityBoundingSet AmbientCapabilities ProtectSystem ProtectHome PrivateTmp
PrivateDevices ProtectProc ProcSubset ProtectClock ProtectControlGroups ProtectHostname ProtectKernelLogs
ProtectKernelModules ProtectKernelTunables LockPersonality RestrictNamespaces RestrictRealtime
RestrictSUIDSGID RemoveIPC RestrictAddressFamilies SystemCallArchitectures SystemCallFilter
SystemCallErrorNumber UMask WantedBy
"""


def of(name: str) -> list[str]:
    return [value for key, value in LINES if key == name]


def test_systemd_knows_every_setting(tmp_path: Path) -> None:
    """By itself where it is installed; by a list everywhere."""
    assert {key for key, _ in LINES} - set(KNOWN.split()) == set()
    if shutil.which("systemd-analyze"):
        unit = tmp_path / "claxon.service"
        unit.write_text(UNIT.replace("/opt/claxon/bin/claxon", "/bin/true"))
        said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        assert (said.returncode, said.stderr) == (0, "")


def test_what_it_starts_is_a_command_of_claxon_in_the_folder_that_it_owns() -> None:
    [command] = of("ExecStart")
    options = make_parser().parse_args(shlex.split(command)[1:])

    assert options.data == Path("/var/lib") / of("StateDirectory")[0]
    assert options.config == Path("/etc/claxon/claxon.yml")
    assert options.listen.startswith("127.0.0.1:")


def test_a_corrupt_database_is_a_restart_and_a_wrong_configuration_is_none() -> None:
    assert (of("Restart"), of("RestartPreventExitStatus")) == (["on-failure"], ["2"])
    assert of("SuccessExitStatus") == []


def test_the_configuration_loads_with_the_secrets_that_the_unit_gives(tmp_path: Path) -> None:
    [config] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for credential in of("LoadCredential"):
        name, _, source = credential.partition(":")
        assert f"{CREDENTIALS}/{name}" in config
        assert source in PAGE
        (tmp_path / name).write_text("https://hooks.slack.com/services/T0/B0/x" if "slack" in name else "e" * 32)
    (tmp_path / "claxon.yml").write_text(config.replace(CREDENTIALS, str(tmp_path)))

    loaded = load_config(tmp_path / "claxon.yml")
    assert {"on-call/pagerduty/0", "tickets/slack/0"} <= set(loaded.receivers)


def test_the_filter_leaves_what_lowers_the_priority_of_a_thread() -> None:
    """setpriority is of @resources: without it the daily look for damage would meet EPERM."""
    assert of("SystemCallFilter") == ["@system-service", "~@privileged"]
