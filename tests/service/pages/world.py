"""A real Claxon whose clock is wound by hand: the app, its core's thread, SQLite in a folder.

Nothing waits: time passes when a test says so, and then the core evaluates.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from alerts.config import KeyConfig
from alerts.labels import fingerprint
from alerts.notification import Notification
from alerts.received import Posted
from service import clock
from service.api.visit import FIELD, Forms
from service.app import Service
from service.config_file import load_config
from service.settings import Settings
from service.web import create_app

NOON = 1_790_000_000.0
"""2026-09-21 14:13:20 UTC: whole seconds into a minute, so that edges show."""

MODEL = "claude-sonnet-5"


class Visitor(httpx2.AsyncClient):
    """Posts forms as a browser does that has opened the page: with its cookie, and the field that goes with it."""

    def __init__(self, forms: Forms, **settings: Any) -> None:
        super().__init__(**settings)
        self._forms = forms
        self.cookies.set(forms.cookie("form"), "visitor", domain="127.0.0.1")

    async def post(self, url: Any, *, data: Any = None, content: Any = None, **more: Any) -> Any:
        """Post; what goes to a page gets the field."""
        if str(url).startswith(("/alerts/", "/silences", "/rules", "/delivery")):
            token = self._forms.token("visitor")
            if content is None:
                data = {FIELD: token} | (data or {})
            else:
                content = f"{FIELD}={token}&".encode() + content
        return await super().post(url, data=data, content=content, **more)


class World:
    """One Claxon, and what a test does to it."""

    def __init__(self, service: Service, client: httpx2.AsyncClient, wound: dict[str, float]) -> None:
        self.service = service
        self.client = client
        self._wound = wound

    @property
    def now(self) -> float:
        """What Claxon's clock says."""
        return self._wound["now"]

    async def post(self, *events: Mapping[str, Any]) -> None:
        """Post events, and have the conditions that wait for a whole second evaluated."""
        answer = await self.client.post("/v1/events", json=[{"model": MODEL, **event} for event in events])
        assert answer.status_code == 202, answer.text
        await self.wind(4)

    async def wind(self, seconds: float) -> None:
        """Let time pass."""
        self._wound["now"] += seconds
        await self.evaluate()

    async def evaluate(self) -> None:
        """Have the core evaluate at the present."""
        await asyncio.wrap_future(self.service.core.submit(self.service.core.tick))

    async def core(self, function: Callable[[], Any]) -> Any:
        """Return what a function finds in the core's thread."""
        return await asyncio.wrap_future(self.service.core.submit(function))

    async def raise_alert(
        self, *, annotations: Mapping[str, str] | None = None, source: str = "", **labels: str
    ) -> str:
        """Post an alert as another program does; return its fingerprint."""
        one = Posted(labels=labels, annotations=dict(annotations or {}), generator_url=source)
        assert await self.core(lambda: self.service.dispatch.post([one])) == []
        return fingerprint(labels)

    async def decide_by(self, **changes: Any) -> None:
        """Put another policy in force: `escalations=...`, `route=...`."""
        notifier = self.service.core.notifier

        def adopt() -> None:
            notifier.adopt(replace(notifier.policy, **changes), self.service.core.engine.now)

        await self.core(lambda: self.service.core.weigh(adopt))

    async def told(self) -> list[str]:
        """Return why each notification so far was sent, oldest first."""
        query = "SELECT notification FROM outbox ORDER BY id"
        rows = await self.core(lambda: self.service.core.connection.execute(query).fetchall())
        return [msgspec.msgpack.decode(body, type=Notification).reason for (body,) in rows]

    async def page(self, path: str = "/", *, status: int = 200) -> str:
        """Return a page's HTML, checked to be well-formed."""
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert_well_formed(answer.text)
        return str(answer.text)

    async def fingerprint(self, alertname: str, severity: str = "page") -> str:
        """Return the fingerprint of an alert that fires."""
        answer = await self.client.get("/v1/alerts")
        labels = {str(a["alert"]["fingerprint"]): a["alert"]["labels"] for a in answer.json()["alerts"]}
        return next(
            name for name, found in labels.items() if found["alertname"] == alertname and found["severity"] == severity
        )


@asynccontextmanager
async def claxon(
    folder: Path,
    patch: pytest.MonkeyPatch,
    *,
    keys: Iterable[KeyConfig] = (),
    config: Path | None = None,
) -> AsyncIterator[World]:
    """Run a Claxon until the block ends."""
    wound = {"now": NOON}
    patch.setattr(clock, "now", lambda: wound["now"])
    service = Service(Settings(data=folder, config=config), load_config(config))
    app = create_app(service, tuple(keys))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        Visitor(service.forms, transport=transport, base_url="http://127.0.0.1:5290") as client,
    ):
        world = World(service, client, wound)
        await world.evaluate()
        yield world


_VOID = frozenset({"meta", "link", "input", "br"})


class _Nesting(HTMLParser):
    """Notes what is open; SVG shapes close themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if (found := named.get("id")) is not None:
            self.ids.append(found)
        self.inline += [f"{tag} {name}" for name in named if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)


def assert_well_formed(html: str) -> None:
    """Every element is closed, no id is used twice, and there is no inline script or style."""
    parser = _Nesting()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids)), sorted(parser.ids)
    assert parser.inline == []
