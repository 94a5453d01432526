"""Makes docs/images/*.png: a real Claxon, an hour of made-up traffic, the system's Chromium.

Run from the repository: .venv/bin/python docs/screenshots.py [FOLDER]

The clock is wound by hand so that the hour takes seconds. Everything else is as
it is in production: HTTP, the log, the rules, the page.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, sync_playwright
from small_png import shrink

from alerts.config import KeyConfig
from service import clock
from service.app import Service
from service.config_file import load_config
from service.pages.navigation import ENTRIES
from service.serve import bind, make_server
from service.settings import Settings

ROOT = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]

AT_NIGHT = datetime(2026, 11, 24, 3, 12, 40, tzinfo=UTC).timestamp()
TRIED = "ClaudeErrorRate/page?above=2%25&confidence=95%25&days=1"
"""Other numbers for a rule."""

STEP_S = 20
CHECKOUT = {"app": "checkout", "environment": "prod", "model": "claude-sonnet-5"}
SUPPORT = {"app": "support-bot", "environment": "prod", "model": "claude-haiku-4-5"}
SEARCH = {"app": "search", "environment": "prod", "model": "claude-sonnet-5"}
BATCH = {"app": "nightly-batch", "environment": "staging", "model": "claude-opus-4-5"}

OVERLOADED = {
    "status": 529,
    "error_type": "overloaded_error",
    "error_message": "Overloaded",
    "attempt": 3,
    "max_attempts": 3,
}
FAULT = {
    "status": 500,
    "error_type": "api_error",
    "error_message": "Internal server error",
    "attempt": 3,
    "max_attempts": 3,
}
REJECTED = {"status": 401, "error_type": "authentication_error", "error_message": "invalid x-api-key"}
REFUSED = {
    "status": 400,
    "error_type": "invalid_request_error",
    "error_message": "messages.2: all messages must have non-empty content",
}

Event = dict[str, Any]


class Traffic:
    """What the apps do in each step of the hour, the same in every run."""

    def __init__(self) -> None:
        self._random = random.Random(7)  # noqa: S311 — a drawing, not a secret

    def step(self, left_s: float) -> list[Event]:
        """Return the events of one step; `left_s` is how long before the picture it ends."""
        events = self._good(CHECKOUT, 14) + self._good(SEARCH, 9) + self._good(SUPPORT, 5)
        if left_s <= 560:
            events += self._bad(CHECKOUT, OVERLOADED, 4 if left_s > 300 else 6)
        if 2700 < left_s <= 2820:
            events += self._bad(SEARCH, FAULT, 5)
        if left_s in (1800, 1000, 340, 200, 120, 40):
            events += self._bad(SUPPORT, REFUSED, 2)
        events += self._bad(BATCH, REJECTED, 2) if left_s <= 140 else self._good(BATCH, 2)
        self._random.shuffle(events)
        return events

    def _good(self, app: Event, n: int) -> list[Event]:
        n = max(1, round(self._random.gauss(n, n / 5)))
        return [{**app, "status": 200} for _ in range(n)]

    def _bad(self, app: Event, error: Event, n: int) -> list[Event]:
        return [{**app, **error, "request_id": self._id("req_011C"), "call_id": self._id("call_")} for _ in range(n)]

    def _id(self, prefix: str) -> str:
        letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
        return prefix + "".join(self._random.choices(letters, k=20))


class Stage:
    """A Claxon that serves, and its clock."""

    def __init__(self, service: Service, wound: dict[str, float]) -> None:
        self.service = service
        self.url = service.settings.url
        self._wound = wound
        self._client = httpx2.Client(base_url=self.url, trust_env=False)

    def wind_to(self, now: float) -> None:
        """Let time pass."""
        self._wound["now"] = now
        self.service.core.submit(self.service.core.tick).result(timeout=10)

    def post(self, events: list[Event]) -> None:
        """Post events."""
        self._client.post("/v1/events", json=events).raise_for_status()

    def play(self) -> None:
        """Let the hour happen."""
        traffic = Traffic()
        for left in range(3600, 0, -STEP_S):
            self.post(traffic.step(left))
            self.wind_to(AT_NIGHT - left + STEP_S)

    def fingerprint(self, alertname: str, app: str) -> str:
        """Return the fingerprint of an alert that fires."""
        found = self._client.get("/v1/alerts").json()["alerts"]
        labels = {str(a["alert"]["fingerprint"]): a["alert"]["labels"] for a in found}
        return next(
            f for f, at in labels.items() if (at["alertname"], at["app"], at["severity"]) == (alertname, app, "page")
        )

    def link(self, fingerprint: str) -> str:
        """Return the link by which a page's reader acknowledges an alert's first episode."""
        return self.service.acknowledge_url(fingerprint, 1)

    def acknowledge(self, fingerprint: str, name: str) -> None:
        """Acknowledge as the page's form does."""
        path = f"/alerts/{fingerprint}"
        token = re.search(r'name="csrf" value="(\w+)"', self._client.get(path).text)[1]
        self._client.post(f"{path}/acknowledge", data={"name": name, "csrf": token}, follow_redirects=True).raise_for_status()

    def silence(self, matchers: str, *, by: str, comment: str) -> None:
        """Make a silence of two hours."""
        ends = datetime.fromtimestamp(self._wound["now"] + 7200, UTC).isoformat()
        name, _, value = matchers.partition("=")
        matcher = {"name": name, "value": value, "isRegex": False, "isEqual": True}
        begins = datetime.fromtimestamp(self._wound["now"], UTC).isoformat()
        body = {"matchers": [matcher], "startsAt": begins, "endsAt": ends, "createdBy": by, "comment": comment}
        self._client.post("/api/v2/silences", json=body).raise_for_status()

    def lock(self) -> None:
        """Ask for a key from now on."""
        self.service.keys.replace([KeyConfig(name="ada", scope="admin", sha256="0" * 64)])


