"""A browser logs in with a key, and holds a session; what posts a form had it from us."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from alerts.config import KeyConfig
from service.audit import Actor
from service.keys.book import Asked
from service.keys.sessions import IDLE_S, LASTS_S, MOST, Sessions
from service.settings import hash_key
from tests.service.pages.world import World, claxon

KEYS = {scope: f"claxon_{scope}_0123456789abcdef" for scope in ("ingest", "read", "admin")}
HTML = {"Accept": "text/html,application/xhtml+xml"}
ROOT = Actor(who="root", via="command line")


@pytest_asyncio.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A Claxon with keys, and a rejected call of `checkout`."""
    keys = [KeyConfig(name=f"the {scope} key", scope=scope, sha256=hash_key(key)) for scope, key in KEYS.items()]
    async with claxon(tmp_path, monkeypatch, keys=keys) as running:
        running.client.headers["Authorization"] = f"Bearer {KEYS['ingest']}"
        await running.post({"app": "checkout", "status": 401})
        del running.client.headers["Authorization"]
        yield running


class Browser:
    """Keeps cookies, follows redirects, and asks for pages."""

    def __init__(self, world: World, *, https: bool = False) -> None:
        self.world = world
        transport = world.client._transport
        base = f"http{'s' if https else ''}://127.0.0.1:5290"
        self.client = httpx2.AsyncClient(transport=transport, base_url=base, headers=HTML, follow_redirects=True)

    async def get(self, path: str) -> httpx2.Response:
        return await self.client.get(path)

    async def send(self, page: httpx2.Response, path: str, **fields: str) -> httpx2.Response:
        """Post a form of a page, with the fields that it hides."""
        return await self.client.post(path, data=hidden(page.text) | fields)

    async def log_in(self, scope: str, path: str = "/") -> httpx2.Response:
        return await self.send(await self.get(path), "/login", key=KEYS.get(scope, scope))


def hidden(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))


def alert_of(html: str) -> str:
    found = re.search(r"alerts/([0-9a-f]{16})", html)
    assert found is not None
    return f"/alerts/{found[1]}"


async def test_who_has_no_session_is_led_to_the_form_and_back_to_where_they_were_going(world: World) -> None:
    browser = Browser(world)

    form = await browser.get("/ledger?app=checkout")
    page = await browser.send(form, "/login", key=KEYS["read"])

    assert str(form.url).endswith("/login?next=ledger%3Fapp%3Dcheckout")
    assert (page.status_code, str(page.url)) == (200, "http://127.0.0.1:5290/ledger?app=checkout")
    assert "the read key" in page.text


async def test_no_key_is_in_an_address_a_page_or_a_cookie(world: World) -> None:
    browser = Browser(world)
    pages = [await browser.log_in("admin"), await browser.get("/silences")]
    wrong = await browser.log_in("claxon_admin_of-somebody-else", "/login")

    for page in [*pages, wrong]:
        said = page.text + str(page.url) + str(page.headers) + str(dict(browser.client.cookies))
        assert KEYS["admin"] not in said
        assert "of-somebody-else" not in said
        assert hash_key(KEYS["admin"]) not in said


async def test_the_cookie_is_for_http_alone_and_not_sent_with_what_others_post(world: World) -> None:
    for https, headers in ((False, {}), (True, {}), (False, {"X-Forwarded-Proto": "https"})):
        browser = Browser(world, https=https)
        browser.client.headers.update(headers)
        form = await browser.get("/login")
        browser.client.follow_redirects = False
        # What is behind a proxy is at http:// for Claxon, and at https:// for the browser.
        browser.client.headers["Cookie"] = form.headers["set-cookie"].partition(";")[0]
        answer = await browser.send(form, "/login", key=KEYS["read"])

        name = world.service.forms.cookie("session")
        cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(name))
        assert re.fullmatch(rf"{name}=[\w-]{{43}}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax(; Secure)?", cookie)
        assert cookie.endswith("; Secure") == bool(https or headers)


