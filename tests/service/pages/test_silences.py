"""The silences' page: what is in force, a preview before one is made, and forms that work without a script."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from alerts.config import KeyConfig
from service.settings import hash_key
from tests.service.pages.world import World, claxon

REJECTED = {"app": "checkout", "environment": "prod", "status": 401}
FORM = {"matchers": 'app="checkout"', "for": "2h", "by": "Ada", "comment": "a release"}
KEYS = {scope: f"claxon_{scope}_0123456789abcdef" for scope in ("read", "admin")}


@pytest_asyncio.fixture
async def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    keys = [KeyConfig(name=f"the {scope} key", scope=scope, sha256=hash_key(key)) for scope, key in KEYS.items()]
    async with claxon(tmp_path, monkeypatch, keys=keys) as running:
        yield running


def _previewed(html: str) -> str:
    found = re.search(r'name="previewed" value="([^"]*)"', html)
    assert found is not None
    return found[1]


async def _make(world: World, **changes: str) -> str:
    """Make a silence as a person does, preview first; return its id."""
    form = FORM | changes
    seen = await world.client.post("/silences/preview", data=form)
    answer = await world.client.post("/silences", data=form | {"previewed": _previewed(seen.text)})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"].removeprefix("silences#silence-"))


async def _in_force(world: World) -> list[str]:
    return [s.id for s in await world.core(lambda: list(world.service.core.notifier.state.silences.values()))]


# ── making one ────────────────────────────────────────────────────────────────


async def test_from_an_alert_the_form_has_its_labels_and_says_at_once_what_would_be_hidden(world: World) -> None:
    await world.post(REJECTED)
    name = await world.fingerprint("ClaudeAuthError")

    page = await world.page(f"/alerts/{name}")
    html = await world.page(f"/silences/new?alert={name}")

    assert f'href="../silences/new?alert={name}"' in page
    assert "alertname=&#34;ClaudeAuthError&#34;\nseverity=&#34;page&#34;\napp=&#34;checkout&#34;" in html
    assert "Now: 1 alert" in html
    assert "told: console" in html
    assert "at most 30d" in html


async def test_the_preview_says_what_it_would_have_hidden_in_the_last_week_and_who_was_told(world: World) -> None:
    await world.post(REJECTED, {"app": "search", "status": 401})
    await world.post({**REJECTED, "status": 200}, {"app": "search", "status": 200})
    for _ in range(4):
        await world.wind(300)

    html = (await world.client.post("/silences/preview", data=FORM)).text

    assert "Now: 0 alerts" in html
    assert "In the last 7 days: 1, 1 of them page" in html
    assert "told: console" in html
    assert "search" not in html


async def test_what_ended_over_a_week_ago_is_not_counted(world: World) -> None:
    await world.post(REJECTED)
    await world.post({**REJECTED, "status": 200})
    for _ in range(4):
        await world.wind(300)
    await world.wind(7 * 86_400)

    assert "In the last 7 days: 0" in (await world.client.post("/silences/preview", data=FORM)).text


async def test_to_hide_a_rejected_key_is_allowed_and_warned_of(world: World) -> None:
    await world.post(REJECTED)

    html = (await world.client.post("/silences/preview", data=FORM)).text

    assert html.count('class="alarm" role="alert"') == 2
    assert "ClaudeAuthError fires now and would be hidden" in html
    assert "Silence it all the same" in html
    assert await _in_force(world) == []
    await _make(world)
    assert len(await _in_force(world)) == 1


async def test_a_silence_holds_back_what_it_matches(world: World) -> None:
    name = await _make(world)
    await world.post(REJECTED)

    html = await world.page("/silences")

    assert await world.told() == []
    assert f'id="silence-{name}"' in html
    assert "1 silence is in force" in html
    assert "1 alert that fires is held back" in html
    assert "ClaudeAuthError" in html
    assert "Ends in 1 h 59 min" in html


async def test_what_was_not_previewed_is_previewed_before_it_is_made(world: World) -> None:
    """Whoever widens the matchers after the preview sees what that hides first."""
    seen = _previewed((await world.client.post("/silences/preview", data=FORM)).text)
    wider = FORM | {"matchers": 'app=~".+"', "previewed": seen}

    answer = await world.client.post("/silences", data=wider)

    assert answer.status_code == 200
    assert "What it would hide" in answer.text
    assert await _in_force(world) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"matchers": "app"}, "not a matcher"),
        ({"matchers": 'app=~"("'}, "not a regular expression"),
        ({"matchers": ""}, "matchers: none"),
        ({"matchers": 'app=~".*"'}, "match everything"),
        ({"for": "31d"}, "a silence lasts at most 720 h"),
        ({"for": "soon"}, "soon"),
        ({"begins": "tomorrow"}, "begins:"),
        ({"by": " "}, "createdBy: empty"),
        ({"comment": " "}, "comment: empty: say why"),
    ],
)
async def test_what_nobody_can_answer_for_is_refused_and_the_form_keeps_what_was_written(
    world: World, changes: dict[str, str], said: str
) -> None:
    form = FORM | changes
    seen = await world.client.post("/silences/preview", data=form)

    answer = await world.client.post("/silences", data=form | {"previewed": _previewed(seen.text)})

    assert answer.status_code == 422
    assert said in answer.text
    assert f'value="{form["comment"].strip()}"' in answer.text
    assert await _in_force(world) == []


async def test_one_that_begins_later_waits(world: World) -> None:
    await _make(world, begins="2026-09-21T22:00")
    await world.post(REJECTED)

    html = await world.page("/silences")

    assert "No silence is in force" in html
    assert "Begins in 7 h 46 min" in html
    assert await world.told() == ["first notification"]


# ── changing one ──────────────────────────────────────────────────────────────


async def test_extending_makes_it_longer_and_whoever_does_answers_for_it(world: World) -> None:
    name = await _make(world)

    answer = await world.client.post(f"/silences/{name}/extend", data={"for": "1h", "name": "Grace"})
    html = await world.page("/silences")

    assert answer.headers["location"] == f"../../silences#silence-{name}"
    assert "Ends in 3 h" in html
    assert "<bdi>Grace</bdi>" in html
    assert "made by Ada" in html
    assert "changed by Grace" in html


async def test_ending_one_tells_what_it_hid_and_says_who_did(world: World) -> None:
    name = await _make(world)
    await world.post(REJECTED)

    await world.client.post(f"/silences/{name}/expire", data={"name": "Grace"})
    html = await world.page("/silences")

    assert await world.told() == ["first notification"]
    assert "No silence is in force" in html
    assert "Over, in the last week" in html
    assert "ended early by Grace" in html


async def test_one_that_is_over_is_made_again_with_one_press(world: World) -> None:
    name = await _make(world)
    await world.client.post(f"/silences/{name}/expire", data={"name": "Grace"})

    html = await world.page(f"/silences/new?silence={name}")

    assert "app=&#34;checkout&#34;" in html
    assert 'value="a release"' in html


@pytest.mark.parametrize(
    ("path", "data", "status", "said"),
    [
        ("{}/extend", {"for": "30d"}, 422, "a silence lasts at most 720 h"),
        ("{}/extend", {"for": "x"}, 422, "extend:"),
        ("nothing/extend", {"for": "1h"}, 404, "No such silence"),
        ("nothing/expire", {}, 404, "No such silence"),
    ],
)
async def test_what_cannot_be_changed_is_said(
    world: World, path: str, data: dict[str, str], status: int, said: str
) -> None:
    name = await _make(world)

    answer = await world.client.post(f"/silences/{path.format(name)}", data=data)

    assert answer.status_code == status
    assert said in answer.text
    assert "Ends in 2 h" in await world.page("/silences")


async def test_what_has_ended_is_neither_ended_again_nor_extended(world: World) -> None:
    name = await _make(world)
    await world.client.post(f"/silences/{name}/expire", data={"name": "Grace"})

    for what in ("extend", "expire"):
        answer = await world.client.post(f"/silences/{name}/{what}", data={"for": "1h", "name": "Ada"})
        assert answer.status_code == 422
        assert "has ended already" in answer.text


# ── who may ───────────────────────────────────────────────────────────────────


async def test_a_key_that_may_only_read_sees_the_list_and_no_form(guarded: World) -> None:
    read = {"Authorization": f"Bearer {KEYS['read']}"}

    html = await guarded.client.get("/silences", headers=read)

    assert html.status_code == 200
    assert "New silence" not in html.text
    assert (await guarded.client.get("/silences/new", headers=read)).status_code == 403
    for path in ("/silences", "/silences/preview", "/silences/x/extend", "/silences/x/expire"):
        assert (await guarded.client.post(path, data=FORM, headers=read)).status_code == 403
        assert (await guarded.client.post(path, data=FORM)).status_code == 401


async def test_another_site_cannot_make_a_browser_silence_anything(world: World) -> None:
    evil = {"Origin": "https://evil.example"}

    for path in ("/silences", "/silences/preview", "/silences/x/extend", "/silences/x/expire"):
        assert (await world.client.post(path, data=FORM, headers=evil)).status_code == 403
    assert await _in_force(world) == []


async def test_hostile_words_stay_words(world: World) -> None:
    name = await _make(world, comment="<script>alert(1)</script>\u202e", matchers='app="<img src=x>"')

    html = await world.page("/silences")

    assert "<script>alert" not in html
    assert "<img" not in html
    assert name in html


async def test_every_link_of_the_silences_pages_exists(world: World) -> None:
    await _make(world)
    await world.post(REJECTED)

    for base in ("/silences", "/silences/new"):
        answer = await world.client.get(base)
        for address in set(re.findall(r'(?:href|src)="([^"#]+)', answer.text)):
            assert (await world.client.get(str(answer.url.join(address)))).status_code == 200, address


# ── the API ───────────────────────────────────────────────────────────────────


async def test_the_api_previews_texts_and_alertmanagers_objects_alike(world: World) -> None:
    await world.post(REJECTED)
    written = [
        {"matchers": ['app="checkout"']},
        {"matchers": [{"name": "app", "value": "check.*", "isRegex": True, "isEqual": True}], "comment": "x"},
    ]

    answers = [(await world.client.post("/v1/silences/preview", json=body)).json() for body in written]

    assert answers[0] == answers[1]
    assert [(h["labels"]["alertname"], h["told"]) for h in answers[0]["now"]] == [("ClaudeAuthError", ["console"])]
    assert answers[0]["past_total"] == 0
    assert len(answers[0]["warnings"]) == 2
    assert await _in_force(world) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'{"matchers": []}', 400),
        (b'{"matchers": [1]}', 400),
        (b"\xff", 400),
        (b'{"matchers": ["app"]}', 422),
        (b'{"matchers": [{"name": "a", "value": "(", "isRegex": true}]}', 422),
        (b" " * 70_000, 413),
    ],
)
async def test_what_is_no_list_of_matchers_is_a_problem_that_says_so(world: World, body: bytes, status: int) -> None:
    answer = await world.client.post("/v1/silences/preview", content=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
