"""The page /docs, through the real app."""

from __future__ import annotations

import re

from tests.service.pages.world import World


async def test_every_operation_of_the_document_is_on_the_page(world: World) -> None:
    document = (await world.client.get("/openapi.json")).json()
    html = await world.page("/docs")

    said = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    shown = set(re.findall(r"<h3><code>([A-Z]+) ([^<]+)</code></h3>", html))
    assert shown == said
    assert len(shown) > 30
    assert "Of the alert, as `GET /v1/alerts` says it" in html


async def test_nothing_is_loaded_from_elsewhere(world: World) -> None:
    html = await world.page("/docs")

    assert [url for url in re.findall(r'(?:src|href)="([^"]+)"', html) if "//" in url] == []