async def test_a_session_may_what_its_key_may(world: World) -> None:
    reader, admin = Browser(world), Browser(world)
    page = alert_of((await reader.log_in("read")).text)
    await admin.log_in("admin")

    seen = await reader.get(page)
    assert "needs a key of scope <code>admin</code>" in seen.text
    refused = await reader.send(seen, f"{page}/acknowledge", name="Ada")
    assert (refused.status_code, "needs admin" in refused.text) == (403, True)
    done = await admin.send(await admin.get(page), f"{page}/acknowledge", name="Ada")
    assert (done.status_code, "Acknowledged by <bdi>Ada</bdi>" in done.text) == (200, True)
    entries = (await admin.client.get("/v1/audit?what=alert")).json()["audit"]
    assert [(one["who"], one["via"]) for one in entries] == [("the admin key", "page")]


@pytest.mark.parametrize("key", ["ingest", "claxon_read_0123456789abcdeX", ""])
async def test_a_key_that_opens_no_page_begins_no_session(world: World, key: str) -> None:
    browser = Browser(world)

    answer = await browser.log_in(key)

    assert answer.status_code in (401, 403)
    assert "You are not logged in" in answer.text
    assert len(world.service.sessions) == 0


async def test_who_tries_keys_by_the_form_is_not_heard_for_a_while(world: World) -> None:
    browser = Browser(world)
    form = await browser.get("/login")
    answers = [(await browser.send(form, "/login", key=f"claxon_read_guess-number-{n:06}")) for n in range(21)]

    assert [one.status_code for one in answers] == [401] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) > 50
    right = await browser.send(form, "/login", key=KEYS["read"])
    assert right.status_code == 429


async def test_without_the_token_of_the_session_no_form_does_anything(world: World) -> None:
    browser, other = Browser(world), Browser(world)
    page = alert_of((await browser.log_in("admin")).text)
    await other.log_in("admin")
    foreign = hidden((await other.get(page)).text)["csrf"]

    for token in ("", "0" * 48, foreign, "é"):
        answer = await browser.client.post(f"{page}/acknowledge", data={"name": "evil", "csrf": token})
        assert (answer.status_code, "not of this session" in answer.text) == (403, True)
    assert "evil" not in (await browser.get(page)).text


async def test_without_keys_a_form_needs_the_cookie_it_came_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with claxon(tmp_path, monkeypatch) as world:
        await world.post({"app": "checkout", "status": 401})
        browser = Browser(world)
        front = await browser.get("/")
        page = await browser.get(alert_of(front.text))
        path, fields = f"{page.url.path}/acknowledge", hidden(page.text) | {"name": "Ada"}

        stranger = await Browser(world).client.post(path, data=fields)
        site = await browser.client.post(path, data=fields, headers={"Sec-Fetch-Site": "cross-site"})
        done = await browser.client.post(path, data=fields)

    assert "set-cookie" not in front.headers
    assert (stranger.status_code, site.status_code, done.status_code) == (403, 403, 200)
    assert "Acknowledged by <bdi>Ada</bdi>" in done.text


async def test_a_session_changes_nothing_through_the_api(world: World) -> None:
    """A cookie goes along with what another site has a browser post, and the API's requests carry no token."""
    browser = Browser(world)
    await browser.log_in("admin")

    assert (await browser.client.get("/v1/keys", headers={"Accept": "*/*"})).status_code == 200
    for path in ("/v1/keys", "/-/reload", "/v1/fire-drill", "/v1/events", "/api/v2/silences"):
        answer = await browser.client.post(path, json={"name": "evil"}, headers={"Accept": "*/*"})
        assert answer.status_code == 401, path


async def test_a_session_ends_with_its_key_at_the_next_request(world: World) -> None:
    made = await world.core(lambda: world.service.key_book.create(Asked(name="eve", scope="read"), actor=ROOT))
    browser = Browser(world)
    assert (await browser.log_in(made.secret)).url.path == "/"

    await world.core(lambda: world.service.key_book.revoke("eve", actor=ROOT))

    assert (await browser.get("/")).url.path == "/login"
    assert len(world.service.sessions) == 0


