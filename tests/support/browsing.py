"""A `claxon serve` of its own, and a real browser that opens its pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.support.peers import free_port
from tests.support.repository import ROOT

READY_S = 30

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 900}
Scheme = Literal["light", "dark"]

# Blocks the proxies of the environment: all of this happens on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Claxon:
    """A server process."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = url
        self.process = process
        self._log = log

    def link(self, app: str) -> str:
        """Return the link to acknowledge, of the page about an app that the console printed."""
        pages = rf"┃ {app} \(prod\): .*?┃ acknowledge  (\S+)"
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if found := re.search(pages, self._log.read_text("utf-8", "replace"), re.DOTALL):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(f"no page about {app}")

    def post(self, *events: dict[str, Any], key: str = "") -> None:
        """Post events."""
        body = json.dumps([{"model": "claude-sonnet-5", **event} for event in events]).encode()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        request = urllib.request.Request(
            f"{self.url}/v1/events", body, {"Content-Type": "application/json"} | headers, method="POST"
        )
        with _opener.open(request, timeout=10) as answer:
            assert answer.status == 202

    def end(self) -> None:
        """End this process, by its own id."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


@contextmanager
def served(folder: Path, *, keys: Mapping[str, str] | None = None) -> Iterator[Claxon]:
    """Run `claxon serve` until the block ends; `keys` are those of its environment."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "service",
        "serve",
        "--listen",
        f"127.0.0.1:{port}",
        "--data",
        str(folder / "data"),
    ]
    keyless = {name: value for name, value in os.environ.items() if not name.startswith("CLAXON_")} | dict(keys or {})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=keyless, stdout=log, stderr=subprocess.STDOUT)
    claxon = Claxon(f"http://127.0.0.1:{port}", process, folder / "log")
    try:
        _wait_until_ready(claxon, folder / "log")
        yield claxon
    finally:
        claxon.end()


def _wait_until_ready(claxon: Claxon, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert claxon.process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
        try:
            with _opener.open(f"{claxon.url}/-/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"not ready after {READY_S} s: {log.read_text('utf-8', 'replace')[-2000:]}")


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *,
    size: dict[str, int] = DESK,
    scheme: Scheme = "light",
    script: bool = True,
) -> Iterator[Page]:
    """Open an address; fail when the browser complained, as it does when the policy forbids something."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]}, color_scheme=scheme, java_script_enabled=script
    )
    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    yield page
    context.close()
    assert complaints == []


def rejected(app: str) -> dict[str, Any]:
    return {"app": app, "environment": "prod", "status": 401, "request_id": f"req_{app}"}


def alert_url(page: Page, app: str) -> str:
    """Return the address of an app's alert, from the front page."""
    # Not `reload`: while the page renews itself that is refused.
    page.goto(page.url)
    return str(
        page.get_by_role("link", name=f"{app} (prod): the Claude API rejects the key", exact=True).evaluate(
            "e => e.href"
        )
    )
