"""Keys: made by the command line, known by their hash, bound to a scope and an app."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from tests.support.running import Running

RECEIVER = "route: {receiver: r}\nreceivers: [{name: r, console_configs: [{}]}]\n"


def create(*arguments: str) -> tuple[str, str]:
    """Return (the key, the line for the configuration) that `claxon keys create --print` prints."""
    made = subprocess.run(
        [sys.executable, "-m", "service", "keys", "create", *arguments, "--print"],
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout.strip(), made.stderr.strip().splitlines()[-1]


def test_a_created_key_works_and_only_its_hash_is_in_the_file(tmp_path: Path) -> None:
    key, line = create("ci", "--scope", "ingest", "--app", "shop")

    assert key not in line
    assert yaml.safe_load(line)[0]["scope"] == "ingest"
    with Running(tmp_path, config=f"{RECEIVER}keys:\n  {line}\n") as claxon:
        event = {"model": "m", "status": 200}
        assert claxon.post([event])[0] == 401
        assert claxon.post([event], Authorization=f"Bearer {key}")[0] == 202
        totals = claxon.core(lambda: list(claxon.service.core.engine.state.totals))
        assert totals == [("shop", "", "m")]


def test_two_keys_are_never_the_same() -> None:
    keys = {create("a")[0] for _ in range(2)}

    assert len(keys) == 2
    assert all(re.fullmatch(r"claxon_ingest_[\w-]{40,}", key) for key in keys)


def test_a_browser_may_give_its_key_as_a_password(tmp_path: Path) -> None:
    key, line = create("me", "--scope", "admin")
    with Running(tmp_path, config=f"{RECEIVER}keys:\n  {line}\n") as claxon:
        import base64

        basic = base64.b64encode(f"anybody:{key}".encode()).decode()
        assert claxon.request("GET", "/", headers={"Authorization": f"Basic {basic}"})[0] == 200
        status, _, headers = claxon.request("GET", "/")
        assert (status, headers["WWW-Authenticate"].startswith("Basic")) == (401, True)
