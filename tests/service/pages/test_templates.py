"""What holds of every template: no inline script or style, and no form that another site could post."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.pages import navigation
from tests.service.pages.world import World

FOLDER = Path(navigation.__file__).parent / "templates"
TEMPLATES = sorted(path.name for path in FOLDER.glob("*.html"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_inline_script_style_or_handler(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")

    assert re.findall(r"<script(?![^>]*\ssrc=)", text) == []
    assert re.findall(r"<style|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:", text) == []


@pytest.mark.parametrize("name", sorted(set(TEMPLATES) - {"link.html"}))
def test_a_form_that_posts_carries_the_token(name: str) -> None:
    """All but that of a signed link: its address is the proof."""
    text = (FOLDER / name).read_text("utf-8")
    forms = re.findall(r"<form\s[^>]*method=\"post\".*?</form>", text, re.DOTALL)

    assert len(forms) == text.count('method="post"')
    assert all("{{ csrf }}" in form for form in forms)


async def test_every_page_of_the_row_is_there_and_marks_itself(world: World) -> None:
    letters = [entry.letter for entry in navigation.ENTRIES]
    assert len(set(letters)) == len(letters)

    for entry in navigation.ENTRIES:
        html = await world.page(f"/{entry.path}")
        marked = re.findall(r'data-letter="(\w)" aria-current="page"', html)
        assert marked == [entry.letter], entry.path
        headers = (await world.client.get(f"/{entry.path}")).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self';")


async def test_whoever_has_only_a_link_is_not_led_to_pages_that_ask_for_a_key(world: World) -> None:
    await world.post({"app": "checkout", "status": 401})
    link = world.service.acknowledge_url(await world.fingerprint("ClaudeAuthError"), 1)

    assert 'aria-label="Pages"' not in await world.page(link)
