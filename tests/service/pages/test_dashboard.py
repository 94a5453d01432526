"""The way from an alert's page to its dashboard."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from service.pages.dashboard import BUDGET, LIMITS, OVERVIEW
from tests.dashboards.queries import load_all
from tests.service.pages.world import NOON, World, claxon


def _link(page: str) -> str:
    found = re.search(r'<a href="([^"]+)" rel="noreferrer">In Grafana</a>', page)
    assert found is not None
    return html.unescape(found[1])


async def _page(world: World, alertname: str) -> str:
    return await world.page(f"/alerts/{await world.fingerprint(alertname)}")


async def test_an_alerts_page_leads_to_its_dashboard_with_its_app_and_the_time_in_which_it_fired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "claxon.yml"
    config.write_text("grafana_url: https://grafana.example/g/\n")
    async with claxon(tmp_path / "data", monkeypatch, config=config) as world:
        await world.post({"app": "a&b", "environment": "prod", "status": 401})
        link = urlsplit(_link(await _page(world, "ClaudeAuthError")))

        assert f"{link.scheme}://{link.netloc}{link.path}" == f"https://grafana.example/g/d/{OVERVIEW}"
        asked = parse_qs(link.query)
        assert (asked["var-app"], asked["var-environment"], asked["to"]) == (["a&b"], ["prod"], ["now"])
        assert float(asked["from"][0]) / 1000 == pytest.approx(NOON - 1800, abs=5)

        config.write_text("grafana_url: https://other.example\n")
        assert (await world.client.post("/-/reload")).status_code == 200
        assert _link(await _page(world, "ClaudeAuthError")).startswith("https://other.example/d/")


async def test_who_has_no_grafana_sees_no_link(world: World) -> None:
    await world.post({"app": "shop", "status": 401})

    assert "In Grafana" not in await _page(world, "ClaudeAuthError")


def test_the_dashboards_that_are_linked_to_exist() -> None:
    assert {OVERVIEW, BUDGET, LIMITS} <= {board["uid"] for board in load_all().values()}
