"""Keys, sessions, forms and the keyboard in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browsing import Claxon, alert_url, opened, rejected, served

pytestmark = pytest.mark.peer("chromium")

ADMIN = "claxon_admin_0123456789abcdef"
READ = "claxon_read_0123456789abcdef"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Claxon]:
    """A Claxon with keys."""
    keys = {"CLAXON_ADMIN_KEY": ADMIN, "CLAXON_READ_KEY": READ}
    with served(tmp_path_factory.mktemp("locked"), keys=keys) as running:
        yield running


def log_in(page: Page, key: str) -> None:
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("script", [True, False])
def test_somebody_logs_in_acknowledges_and_logs_out(browser: Browser, locked: Claxon, script: bool) -> None:
    app = f"login-{script}".lower()
    locked.post(rejected(app), key=ADMIN)
    with opened(browser, f"{locked.url}/ledger", script=script) as page:
        log_in(page, ADMIN)
        expect(page).to_have_url(f"{locked.url}/ledger")
        page.get_by_role("link", name="Now", exact=True).click()
        page.goto(alert_url(page, app))
        name = page.get_by_label("Your name")
        expect(name).to_have_value("claxon_admin_key")
        name.fill("Ada")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text("Acknowledged by Ada")).to_be_visible()
        assert ADMIN not in page.content()

        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in with your key")).to_be_visible()
        page.goto(locked.url)
        expect(page.get_by_role("heading", name="Log in with your key")).to_be_visible()


def test_a_page_is_live_behind_a_login_and_leads_to_it_when_the_session_ends(browser: Browser, locked: Claxon) -> None:
    with opened(browser, locked.url) as page:
        log_in(page, READ)
        expect(page.locator("#live")).to_have_text("Live")
        locked.post(rejected("behind"), key=ADMIN)
        expect(page.get_by_text("behind (prod): the Claude API rejects the key").first).to_be_visible(timeout=2000)
        # The same browser logs out in another tab.
        other = page.context.new_page()
        other.goto(locked.url)
        other.get_by_role("button", name="Log out").click()
        locked.post(rejected("behind-2"), key=ADMIN)
        page.bring_to_front()
        expect(page.get_by_role("heading", name="Log in with your key")).to_be_visible(timeout=20_000)


def test_a_wrong_key_is_said_and_not_shown(browser: Browser, locked: Claxon) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(locked.url)
    log_in(page, "claxon_read_of-nobody")

    expect(page.get_by_role("alert")).to_contain_text("there is no such key")
    assert "of-nobody" not in page.content()
    context.close()


def test_a_form_of_another_site_changes_nothing(browser: Browser, locked: Claxon, tmp_path: Path) -> None:
    locked.post(rejected("forged"), key=ADMIN)
    context = browser.new_context()
    page = context.new_page()
    page.goto(locked.url)
    log_in(page, ADMIN)
    alert = alert_url(page, "forged")
    form = f'<form method="post" action="{alert}/acknowledge"><input name="name"><button>Win</button></form>'
    (tmp_path / "evil.html").write_text(form)
    page.goto((tmp_path / "evil.html").as_uri())
    page.get_by_role("button").click()
    expect(page.get_by_text("another site may not post here")).to_be_visible()

    page.goto(alert)
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
    # Our own form with another token, had somebody found a way past the above.
    # In one step, for the page renews itself as deliveries end, and its forms with it.
    page.locator("form[action$=acknowledge]").evaluate(
        "form => { form.csrf.value = '0'.repeat(48); form.elements.name.value = 'evil'; form.requestSubmit(); }"
    )
    expect(page.get_by_role("heading", name="You may not do this")).to_be_visible()
    page.goto(alert)
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
    context.close()


def test_the_keyboard_leads_from_page_to_page_and_from_alert_to_alert(browser: Browser, claxon: Claxon) -> None:
    claxon.post(rejected("key-a"), rejected("key-b"))
    with opened(browser, claxon.url) as page:
        expect(page.get_by_text("key-b (prod): the Claude API rejects the key").first).to_be_visible(timeout=20_000)
        page.keyboard.press("j")
        first = page.evaluate("document.activeElement.href")
        page.keyboard.press("j")
        second = page.evaluate("document.activeElement.href")
        page.keyboard.press("k")
        assert page.evaluate("document.activeElement.href") == first != second
        page.keyboard.press("Enter")
        expect(page).to_have_url(first)

        page.keyboard.type("gl")
        expect(page).to_have_url(f"{claxon.url}/ledger")
        page.keyboard.press("/")
        expect(page.get_by_label("App", exact=True)).to_be_focused()
        page.keyboard.type("gs?/jk")
        expect(page.get_by_label("App", exact=True)).to_have_value("gs?/jk")
        expect(page).to_have_url(f"{claxon.url}/ledger")


def test_the_keys_of_one_letter_can_be_switched_off(browser: Browser, claxon: Claxon) -> None:
    """WCAG 2.1.4: who dictates types letters without meaning to."""
    with opened(browser, claxon.url) as page:
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keyboard")
        dialog.get_by_label("Keys of one letter do this").uncheck()
        dialog.get_by_role("button", name="Close").click()
        expect(dialog).to_have_count(0)
        page.keyboard.type("gl")
        expect(page).to_have_url(f"{claxon.url}/")

        page.reload()
        page.keyboard.press("?")
        dialog.get_by_label("Keys of one letter do this").check()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        page.keyboard.type("gl")
        expect(page).to_have_url(f"{claxon.url}/ledger")
