"""`claxon demo`: breaks things one after another, and says what to look at.

Everything is real but the API and the haste: the SDK, the client, HTTP, the log, the rules,
the outbox, the pages. ≠ how any of it works.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import claxon
import uvicorn

from alerts.decisions import Decision
from alerts.lifecycle import Alert

from ..app import Service
from ..config_file import load_config
from ..logs import configure_logs
from ..receivers.console import ConsoleReceiver
from ..serve import bind, make_server
from ..settings import Settings
from ..storage.ledger import Wanted
from ..views import AlertView
from .apps import HAIKU, App, Apps
from .fake_claude import Step
from .quick_rules import KEEP_S, quick_rules

T = TypeVar("T")

Say: TypeAlias = Callable[[dict[str, object]], object]
"""Takes what is said: `text`, and more for programs."""

_WAIT_S = 25.0
_RESOLVE_S = 75.0


def run(*, host: str, port: int, wait: bool, say: Say | None = None) -> int:
    """Run the demo; return 0 if everything happened that it promises.

    Args:
        host: Where the service listens.
        port: The same.
        wait: Whether it goes on serving at the end.
        say: Takes each thing that is said, with what a program wants to know; None prints it.
    """
    configure_logs("error", as_json=say is not None)
    ConsoleReceiver.as_json = say is not None
    with tempfile.TemporaryDirectory(prefix="claxon-demo-") as folder:
        settings = Settings(host=host, port=port, data=Path(folder))
        listener = bind(settings)
        settings = Settings(host=host, port=listener.getsockname()[1], data=Path(folder))
        service = Service(settings, load_config(None), rules=quick_rules())
        server = make_server(service, ())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="demo-server")
        thread.start()
        try:
            return _show(service, server, settings, say or _print, wait=wait)
        except KeyboardInterrupt:
            return 130
        finally:
            claxon.shutdown(timeout=2)
            claxon.uninstrument()
            server.should_exit = True
            thread.join(timeout=15)


def _show(service: Service, server: uvicorn.Server, settings: Settings, say: Say, *, wait: bool) -> int:
    if not _until(lambda: server.started, 15):
        return 1
    claxon.instrument(url=settings.url, interval_s=0.2)
    checkout = App("checkout", "checkout/summary", retries=0)
    search = App("search", "search/answer")
    billing = App("billing", "billing/explain", HAIKU)
    reports = App("reports", "reports/weekly")
    batch = App("batch", "batch/tag", HAIKU)
    with Apps([checkout, search, billing, reports, batch]):
        show = _Show(service, settings.url, say)
        show.begin()
        show.ignored(checkout)
        show.streak(search)
        show.auth(billing)
        show.rate(reports)
        show.budget(batch)
        show.resolves()
        status = show.end()
        if wait:
            show.stay()
        return status


def _print(said: dict[str, object]) -> None:
    print(said["text"], flush=True)  # noqa: T201 — to the person at the terminal


class _Show:
    """The steps, in order."""

    def __init__(self, service: Service, url: str, say: Say) -> None:
        self._service = service
        self._url = url
        self._out = say
        self._missed: list[str] = []
        self._paged: set[str] = set()

    def begin(self) -> None:
        self._say("Claxon demo: five apps call a fake Claude API through the real anthropic SDK.")
        self._say(f"The on-call page is {self._url}/ — open it in a browser and keep it beside this window.")
        self._say(f"The rules are the default ones in a hurry: pages close {KEEP_S} s after recovery, not 15 min.")
        time.sleep(5)

    def ignored(self, app: App) -> None:
        self._step(1, "A single 429 and a lone 500 in `checkout`. Nobody is paged for these.")
        app.break_with(Step(status=429, retry_after="1"), times=1)
        time.sleep(1.5)
        app.break_with(Step(status=500), times=1)
        seen = _until(lambda: {"lone_429", "lone_500"} <= {d.what.value for d in self._ledger()}, 10)
        time.sleep(3)
        quiet = not self._firing("checkout")
        for row in reversed([d for d in self._ledger() if d.what.value in ("lone_429", "lone_500")]):
            self._say(f"   ledger: {row.what.value} in {row.labels['app']} on {row.labels['path']}: no page")
        self._check("a lone 429 and a lone 500 stay quiet", seen and quiet)

    def streak(self, app: App) -> None:
        self._step(2, "500s in a row on `search/answer`, from two different calls, no retry helps: a page.")
        app.break_with(Step(status=500, retry_after_ms="50"), times=6)
        self._expect("ClaudeConsecutiveServerErrors")

    def auth(self, app: App) -> None:
        self._step(3, "Somebody revokes the key of `billing`: the first 401 pages at once, and retries cannot help.")
        app.break_with(Step(status=401, message="invalid x-api-key"))
        self._expect("ClaudeAuthError")
        app.mend()
        self._say("   (the key is back)")

    def rate(self, app: App) -> None:
        self._step(4, "A deploy of `reports`: every second request is malformed. Over 5 %, and not by chance: a page.")
        app.break_with(Step(status=400, message="max_tokens: required"), every=2)
        self._expect("ClaudeErrorRate")
        app.mend()
        self._say("   (rolled back; it was a ticket at first: 5 % may be chance, this is not)")

    def budget(self, app: App) -> None:
        self._step(
            5, "`batch` hits its rate limit; a few calls in a hundred use up all their retries: the budget burns."
        )
        app.break_with(Step(status=429, retry_after_ms="20"), times=9)
        self._expect("ClaudeRetriesExhausted")
        app.mend()

    def resolves(self) -> None:
        self._step(6, "All is mended. Each page gets its close.")
        done = _until(lambda: not self._service_firing(), _RESOLVE_S)
        time.sleep(0.5)
        self._check("every page was closed", done)

    def end(self) -> int:
        stats = claxon.stats()
        rows = self._ask(lambda: self._service.views.deliveries(limit=100))
        told = [row for row in rows if row.state == "delivered"]
        begun = sum(1 for row in told if row.status == "firing")
        self._say(
            f"\nDone: {stats.sent:,} events, {begun} pages, {len(told) - begun} closes, {len(rows) - len(told)} lost."
        )
        self._say("Next: README, `make serve`, and five lines in your app.")
        for missed in self._missed:
            self._say(f"NOT SEEN: {missed}", missed=missed)
        return 1 if self._missed else 0

    def stay(self) -> None:
        self._say(f"Claxon goes on at {self._url}/ until you press Ctrl-C.")
        threading.Event().wait()

    # ── telling and asking ────────────────────────────────────────────────────

    def _step(self, number: int, text: str) -> None:
        self._say(f"\n── {number}. {text}", step=number)

    def _say(self, text: str, **more: object) -> None:
        self._out({"text": text, **more})

    def _expect(self, alertname: str) -> None:
        begin = time.monotonic()
        seen = _until(lambda: alertname in self._told(), _WAIT_S)
        took = time.monotonic() - begin
        if seen:
            name = next(v.alert.fingerprint for v in self._views() if v.alert.labels["alertname"] == alertname)
            self._say(
                f"   paged {took:.1f} s after the fault began. Why, and what was held back: {self._url}/alerts/{name}",
                alertname=alertname,
                seconds=round(took, 3),
            )
        self._check(f"a page of {alertname}", seen)
        time.sleep(1)

    def _check(self, promise: str, kept: bool) -> None:
        if not kept:
            self._missed.append(promise)

    def _told(self) -> set[str]:
        rows = [d for d in self._ledger() if d.what.value == "delivered"]
        return {d.labels["alertname"] for d in rows if d.labels.get("severity") == "page"}

    def _views(self) -> list[AlertView]:
        now = self._ask(self._service.views.now)
        return [*now.firing, *now.resolved]

    def _firing(self, app: str) -> bool:
        return any(a.labels.get("app") == app for a in self._service_firing())

    def _service_firing(self) -> list[Alert]:
        return self._ask(self._service.core.engine.firing)

    def _ledger(self) -> list[Decision]:
        return self._ask(lambda: self._service.views.ledger(Wanted(), limit=1000))

    def _ask(self, function: Callable[[], T]) -> T:
        return self._service.core.submit(function).result(timeout=10)


def _until(seen: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is seen; return whether it was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if seen():
            return True
        time.sleep(0.1)
    return seen()
