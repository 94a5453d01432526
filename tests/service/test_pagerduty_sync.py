"""Acknowledged in PagerDuty is acknowledged here: signed, once, for an alert alone and for a group."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from alerts.config import KeyConfig
from alerts.routes import Route
from service import pagerduty_sync
from service.settings import hash_key
from tests.service.pages.world import World, claxon

ADMIN = "Bearer claxon_admin_0123456789abcdef"
SECRET = "a webhook secret of PagerDuty"
CONFIG = """
route: {{receiver: pager}}
receivers:
  - name: pager
    pagerduty_configs:
      - {{routing_key: 0123456789abcdef0123456789abcdef, webhook_secret: "{secret}", url: "http://127.0.0.1:9/"}}
      - {{routing_key: 1123456789abcdef0123456789abcdef, url: "http://127.0.0.1:9/"}}
  - name: quiet
    pagerduty_configs: [{{routing_key: 2123456789abcdef0123456789abcdef, url: "http://127.0.0.1:9/"}}]
"""
PATH = "/v1/pagerduty/pager"
REJECTED = {"app": "checkout", "environment": "prod", "status": 401}


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A Claxon with keys, that pages PagerDuty; the client that stands for PagerDuty has none."""
    config = tmp_path / "claxon.yml"
    config.write_text(CONFIG.format(secret=SECRET))
    key = KeyConfig(name="all", scope="admin", sha256=hash_key(ADMIN.removeprefix("Bearer ")))
    async with claxon(tmp_path / "data", monkeypatch, config=config, keys=[key]) as running:
        running.client.headers["Authorization"] = ADMIN
        yield running


async def _keys(world: World) -> list[str]:
    """Return the dedup_keys of what was told, oldest first; from here on the client is PagerDuty."""
    world.client.headers.pop("Authorization", None)
    query = "SELECT DISTINCT dedup_key FROM outbox ORDER BY id"
    return [str(row[0]) for row in await world.core(lambda: world.service.core.connection.execute(query).fetchall())]


def _message(kind: str, dedup_key: str, *, event: str = "1", who: str = "Ada Lovelace", at: str = "") -> bytes:
    agent = {"id": "P1", "type": "user_reference", "summary": who}
    data = {"id": "Q1", "type": "incident", "incident_key": dedup_key}
    said = {"id": event, "event_type": f"incident.{kind}", "resource_type": "incident", "agent": agent, "data": data}
    return json.dumps({"event": said | ({"occurred_at": at} if at else {})}).encode()


async def _send(world: World, body: bytes, *, secret: str = SECRET, path: str = PATH) -> int:
    signed = "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return int((await world.client.post(path, content=body, headers={"X-PagerDuty-Signature": signed})).status_code)


async def _by(world: World) -> dict[str, str]:
    """Return who looks after the alerts, by app."""
    state = world.service.core.notifier.state
    return await world.core(lambda: {state.firing[name].labels["app"]: ack.by for name, ack in state.acks.items()})


async def test_acknowledged_there_is_acknowledged_here_by_name(world: World) -> None:
    await world.post(REJECTED)
    (key,) = await _keys(world)

    assert await _send(world, _message("acknowledged", key)) == 202
    assert await _by(world) == {"checkout": "PagerDuty: Ada Lovelace"}


async def test_unacknowledged_there_is_taken_back_here_and_told_again(world: World) -> None:
    await world.post(REJECTED)
    (key,) = await _keys(world)
    await _send(world, _message("acknowledged", key, event="1"))

    assert await _send(world, _message("unacknowledged", key, event="2")) == 202
    assert await _by(world) == {}
    assert (await world.told())[-1] == "repeat interval elapsed"


async def test_what_somebody_acknowledged_here_pagerduty_does_not_take_back(world: World) -> None:
    await world.post(REJECTED)
    name = await world.fingerprint("ClaudeAuthError")
    await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Grace"})
    (key,) = await _keys(world)

    await _send(world, _message("unacknowledged", key))

    assert await _by(world) == {"checkout": "Grace"}


async def test_every_alert_of_a_group_is_acknowledged_and_no_other(world: World) -> None:
    grouped = Route(receiver="pager", group_by=("environment",), group_wait_s=10.0, group_interval_s=300.0)
    await world.decide_by(route=grouped)
    await world.post(REJECTED, {**REJECTED, "app": "search"}, {**REJECTED, "app": "mail", "environment": "test"})
    await world.wind(10)
    keys = await _keys(world)

    await _send(world, _message("acknowledged", keys[0]))

    assert len(keys) == 2
    assert await _by(world) == dict.fromkeys(("checkout", "search"), "PagerDuty: Ada Lovelace")


