"""axe-core looks at every page in Chromium: light, dark and on a phone it finds nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from service.pages.navigation import ENTRIES
from tests.support import npm
from tests.support.browsing import DESK, PHONE, Claxon, Scheme, alert_url, opened, rejected, served

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.peer("npm")]

KEY = "claxon_admin_0123456789abcdef"

_SERIOUS = """
async () => (await axe.run()).violations
  .filter((found) => ["serious", "critical"].includes(found.impact))
  .map((found) => `${found.id}: ${found.nodes.map((n) => n.target.join(" ") + ": " + n.failureSummary).join("; ")}`)
"""


@pytest.fixture(scope="module")
def axe() -> str:
    return (npm.modules(Path(npm.__file__).with_name("axe")) / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def burning(claxon: Claxon, browser: Browser) -> list[str]:
    """The addresses of a Claxon's pages, of which each has something to show."""
    claxon.post(rejected("axe"), rejected("axe-acked"), *[{"app": "axe", "environment": "prod", "status": 500}] * 12)
    with opened(browser, claxon.url) as page:
        expect(page.get_by_text("axe (prod): the Claude API rejects the key").first).to_be_visible(timeout=20_000)
        alert, acked = alert_url(page, "axe"), alert_url(page, "axe-acked")
        page.goto(acked)
        page.get_by_label("Your name").fill("Ada")
        page.get_by_role("button", name="Acknowledge").click()
        page.goto(f"{claxon.url}/silences/new?alert={alert.rpartition('/')[2]}")
        page.get_by_label("Your name").fill("Ada")
        page.get_by_label("Why").fill("axe looks at it")
        page.get_by_role("button", name="Silence it all the same").click()
        expect(page.locator(".silence-active")).to_have_count(1)
    pages = [f"{claxon.url}/{entry.path}" for entry in ENTRIES]
    rest = [f"{claxon.url}/silences/new?alert={alert.rpartition('/')[2]}", f"{claxon.url}/alerts/0123456789abcdef"]
    rest += [f"{claxon.url}/rules/ClaudeErrorRate/page?above=50%25&days=1", f"{claxon.url}/history?since=nonsense"]
    return [*pages, alert, acked, *rest, claxon.link("axe"), f"{claxon.url}/ledger?since=nonsense"]


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")], ids=str
)
def test_axe_finds_nothing_serious(
    browser: Browser, axe: str, burning: list[str], size: dict[str, int], scheme: Scheme
) -> None:
    for address in burning:
        context = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]}, color_scheme=scheme, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(address)
        assert serious(page, axe) == [], address
        if size == PHONE:
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], address
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_login_and_the_help(
    browser: Browser, axe: str, tmp_path: Path, scheme: Scheme
) -> None:
    with served(tmp_path, keys={"CLAXON_ADMIN_KEY": KEY}) as claxon, opened(browser, claxon.url, scheme=scheme) as page:
        assert serious(page, axe) == []
        page.get_by_label("Key").fill(KEY)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        assert serious(page, axe) == []


def test_axe_would_find_what_is_wrong(browser: Browser, axe: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_content('<html lang="en"><title>t</title><main><h1>x</h1><p style="color:#bbb">pale</p></main></html>')

    found = serious(page, axe)
    context.close()

    assert [one.partition(":")[0] for one in found] == ["color-contrast"]


def serious(page: Page, axe: str) -> list[str]:
    """Return what is serious or critical. The page's policy forbids foreign script; the debugger may all the same."""
    page.evaluate(axe)
    return [str(one) for one in page.evaluate(_SERIOUS)]
