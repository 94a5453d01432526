"""The on-call page in a real browser, against a real `claxon serve`."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import DESK, PHONE, Claxon, Scheme, alert_url, opened, rejected, served

pytestmark = pytest.mark.peer("chromium")

WITHIN_MS = 2000
"""From the fault to the page, without a reload."""

SETTLED_MS = 20_000
"""Until what needs time to be decided is on the page, and until a page renews itself where nothing happens."""


def test_a_fault_is_on_the_page_within_two_seconds_and_without_a_reload(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as claxon, opened(browser, claxon.url) as page:
        expect(page).to_have_title("(0) Claxon")
        expect(page.get_by_role("heading", level=1)).to_have_text("All is quiet")
        page.evaluate("window.neverReloaded = true")

        claxon.post(rejected("checkout"))

        expect(page).to_have_title("(1) Claxon", timeout=WITHIN_MS)
        expect(page.get_by_text("checkout (prod): the Claude API rejects the key").first).to_be_visible()
        expect(page.get_by_text("req_checkout")).to_be_visible()
        assert page.evaluate("window.neverReloaded")
        assert "firing.svg" in str(page.locator("link[rel=icon]").get_attribute("href"))


def test_a_page_whose_server_is_gone_says_that_it_is_old(browser: Browser, tmp_path: Path) -> None:
    """What was true a minute ago must not look as if it were true now."""
    context = browser.new_context()
    page = context.new_page()
    with served(tmp_path) as claxon:
        page.goto(claxon.url)
        expect(page.locator("#live")).to_have_text("Live")

    expect(page.locator("#live")).to_contain_text("what you see is old", timeout=12_000)
    expect(page.locator("html")).to_have_class("scripted stale")
    context.close()


def test_acknowledging_takes_a_name_and_one_press(browser: Browser, claxon: Claxon) -> None:
    claxon.post(rejected("ack"))
    with opened(browser, claxon.url) as page:
        page.goto(alert_url(page, "ack"))
        page.get_by_label("Your name").fill("Ada")
        page.get_by_role("button", name="Acknowledge").click()

        expect(page.get_by_text("Acknowledged by Ada")).to_be_visible()
        expect(page.get_by_role("button", name="Take over")).to_be_visible()
        page.get_by_role("link", name="All alerts").click()
        expect(page.get_by_text("Acknowledged by Ada")).to_be_visible()


def test_what_somebody_types_is_not_taken_away(browser: Browser, claxon: Claxon) -> None:
    claxon.post(rejected("typing"))
    with opened(browser, claxon.url) as page:
        page.goto(alert_url(page, "typing"))
        name = page.get_by_label("Your name")
        name.fill("Ad")

        expect(page.locator("#live")).to_contain_text("Paused while you type", timeout=SETTLED_MS)
        expect(name).to_have_value("Ad")
        expect(name).to_be_focused()


def test_what_somebody_typed_outlives_a_renewal(browser: Browser, claxon: Claxon) -> None:
    claxon.post(rejected("typed"))
    with opened(browser, claxon.url) as page:
        page.goto(alert_url(page, "typed"))
        name = page.get_by_label("Your name")
        name.fill("Ada")
        page.locator("#main").evaluate("main => { main.dataset.old = 'yes'; document.activeElement.blur(); }")

        claxon.post(rejected("typed"))
        expect(page.locator("#main[data-old]")).to_have_count(0, timeout=SETTLED_MS)
        expect(name).to_have_value("Ada")


def test_without_javascript_everything_can_be_read_and_acknowledged(browser: Browser, claxon: Claxon) -> None:
    claxon.post(rejected("plain"))
    with opened(browser, claxon.url, script=False) as page:
        expect(page.get_by_text("reload for the present")).to_be_visible()
        assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
        page.get_by_role("link", name="Acknowledge plain (prod): the Claude API rejects the key").click()
        page.get_by_label("Your name").fill("Grace")
        page.get_by_role("button", name="Acknowledge").click()

        expect(page.get_by_text("Acknowledged by Grace")).to_be_visible()


def test_a_phone_needs_no_sideways_scroll_and_has_room_for_a_thumb(browser: Browser, claxon: Claxon) -> None:
    """Also with words that have no place to break, which is what events may hold."""
    long = {"app": "W" * 64, "environment": "M" * 64, "model": "Q" * 128, "path": "/" + "w" * 199}
    failed = {"status": 500, "error_type": "X" * 200, "error_message": "<b>" + "W" * 480, "request_id": "r" * 128}
    claxon.post(rejected("thumb"), *[{**long, **failed, "call_id": f"c{n}"} for n in range(6)])
    with opened(browser, claxon.url, size=PHONE) as page:
        expect(page.get_by_text("server errors in a row").first).to_be_visible(timeout=SETTLED_MS)
        silence = _silence(page, claxon, "thumb")
        page.goto(claxon.url)
        alerts = _hrefs(page, "main h3 a")
        assert len(alerts) >= 2
        addresses = [claxon.url, f"{claxon.url}/ledger", f"{claxon.url}/silences", silence, *alerts]
        addresses.append(claxon.link("thumb"))
        for address in addresses:
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], address
            assert page.evaluate(_SMALL_TARGETS) == [], address


def test_a_wide_screen_needs_no_sideways_scroll_either(browser: Browser, claxon: Claxon) -> None:
    with opened(browser, claxon.url) as page:
        alerts = _hrefs(page, "main h3 a")
        for address in [claxon.url, f"{claxon.url}/ledger", f"{claxon.url}/silences/new", *alerts]:
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") == DESK["width"], address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_has_the_contrast_that_wcag_asks_for(browser: Browser, claxon: Claxon, scheme: Scheme) -> None:
    claxon.post(rejected("contrast"), *[{"app": "contrast", "environment": "prod", "status": 500}] * 12)
    with opened(browser, claxon.url, scheme=scheme) as page:
        alert, link = alert_url(page, "contrast"), claxon.link("contrast")
        silence = _silence(page, claxon, "contrast")
        for address in (claxon.url, f"{claxon.url}/ledger", alert, link, silence, f"{claxon.url}/silences"):
            page.goto(address)
            assert page.evaluate(_LOW_CONTRAST) == [], address
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (dark == "rgb(13, 16, 20)") == (scheme == "dark")


def test_the_ledger_is_asked_by_its_form_with_and_without_javascript(browser: Browser, claxon: Claxon) -> None:
    claxon.post(rejected("asked"), rejected("unasked"))
    for script in (True, False):
        with opened(browser, claxon.url, script=script) as page:
            page.get_by_role("link", name="The ledger").click()
            page.get_by_label("App", exact=True).fill("asked")
            page.get_by_label("Decision", exact=True).select_option("fired")
            page.get_by_role("button", name="Show").click()

            expect(page.get_by_role("link", name="ClaudeAuthError (page): asked (prod)")).to_be_visible()
            expect(page.get_by_text("unasked")).to_have_count(0)
            expect(page.get_by_label("App", exact=True)).to_have_value("asked")


@pytest.mark.parametrize("script", [True, False])
def test_the_link_of_a_page_acknowledges_with_one_press(browser: Browser, claxon: Claxon, script: bool) -> None:
    app = f"link-{script}".lower()
    claxon.post(rejected(app))
    with opened(browser, claxon.link(app), size=PHONE, script=script) as page:
        button = page.get_by_role("button", name="Acknowledge")
        box = button.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < PHONE["height"]
        button.click()

        expect(page.get_by_text("Acknowledged by somebody with the link")).to_be_visible()
        page.get_by_label("Your name").fill("Ada")
        page.get_by_role("button", name="Take over").click()
        expect(page.get_by_text("Acknowledged by Ada")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_a_silence_is_previewed_made_and_ended_by_its_forms(browser: Browser, claxon: Claxon, script: bool) -> None:
    app = f"quiet-{script}".lower()
    claxon.post(rejected(app))
    with opened(browser, claxon.url, script=script) as page:
        page.goto(alert_url(page, app))
        page.get_by_role("link", name="Silence …").click()
        expect(page.get_by_role("alert").first).to_contain_text("ClaudeAuthError fires now and would be hidden")
        page.get_by_label("Matchers").fill(f'app="{app}"\nseverity="page"')
        page.locator("#for").select_option("1h")
        page.get_by_label("Your name").fill("Ada")
        page.get_by_label("Why").fill("the key is being rotated")
        page.get_by_role("button", name="Silence it all the same").click()
        # The matchers are others than those that were previewed: their preview comes first.
        expect(page.get_by_role("heading", name="What it would hide")).to_be_visible()
        page.get_by_role("button", name="Silence it all the same").click()

        made = page.locator(".silence-active", has_text=app)
        expect(made).to_contain_text("Holds back 1")
        expect(made).to_contain_text("the key is being rotated")
        made.get_by_text("Extend or end").click()
        made.get_by_label("Your name").fill("Grace")
        made.get_by_role("button", name="End it now").click()
        expect(page.locator(".silence-expired", has_text=app)).to_be_visible()
        expect(page.locator(".silence-active", has_text=app)).to_have_count(0)


@pytest.mark.parametrize("script", [True, False])
def test_other_numbers_for_a_rule_are_tried_on_what_happened(browser: Browser, claxon: Claxon, script: bool) -> None:
    app = {"app": f"tried-{script}".lower(), "environment": "prod", "model": "claude-sonnet-5"}
    claxon.post(*[app | {"status": 200}] * 60, *[app | {"status": 529, "final": True}] * 30)
    with opened(browser, claxon.url) as page:
        # It fires with the next whole second, and a trial looks no further than the present.
        expect(page.get_by_text(f"{app['app']} (prod): 33.3 % of Claude calls fail").first).to_be_visible(
            timeout=20_000
        )
    with opened(browser, f"{claxon.url}/rules", script=script) as page:
        page.get_by_role("link", name="Try other numbers on the last 7 days for ClaudeErrorRate/page").click()
        page.get_by_label("above", exact=True).fill("90%")
        page.get_by_role("button", name="Try", exact=True).click()

        expect(page.get_by_role("heading", name="What came of it")).to_be_visible()
        gone = page.get_by_role("row", name=app["app"]).filter(has_text="gone: only with those in force")
        expect(gone.first).to_be_visible()
        expect(page.get_by_label("above", exact=True)).to_have_value("90%")


@pytest.mark.parametrize("name", ["history", "budgets"])
def test_the_history_and_the_budgets_show_an_outage_within_two_seconds(
    browser: Browser, claxon: Claxon, name: str
) -> None:
    app = {"app": f"seen-{name}", "environment": "prod", "model": "claude-sonnet-5"}
    with opened(browser, f"{claxon.url}/{name}") as page:
        expect(page.locator("#live")).to_have_text("Live")
        claxon.post(*[app | {"status": 500, "final": True, "exhausted": True, "call_id": f"c{i}"} for i in range(9)])

        expect(page.locator("#main").get_by_text(app["app"]).first).to_be_visible(timeout=2000)


def _silence(page: Page, claxon: Claxon, app: str) -> str:
    """Make a silence of an app, and return the address of a form with a preview that warns."""
    page.goto(alert_url(page, app))
    form = str(page.get_by_role("link", name="Silence …").evaluate("e => e.href"))
    page.goto(form)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Why").fill("W" * 300)
    page.get_by_role("button", name="Silence it all the same").click()
    expect(page.locator(".silence-active", has_text=app).first).to_be_visible()
    return form


def test_the_keyboard_reaches_the_first_alert_and_shows_where_it_is(browser: Browser, claxon: Claxon) -> None:
    claxon.post(rejected("keyboard"))
    with opened(browser, claxon.url) as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "[document.activeElement.closest('main') !== null, getComputedStyle(document.activeElement).outlineStyle]"
        )

    assert focused == [True, "solid"]


def _hrefs(page: Page, selector: str) -> list[str]:
    return [str(href) for href in page.locator(selector).evaluate_all("links => links.map(a => a.href)")]


_SMALL_TARGETS = """
() => [...document.querySelectorAll("main .button, main button, main input, main select, main textarea, main summary")]
  .map((e) => [e.textContent.trim().slice(0, 40), Math.round(e.getBoundingClientRect().height)])
  .filter(([, height]) => height > 0 && height < 44)
"""

# WCAG 2.2, 1.4.3: 4.5 to 1, or 3 to 1 for large text. Backgrounds are looked up through transparent parents.
_LOW_CONTRAST = """
() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const low = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const words = walker.currentNode.textContent.trim();
    if (!words || e.closest("svg, .unseen, noscript") || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(style.color)), light(ground(e))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) low.add(`${ratio.toFixed(2)}: ${words.slice(0, 40)}`);
  }
  return [...low];
}
"""