@pytest.mark.parametrize("secret", ["", "another secret"])
async def test_what_is_not_signed_with_the_secret_is_a_401_and_does_nothing(world: World, secret: str) -> None:
    await world.post(REJECTED)
    (key,) = await _keys(world)

    assert await _send(world, _message("acknowledged", key), secret=secret) == 401
    assert (await world.client.post(PATH, content=_message("acknowledged", key))).status_code == 401
    assert await _by(world) == {}


async def test_a_message_that_comes_again_changes_nothing(world: World) -> None:
    """PagerDuty sends a message again for two days: yesterday's must not take today's page from everybody."""
    await world.post(REJECTED)
    (key,) = await _keys(world)
    await _send(world, _message("acknowledged", key, event="1"))
    await _send(world, _message("unacknowledged", key, event="2"))

    world.client.headers["Authorization"] = ADMIN
    for _ in range(57):
        await world.wind(3000)
        await world.post(REJECTED)
    await world.core(lambda: world.service.core.prune(keep_s=30 * 86_400.0))

    assert await _keys(world) == [key]
    assert await _send(world, _message("acknowledged", key, event="1")) == 202
    assert await _by(world) == {}


async def test_a_message_that_comes_late_does_not_undo_what_was_done_after_it(world: World) -> None:
    """The acknowledgement was not taken the first time; until it came again, it was taken back there."""
    await world.post(REJECTED)
    (key,) = await _keys(world)

    await _send(world, _message("unacknowledged", key, event="2", at="2026-09-21T14:20:00.200Z"))
    assert await _send(world, _message("acknowledged", key, event="1", at="2026-09-21T14:20:00.100Z")) == 202
    assert await _by(world) == {}
    await _send(world, _message("acknowledged", key, event="3", at="2026-09-21T14:20:00.300Z"))
    assert await _by(world) == {"checkout": "PagerDuty: Ada Lovelace"}


async def test_an_episode_that_is_over_is_not_confused_with_the_next(world: World) -> None:
    await world.post(REJECTED)
    await world.post({**REJECTED, "status": 200})
    for _ in range(4):
        await world.wind(300)
    await world.post(REJECTED)
    old, new = await _keys(world)

    await _send(world, _message("acknowledged", old, event="1"))
    assert await _by(world) == {}
    await _send(world, _message("acknowledged", new, event="2"))
    assert await _by(world) == {"checkout": "PagerDuty: Ada Lovelace"}


@pytest.mark.parametrize("receiver", ["quiet", "nobody", "pager%2F0"])
async def test_a_receiver_without_a_webhook_secret_takes_nothing(world: World, receiver: str) -> None:
    assert await _send(world, _message("acknowledged", "x"), path=f"/v1/pagerduty/{receiver}") == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (_message("acknowledged", "claxon/X/0123456789abcdef/1"), 202),
        (_message("acknowledged", ""), 202),
        (_message("resolved", "claxon/X/0123456789abcdef/1"), 202),
        (_message("priority_updated", "x"), 202),
        (b"x" * 300_000, 413),
    ],
)
async def test_what_means_nothing_here_faults_nothing(world: World, body: bytes, status: int) -> None:
    await world.post(REJECTED)
    await _keys(world)

    assert await _send(world, body) == status
    assert await _by(world) == {}


async def test_pagerduty_is_answered_in_time_though_the_core_is_busy_and_the_work_is_done_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagerduty_sync, "PATIENCE_S", 0.05)
    await world.post(REJECTED)
    (key,) = await _keys(world)
    release = threading.Event()
    world.service.core.submit(lambda: release.wait(10))

    began = time.monotonic()
    status = await _send(world, _message("acknowledged", key))
    took = time.monotonic() - began
    release.set()

    assert (status, took < 5) == (202, True)
    assert await _by(world) == {"checkout": "PagerDuty: Ada Lovelace"}


async def test_what_could_not_be_written_is_not_counted_as_done(world: World) -> None:
    """PagerDuty tries again, and then it counts."""
    await world.post(REJECTED)
    (key,) = await _keys(world)
    connection = world.service.core.connection
    await world.core(lambda: connection.execute("PRAGMA query_only = ON"))
    with pytest.raises(sqlite3.OperationalError):
        await _send(world, _message("acknowledged", key))
    await world.core(lambda: connection.execute("PRAGMA query_only = OFF"))

    assert await _send(world, _message("acknowledged", key)) == 202
    assert await _by(world) == {"checkout": "PagerDuty: Ada Lovelace"}
