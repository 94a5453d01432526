"""The site that `make docs` builds: strict, whole, and without a word to any other host."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.markdown import pages
from tests.support.docs_site import build_site
from tests.support.peers import CHROMIUM_ARGUMENTS, chromium_path
from tests.support.repository import name_of

pytestmark = pytest.mark.peer("docs")

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""What a page loads by itself, and where it says from where."""


@dataclass
class Page(HTMLParser):
    """A page as a browser reads it: where its links lead, what it loads, which anchors it has."""

    text: str
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of an element."""
        said = {name: value or "" for name, value in attrs}
        self.anchors |= {said["id"]} if "id" in said else set()
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        if tag in LOADS and LOADS[tag] in said:
            self.loads.append(said[LOADS[tag]])


@cache
def parsed(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("docs"))


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """The site's address on a server of this process."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_page_of_the_docs_is_on_the_site(site: Path) -> None:
    expected = {name_of(page).replace(".md", ".html") for page in pages() if name_of(page).startswith("docs/")}
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}

    assert expected - built == set()
    assert {"index.html", "search.html", "README.html", "client/README.html", "dashboards/README.html"} <= built


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    wrong = []
    for path in site.rglob("*.html"):
        for link in {*parsed(path).links, *parsed(path).loads}:
            to = urlsplit(link)
            if to.scheme:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            if not target.is_file():
                wrong.append(f"{path.relative_to(site)}: {link}: is not there")
            elif to.fragment and target.suffix == ".html" and unquote(to.fragment) not in parsed(target).anchors:
                wrong.append(f"{path.relative_to(site)}: {link}: has no such place")

    assert wrong == []
    assert sum(len(parsed(path).links) for path in site.rglob("*.html")) > 2000


def test_no_page_or_style_loads_anything_from_another_host(site: Path) -> None:
    of_pages = {load for path in site.rglob("*.html") for load in parsed(path).loads}
    of_styles = {
        load
        for path in site.rglob("*.css")
        for load in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]+)", path.read_text())
    }

    assert {load for load in of_pages | of_styles if urlsplit(load).netloc} == set()


def test_a_browser_finds_a_word_follows_the_dark_and_calls_no_other_host(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_ARGUMENTS))
        page = browser.new_page(color_scheme="dark", viewport={"width": 390, "height": 844})
        asked: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))

        page.goto(f"{address}/index.html")
        page.wait_for_url("**/docs/index.html")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        page.goto(f"{address}/search.html?q=Wilson")
        page.get_by_role("link", name="How Claxon decides").first.wait_for(timeout=10_000)
        browser.close()

    assert max(int(part) for part in re.findall(r"\d+", dark)[:3]) < 60
    assert wide <= 0
    assert [url for url in asked if not url.startswith(address)] == []
    assert errors == []
