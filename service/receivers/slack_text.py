"""Text in Slack's markup, without its magic words; links, instants and buttons.

≠ the layout of a message.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from .text import brief, spoken, width

MAX_TEXT = 3000
MAX_BUTTON_URL = 3000
_MAX_LINK = MAX_TEXT // 2 - 50
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MENTION = re.compile(r"@(?=\S)")

Block: TypeAlias = dict[str, Any]


def mrkdwn(text: str, limit: int) -> str:
    """Return foreign text so that Slack shows it and obeys nothing in it, in `limit` characters.

    `& < >` are escaped, which disarms <!channel>, <@U…> and links; an invisible
    space behind each @ disarms @here and names. It is never cut inside an entity.
    """
    disarmed = _MENTION.sub("@\u200b", brief(text, limit))
    pieces = [_ENTITIES.get(character, character) for character in disarmed]
    if width("".join(pieces)) <= limit:
        return "".join(pieces)
    shown: list[str] = []
    room = limit - 1
    for piece in pieces:
        room -= width(piece)
        if room < 0:
            break
        shown.append(piece)
    return "".join(shown) + "…"


def link(url: str, text: str) -> str:
    """Return a link as text; "" for an address that Slack would refuse."""
    quoted = "".join(_ENTITIES.get(character, character) for character in url.replace("|", "%7C"))
    return f"<{quoted}|{text}>" if url and len(quoted) < _MAX_LINK else ""


def code(text: str) -> str:
    """Return a text to copy; "" for an empty one."""
    shown = mrkdwn(text.replace("`", " "), 150)
    return f"`{shown}`" if shown else ""


def date(at: float) -> str:
    """Return an instant that Slack shows in each reader's own time zone."""
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time_secs}}|{spoken(at)}>"


def buttons(*links: tuple[str, str]) -> list[Block]:
    """Return a row of buttons of (text, address); none for addresses that Slack would refuse."""
    made = [button(text, url) for text, url in links if is_for_a_button(url)]
    return [{"type": "actions", "elements": made}] if made else []


def button(text: str, url: str) -> Block:
    """Return one button that opens an address."""
    return {"type": "button", "text": {"type": "plain_text", "text": text, "emoji": False}, "url": url}


def is_for_a_button(url: str) -> bool:
    """Whether Slack takes the address on a button."""
    return url.startswith(("https://", "http://")) and width(url) <= MAX_BUTTON_URL


def text_object(text: str) -> Block:
    """Return a text that Slack does not search for names and links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def section(text: str) -> Block:
    """Return a paragraph."""
    return {"type": "section", "text": text_object(text)}


def context(text: str) -> Block:
    """Return a line in small print."""
    return {"type": "context", "elements": [text_object(text)]}