async def test_logging_out_ends_the_session_for_whoever_has_its_cookie_too(world: World) -> None:
    browser, thief = Browser(world), Browser(world)
    page = await browser.log_in("read")
    for name, value in browser.client.cookies.items():
        thief.client.cookies.set(name, value, domain="127.0.0.1")
    assert (await thief.get("/")).url.path == "/"

    left = await browser.send(page, "/logout")

    assert left.url.path == "/login"
    assert (await browser.get("/")).url.path == "/login"
    assert (await thief.get("/")).url.path == "/login"
    assert (await world.core(lambda: world.service.core.connection.execute("SELECT * FROM sessions").fetchall())) == []


async def test_a_session_begins_anew_at_each_login(world: World) -> None:
    """Who gave a browser a session of their own must not share the one that it gets."""
    browser = Browser(world)
    await browser.log_in("read")
    first = dict(browser.client.cookies)
    await browser.log_in("admin", "/login")

    name = world.service.forms.cookie("session")
    assert browser.client.cookies[name] != first[name]
    assert len(world.service.sessions) == 1


async def test_a_session_outlives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [KeyConfig(name="reader", scope="read", sha256=hash_key(KEYS["read"]))]
    async with claxon(tmp_path, monkeypatch, keys=keys) as world:
        browser = Browser(world)
        await browser.log_in("read")
    async with claxon(tmp_path, monkeypatch, keys=keys) as again:
        back = Browser(again)
        back.client.cookies = browser.client.cookies
        assert (await back.get("/")).url.path == "/"
        entries = (await back.client.get("/v1/audit?what=session")).json()["audit"]

    assert [(one["what"], one["who"]) for one in entries] == [("session.begun", "reader")]


def test_a_session_is_over_after_twelve_hours_of_nothing_and_after_thirty_days() -> None:
    clock = [1000.0]
    sessions = Sessions(clock=lambda: clock[0])
    used, idle = sessions.begin("a"), sessions.begin("b")
    for _ in range(int(LASTS_S / (IDLE_S - 1))):
        clock[0] += IDLE_S - 1
        assert sessions.find(used) is not None
    assert sessions.find(idle) is None
    clock[0] += IDLE_S - 1
    assert sessions.find(used) is None
    assert len(sessions) == 0


def test_of_too_many_sessions_the_one_unseen_for_longest_goes() -> None:
    sessions = Sessions(clock=iter(range(1_000_000)).__next__)
    first, second = sessions.begin("k"), sessions.begin("k")
    assert sessions.find(first) is not None
    for _ in range(MOST - 1):
        sessions.begin("k")
    assert (sessions.find(first) is not None, sessions.find(second)) == (True, None)


ELSEWHERE = (
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil",
    "a/../../x",
    "..//evil",
    "javascript:alert(1)",
    "a\r\nX: y",
)


@pytest.mark.parametrize("next_", ELSEWHERE)
async def test_the_way_back_leads_to_no_other_site(world: World, next_: str) -> None:
    browser = Browser(world)
    form = await browser.get("/login")
    browser.client.follow_redirects = False
    answer = await browser.send(form, "/login", key=KEYS["read"], next=next_)

    assert answer.status_code == 303
    joined = httpx2.URL("http://claxon.example/login").join(answer.headers["location"])
    assert (joined.scheme, joined.host) == ("http", "claxon.example")
    assert answer.headers["location"].startswith("./")


async def test_a_form_that_was_sent_after_the_session_ended_leads_back_to_its_page(world: World) -> None:
    browser = Browser(world)
    page = await browser.get(alert_of((await browser.log_in("admin")).text))
    await world.wind(IDLE_S + 1)

    browser.client.headers["Referer"] = str(page.url)
    answer = await browser.send(page, f"{page.url.path}/acknowledge", name="Ada")

    assert (answer.url.path, hidden(answer.text)["next"]) == ("/login", page.url.path.lstrip("/"))


async def test_a_program_is_answered_as_before(world: World) -> None:
    client = world.client
    assert (await client.get("/")).status_code == 401
    assert "Basic" in (await client.get("/")).headers["www-authenticate"]
    bearer = {"Authorization": f"Bearer {KEYS['admin']}"}
    page = alert_of((await client.get("/", headers=bearer)).text)
    plain = httpx2.AsyncClient(transport=client._transport, base_url="http://127.0.0.1:5290", headers=bearer)
    assert (await plain.post(f"{page}/acknowledge", data={"name": "script"})).status_code == 303
