"""A link from a dashboard: it has an alert's labels, and leads to its page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from alerts.labels import fingerprint
from dashboards.ways import THIS_ALERT
from service.labelled import LABELS
from tests.service.pages.world import World


async def test_labels_lead_to_the_alert_that_has_just_these(world: World) -> None:
    await world.post({"app": "shop", "status": 401}, {"app": "shop", "environment": "prod", "status": 401})
    for labels in (
        {"alertname": "ClaudeAuthError", "severity": "page", "app": "shop"},
        {"alertname": "ClaudeAuthError", "severity": "page", "app": "shop", "environment": "prod"},
    ):
        found = await world.client.get("/alerts", params=labels)

        assert (found.status_code, found.headers["location"]) == (303, f"alerts/{fingerprint(labels)}")
        assert (await world.client.get(str(found.url.join(found.headers["location"])))).status_code == 200


async def test_an_alert_that_somebody_posted_is_found_too(world: World) -> None:
    posted = await world.raise_alert(alertname="DiskFull", severity="page", host="db1")

    found = await world.client.get("/alerts", params={"alertname": "DiskFull", "severity": "page"})

    assert found.headers["location"] == f"alerts/{posted}"


async def test_an_alert_that_has_ended_leads_to_what_fires_in_its_app(world: World) -> None:
    for asked, place in (
        ({"alertname": "ClaudeAuthError", "app": "a&b", "environment": "prod"}, "./?app=a%26b&environment=prod"),
        ({"alertname": "ClaudeAuthError"}, "./"),
        ({}, "./"),
    ):
        found = await world.client.get("/alerts", params=asked)

        assert (found.status_code, found.headers["location"]) == (303, place)


async def test_what_grafana_could_not_fill_in_is_a_label_that_the_alert_has_not(world: World) -> None:
    await world.post({"app": "shop", "status": 401})
    link = dict(parse_qsl(urlsplit(THIS_ALERT.url.partition("}")[2]).query))
    known = {"alertname": "ClaudeAuthError", "severity": "page", "app": "shop"}

    found = await world.client.get("/alerts", params=link | known)

    assert tuple(link) == LABELS
    assert found.headers["location"] == f"alerts/{await world.fingerprint('ClaudeAuthError')}"


async def test_it_leads_nowhere_else(world: World) -> None:
    """No value of a parameter becomes the address."""
    found = await world.client.get("/alerts", params={"app": "//evil.example/", "next": "https://evil.example"})

    assert found.headers["location"] == "./?app=%2F%2Fevil.example%2F"
