"""What a node answers before it is elected, and how another application takes its place on the same socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from service.app import Service
from service.keys.in_force import Keys
from service.nodes.part import Part
from service.nodes.standby import create_standby
from service.nodes.standing import Stage, Standing
from service.nodes.switch import Application, Receive, Scope, Send, Switch
from service.roles import ALL, Role

ONE = "http://one.example:5290"


class Taker:
    """A part that takes events, as long as nothing is wrong with it."""

    role = Role.INGEST

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong

    def install(self, app: FastAPI) -> None:
        @app.post("/v1/events")
        async def take() -> dict[str, int]:
            return {"accepted": 1}

    async def start(self) -> None:
        pass

    def unready(self) -> str:
        return self.wrong

    async def lead(self, service: Service) -> None:
        pass

    async def stop(self) -> None:
        pass


def ask(app: Application, method: str, path: str) -> httpx2.Response:
    async def asked() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://node") as client:
            return await client.request(method, path)

    return asyncio.run(asked())


def node(known: Standing) -> FastAPI:
    return create_standby(known, Keys(), knows_keys=lambda: True)


def standing(parts: Sequence[Part] = (), **known: Any) -> Standing:
    return Standing(ALL, parts, **({"why": "", "elected": ONE} | known))


@pytest.mark.parametrize(
    ("known", "elected", "says"),
    [
        ({}, ONE, ONE),
        ({"elected": ""}, None, "nobody is"),
        ({"why": "db: gone", "elected": ""}, None, "out of reach"),
        ({"stage": Stage.STARTING}, ONE, "just elected"),
    ],
)
def test_what_the_elected_node_answers_is_refused_with_where_that_is(
    known: dict[str, Any], elected: str | None, says: str
) -> None:
    app = node(standing(**known))
    for method, path in (("GET", "/"), ("GET", "/-/elected"), ("POST", "/v1/events"), ("PUT", "/a/b/c")):
        answer = ask(app, method, path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["elected"] == elected
        assert says in answer.json()["detail"]
    assert ask(app, "GET", "/-/healthy").status_code == 200


def test_who_asks_where_events_are_posted_is_sent_to_the_elected_node() -> None:
    app = node(standing([Taker()]))
    assert ask(app, "POST", "/v1/events").json() == {"accepted": 1}
    answer = ask(app, "GET", "/v1/events")
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["elected"]) == (503, "1", ONE)
    assert ask(app, "HEAD", "/-/healthy").status_code == 200


def test_a_node_that_stands_by_is_ready_and_says_of_each_role_how_it_is() -> None:
    answer = ask(node(standing([Taker()])), "GET", "/-/ready")
    assert (answer.status_code, answer.json()) == (
        200,
        {"roles": {"ingest": "ready", "evaluate": "standby", "deliver": "standby"}},
    )


@pytest.mark.parametrize(
    ("parts", "known", "wrong"),
    [
        ([Taker("inbox: full")], {}, {"ingest": "inbox: full"}),
        ([Taker()], {"why": "db: gone"}, {"evaluate": "db: gone", "deliver": "db: gone"}),
    ],
)
def test_a_node_of_which_a_role_cannot_work_is_not_ready(
    parts: list[Part], known: dict[str, Any], wrong: dict[str, str]
) -> None:
    answer = ask(node(standing(parts, **known)), "GET", "/-/ready")
    assert answer.status_code == 503
    assert {role: said for role, said in answer.json()["roles"].items() if said not in ("ready", "standby")} == wrong
    assert all(f"{role}: {said}" in answer.json()["detail"] for role, said in wrong.items())


def test_a_part_answers_what_is_its_own() -> None:
    app = node(standing([Taker()]))
    assert ask(app, "POST", "/v1/events").json() == {"accepted": 1}
    assert ask(app, "GET", "/v1/alerts").status_code == 503


def test_the_roles_of_an_elected_node_are_ready_unless_its_service_is_not() -> None:
    elected = Standing(frozenset({Role.INGEST, Role.EVALUATE}), [Taker()], stage=Stage.ELECTED, why="")
    assert elected.by_role() == {"ingest": "ready", "evaluate": "ready"}
    assert elected.by_role("core: busy") == {"ingest": "ready", "evaluate": "core: busy"}


def test_a_request_ends_where_it_began_and_the_next_one_goes_to_whoever_is_on() -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()
    seen: list[str] = []

    async def first(_: Scope, __: Receive, ___: Send) -> None:
        entered.set()
        await go_on.wait()
        seen.append("first")

    async def second(_: Scope, __: Receive, ___: Send) -> None:
        seen.append("second")

    async def nothing() -> Any:
        return {}

    async def send(_: Any) -> None:
        pass

    async def play() -> None:
        switch = Switch(first, start=nothing, stop=nothing)
        slow = asyncio.create_task(switch({"type": "http"}, nothing, send))
        await entered.wait()
        switch.to(second)
        await switch({"type": "http"}, nothing, send)
        go_on.set()
        await slow

    asyncio.run(play())
    assert seen == ["second", "first"]


def test_the_server_waits_for_the_nodes_beginning_and_for_its_end() -> None:
    seen: list[str] = []

    async def begin() -> None:
        seen.append("begun")

    async def end() -> None:
        seen.append("ended")

    async def unasked(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError("an application's own lifespan is not run")

    async def send(message: Any) -> None:
        seen.append(message["type"])

    async def receive() -> dict[str, str]:
        return {"type": "lifespan"}

    asyncio.run(Switch(unasked, start=begin, stop=end)({"type": "lifespan"}, receive, send))
    assert seen == ["begun", "lifespan.startup.complete", "ended", "lifespan.shutdown.complete"]


def test_a_node_without_parts_can_be_scraped_and_says_that_it_is_not_elected() -> None:
    answer = ask(node(standing()), "GET", "/metrics")

    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert "claxon_elected 0.0" in lines
    assert any(line.startswith("claxon_build_info{") for line in lines)
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert not any(line.startswith("claxon_elections_total ") for line in lines)


def test_nothing_that_is_counted_is_shown_before_it_is_known_to_whom() -> None:
    exposed = create_standby(standing(), Keys(exposed=True), knows_keys=lambda: True)
    unread = create_standby(standing(), Keys(), knows_keys=lambda: False)

    assert ask(exposed, "GET", "/metrics").status_code == 401
    answer = ask(unread, "GET", "/metrics")
    assert (answer.status_code, answer.json()["detail"]) == (503, "keys: not read yet: ask again")
