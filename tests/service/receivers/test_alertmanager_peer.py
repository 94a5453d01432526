"""service/receivers/alertmanager.py in front of a real Alertmanager."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from service.receivers import build
from service.receivers.alertmanager import AlertmanagerConfig, AlertmanagerReceiver
from service.receivers.base import DeliveryError, Reason
from service.receivers.endpoint import Endpoint
from service.receivers.secret import Secret
from tests.service.receivers.notifications import alert, notification, resolved
from tests.support.pager import Pager
from tests.support.peers import Running, start_alertmanager

pytestmark = pytest.mark.peer("alertmanager")

CONFIG = """
global: {{resolve_timeout: 1s}}
route: {{receiver: hook, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}
receivers: [{{name: hook, webhook_configs: [{{url: "{url}"}}]}}]
"""


@pytest.fixture
def peer(pager: Pager, tmp_path: Path) -> Iterator[Running]:
    """An Alertmanager that pages `pager` at once."""
    with start_alertmanager(CONFIG.format(url=pager.url), tmp_path) as running:
        yield running


def listed(peer: Running) -> dict[str, Any]:
    """The alerts that it shows as firing, by their label `app`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{peer.url}/api/v2/alerts", timeout=5) as answer:
        return {one["labels"]["app"]: one for one in json.load(answer)}


def receiver(*peers: Running, now: Callable[[], float] = time.time) -> AlertmanagerReceiver:
    endpoints = tuple(Endpoint(url=Secret(one.url), public=True) for one in peers)
    return AlertmanagerReceiver(AlertmanagerConfig(endpoints=endpoints), now=now)


def app(name: str) -> dict[str, str]:
    return {"alertname": "ClaudeErrorRate", "app": name, "severity": "page"}


async def test_an_alert_fires_there_is_paged_and_ends(pager: Pager, peer: Running) -> None:
    one = receiver(peer)
    began = time.time() - 5
    firing = alert(labels=app("checkout"), starts_at=began)

    answer = await one.send(notification(firing))
    shown = listed(peer)
    paged = pager.wait_for(1)[0].json
    await one.send(notification(resolved(labels=app("checkout"), starts_at=began, ends_at=began + 4)))
    left = listed(peer)
    ended = pager.wait_for(2)[1].json
    await one.close()

    assert (answer.status, answer.text) == (200, "1 alert to 1")
    assert shown["checkout"]["status"]["state"] in ("active", "unprocessed")
    assert shown["checkout"]["annotations"]["measured"] == "9 of 61 calls failed in 5m (14.8 %)"
    assert shown["checkout"]["generatorURL"] == firing.url
    assert (paged["status"], paged["alerts"][0]["annotations"]["blame"]) == ("firing", "provider")
    assert left == {}
    assert (ended["status"], ended["alerts"][0]["annotations"]["resolve_reason"]) == (
        "resolved", "no call failed for 5 minutes",
    )  # fmt: skip


async def test_what_is_told_again_lasts_and_what_is_not_ends(pager: Pager, peer: Running) -> None:
    """`resolve_timeout` is 1 s there; our `endsAt` holds over it."""
    began = time.time()
    short = receiver(peer, now=lambda: began - 239)  # four intervals of a minute end in a second
    names = [notification(alert(labels=app(name), starts_at=began - 300)) for name in ("kept", "dropped")]

    for each in names:
        await short.send(each)
    await short.close()
    pager.wait_for(1)
    usual = receiver(peer)
    await usual.resend(names[:1])
    await usual.close()
    said = [request.json for request in pager.wait_for(2)]
    while not any(one["status"] == "resolved" for page in said for one in page["alerts"]):
        said = [request.json for request in pager.wait_for(len(said) + 1)]

    assert listed(peer).keys() == {"kept"}
    assert {
        one["labels"]["app"] for page in said for one in page["alerts"] if one["status"] == "resolved"
    } == {"dropped"}  # fmt: skip


async def test_a_thousand_alerts_are_all_listed_by_both(peer: Running, pager: Pager, tmp_path: Path) -> None:
    with start_alertmanager(CONFIG.format(url=pager.url), tmp_path / "second") as second:
        both = receiver(peer, second)

        await both.send(notification(*(alert(labels=app(str(n)), starts_at=time.time()) for n in range(1000))))
        await both.close()

        assert listed(peer).keys() == listed(second).keys() == {str(n) for n in range(1000)}


async def test_an_invalid_alert_is_named_and_its_neighbours_are_listed(peer: Running) -> None:
    one = receiver(peer)
    bad = alert(labels={**app("bad"), "not-a-name": "x"}, starts_at=time.time())

    with pytest.raises(DeliveryError) as caught:
        await one.send(notification(bad, alert(labels=app("good"), starts_at=time.time())))
    await one.close()

    assert (caught.value.reason, caught.value.status) == (Reason.CLIENT, 400)
    assert 'invalid name \\"not-a-name\\"' in str(caught.value)
    assert listed(peer).keys() == {"good"}


async def test_an_episode_that_follows_another_is_seen_as_a_new_one(peer: Running, pager: Pager) -> None:
    one = receiver(peer)
    now = time.time()
    old = notification(resolved(labels=app("x"), starts_at=now - 100, ends_at=now - 60))
    new = notification(alert(labels=app("x"), starts_at=now - 30, episode=18), at=now)

    await one.resend([old, new])
    await one.resend([old])
    await one.close()
    paged = pager.wait_for(1)[0].json

    assert paged["status"] == "firing"
    assert datetime.fromisoformat(listed(peer)["x"]["startsAt"]).timestamp() == pytest.approx(now - 30, abs=0.001)


async def test_the_address_of_a_configuration_is_enough(peer: Running, pager: Pager) -> None:
    one = build("alertmanager_configs", {"urls": [f"{peer.url}/"]}, where="test")

    await one.send(notification(alert(labels=app("configured"), starts_at=time.time())))
    await one.close()

    assert listed(peer).keys() == {"configured"}
    assert pager.wait_for(1)[0].json["receiver"] == "hook"