@contextmanager
def stage() -> Iterator[Stage]:
    """Serve on a free port until the block ends."""
    wound = {"now": AT_NIGHT - 3600 - STEP_S}
    clock.now = lambda: wound["now"]
    with tempfile.TemporaryDirectory() as folder:
        listener = bind(Settings(host="127.0.0.1", port=0))
        settings = Settings(port=listener.getsockname()[1], data=Path(folder))
        service = Service(settings, load_config(None))
        server = make_server(service, ())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        for _ in range(200):
            if server.started:
                break
            time.sleep(0.05)
        try:
            yield Stage(service, wound)
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def shoot(browser: Browser, url: str, path: Path, *, width: int, height: int, dark: bool = False) -> None:
    """Take one picture of what a screen of that size shows."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        device_scale_factor=1.5 if width < 500 else 1,
    )
    page = context.new_page()
    page.goto(url)
    page.screenshot(path=path)
    context.close()
    shrink(path)
    print(f"{path}: {path.stat().st_size // 1024} KiB")  # noqa: T201 — a script's answer


def main() -> None:
    """Make all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with stage() as claxon, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        claxon.wind_to(AT_NIGHT - 3600)
        shoot(browser, claxon.url, folder / "empty.png", width=1100, height=560)
        claxon.play()
        burning = claxon.fingerprint("ClaudeErrorRate", "checkout")
        claxon.acknowledge(claxon.fingerprint("ClaudeAuthError", "nightly-batch"), "Grace")
        claxon.wind_to(AT_NIGHT + 25)
        shoot(browser, claxon.url, folder / "now.png", width=1100, height=1700)
        shoot(browser, claxon.url, folder / "dark.png", width=1100, height=1700, dark=True)
        shoot(browser, claxon.url, folder / "phone.png", width=390, height=844, dark=True)
        shoot(browser, f"{claxon.url}/alerts/{burning}", folder / "alert.png", width=1100, height=1700)
        rejected = claxon.fingerprint("ClaudeAuthError", "nightly-batch")
        new = f"{claxon.url}/silences/new?alert={rejected}"
        shoot(browser, new, folder / "silence.png", width=1100, height=1000)
        shoot(browser, claxon.link(burning), folder / "link.png", width=390, height=844, dark=True)
        claxon.silence("app=nightly-batch", by="Grace", comment="the key is being replaced")
        claxon.wind_to(AT_NIGHT + 26)
        for entry in ENTRIES[1:]:
            shoot(browser, f"{claxon.url}/{entry.path}", folder / f"{entry.name}.png", width=1100, height=1000)
        trial = f"{claxon.url}/rules/{TRIED}"
        shoot(browser, trial, folder / "trial.png", width=1100, height=1500)
        claxon.lock()
        shoot(browser, claxon.url, folder / "login.png", width=390, height=844)
        browser.close()


if __name__ == "__main__":
    main()
