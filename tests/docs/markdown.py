"""What the tests of the pages look at: every Markdown file of the repository, its links, anchors and code blocks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.repository import ROOT, name_of, tree

_READER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: The file's name.
        line: Where the fence begins.
        language: What stands behind the fence; empty: nothing.
        text: What is in it.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return every Markdown file of the repository."""
    return [path for path in tree() if path.suffix == ".md"]


def links(text: str) -> list[str]:
    """Return where the links and pictures of a page lead."""
    found = []
    for token in _inline(text):
        address = token.attrs.get("href") if token.type == "link_open" else token.attrs.get("src")
        if address is not None:
            found.append(str(address))
    return found


@cache
def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    tokens = _READER.parse(text)
    for opened, heading in pairwise(tokens):
        if opened.type == "heading_open":
            slug = _slug("".join(child.content for child in heading.children or ()))
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def blocks() -> list[Block]:
    """Return the fenced blocks of all pages."""
    return [block for path in pages() for block in blocks_of(path.read_text("utf-8"), name_of(path))]


def blocks_of(text: str, page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [
        Block(page=page, line=token.map[0] + 1, language=token.info.strip(), text=token.content)
        for token in _READER.parse(text)
        if token.type == "fence" and token.map is not None
    ]


def path_of(page: str) -> Path:
    """Return the file of a page."""
    return ROOT / page


def _inline(text: str) -> Iterator[Token]:
    for token in _READER.parse(text):
        yield from token.children or ()


def _slug(heading: str) -> str:
    """Return what GitHub makes of a heading: small letters, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
