"""docs/howto/claude-export.md: what it posts to try arrives, is found as it says, and pages nobody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from service.cli import make_parser
from tests.support.repository import ROOT
from tests.support.running import Process

PAGE = (ROOT / "docs/howto/claude-export.md").read_text("utf-8")
PROGRAM = ROOT / "examples/claude-export/try_it.py"
ADMIN = "a" * 40


def test_what_is_posted_to_try_is_found_by_its_request_id_and_pages_nobody(tmp_path: Path) -> None:
    (made,) = re.findall(r"^ *claxon (keys create .*) > export.key", PAGE, re.MULTILINE)
    options = make_parser().parse_args(made.split())
    admin = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}

    with Process(tmp_path, environment=os.environ | {"CLAXON_ADMIN_KEY": ADMIN}) as claxon:
        body = json.dumps({"name": options.name, "app": options.app, "only_app": options.only_app})
        _, key, _ = claxon.request("POST", "/v1/keys", body.encode(), admin)
        run = subprocess.run(
            [sys.executable, PROGRAM, claxon.url],
            env=os.environ | {"CLAXON_KEY": key["key"]},
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        answer, request_id = run.stdout.splitlines()
        _, found, _ = claxon.request("GET", f"/v1/events?request_id={request_id}", headers=admin)
        _, alerts, _ = claxon.request("GET", "/v1/alerts", headers=admin)

    (event,) = found["events"]
    assert f"   {answer}\n   req_try_" in PAGE
    assert (event["app"], event["category"], event["status"]) == (options.app, "overloaded", 529)
    assert alerts["alerts"] == []
