"""Every link of every page leads somewhere, as GitHub shows the pages; test_site.py looks at the site."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.markdown import anchors, links, pages
from tests.support.repository import ROOT, name_of, text_of, tree

LOOPBACK = {"127.0.0.1", "localhost"}


def broken(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead nowhere, each with the reason. Nobody outside is asked."""
    return [f"{link}: {reason}" for link in links(text) if (reason := _wrong(page, link))]


def _wrong(page: Path, link: str) -> str:
    address = urlsplit(link)
    if address.scheme or address.netloc:
        return _wrong_outside(link)
    if link.startswith("/"):
        return "begins with /: write it relative to the page"
    target = (page.parent / unquote(address.path)).resolve() if address.path else page
    if not target.is_relative_to(ROOT):
        return "is outside of the repository"
    if target not in tree():  # by its exact case, and not what git ignores
        return "is a folder: the site has none; name a file of it" if target.is_dir() else "is not there"
    if address.fragment and target.suffix == ".md" and address.fragment not in anchors(target.read_text("utf-8")):
        return "has no such heading"
    return ""


def _wrong_outside(link: str) -> str:
    address = urlsplit(link)
    if address.scheme == "http" and address.hostname in LOOPBACK:
        return ""
    if address.scheme != "https":
        return "is not https"
    if not re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", address.hostname or ""):
        return "has no name of a host"
    return ""


def test_there_are_pages_and_links() -> None:
    """An empty list would let every test below pass."""
    names = {name_of(page) for page in pages()}

    assert {"README.md", "docs/index.md", "client/README.md", "dashboards/README.md"} <= names
    assert sum(len(links(page.read_text("utf-8"))) for page in pages()) > 300


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert broken(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("quickstart.md", ""),
        ("../README.md#figures", ""),
        ("#claxon", ""),
        ("https://semver.org/spec", ""),
        ("http://127.0.0.1:5290/", ""),
        ("Quickstart.md", "is not there"),
        ("../README.md#Figures", "has no such heading"),
        ("howto", "is a folder: the site has none; name a file of it"),
        ("/docs/quickstart.md", "begins with /: write it relative to the page"),
        ("../../elsewhere.md", "is outside of the repository"),
        ("http://semver.org/", "is not https"),
        ("https://semver/", "has no name of a host"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str, reason: str) -> None:
    page = ROOT / "docs/index.md"

    assert broken(page, f"# Claxon\n\n[x]({link})") == ([f"{link}: {reason}"] if reason else [])


def test_headings_have_the_anchors_that_github_gives_them() -> None:
    text = "# `a.b` & c: d\n\n## Who's *there*?\n\n## Twice\n\n## Twice\n"

    assert anchors(text) == {"ab--c-d", "whos-there", "twice", "twice-1"}


def test_every_page_of_the_docs_is_reached_by_links_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in links(text_of(page) or ""):
            target = (page.parent / urlsplit(link).path).resolve()
            if not urlsplit(link).scheme and target.suffix == ".md" and target.exists():
                waiting.append(target)

    assert [name_of(page) for page in pages() if "docs" in page.parts and page not in reached] == []


def test_every_picture_is_shown_on_a_page() -> None:
    shown = {
        (page.parent / link).resolve()
        for page in pages()
        for link in links(page.read_text("utf-8"))
        if "://" not in link
    }

    assert [name_of(path) for path in tree("docs/images") if path not in shown] == []
