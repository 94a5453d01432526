"""By whom something can be told although an integration fails."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from alerts.config import Config, parse_config
from service.receivers import KINDS
from service.watch import ways
from service.watch.blindness import LABELS

A, B, C = "a/webhook/0", "b/webhook/0", "c/webhook/0"


@pytest.mark.parametrize(
    ("about", "targets", "failing", "fallback", "told"),
    [
        (A, [A, B, C], {A}, "c", ["c"]),
        (A, [A, B, C], {A}, "", ["b", "c"]),
        (A, [A, B, C], {A, C}, "c", ["b"]),  # The fallback fails too.
        (A, [A, B, C], {A}, "a", ["b", "c"]),  # It is the fallback that fails, and has nothing else.
        (A, [A, "a/webhook/1", B], {A}, "a", ["a"]),  # The fallback has another integration.
        (A, [A, B, C], {A, B, C}, "c", ["b", "c"]),  # Nobody works: some may again.
        (A, [A], {A}, "", []),
        ("", [A], {A}, "", ["a"]),
        ("", [A, B], set(), "b", ["b"]),
        ("a/b/webhook/0", ["a/b/webhook/0", "a/webhook/0"], {"a/b/webhook/0"}, "", ["a"]),
    ],
)
def test_the_fallback_is_told_else_all_who_have_an_integration_that_works(
    about: str, targets: list[str], failing: Collection[str], fallback: str, told: list[str]
) -> None:
    assert ways.other_ways(about, targets=targets, failing=failing, fallback=fallback) == told


def config(*, fallback: str = "") -> Config:
    """Return a configuration with a pager for pages, a chat for the rest, and one more."""
    hook = {"webhook_configs": [{"url": "http://127.0.0.1:1/"}]}
    found, problems = parse_config(
        {
            "route": {
                "receiver": "chat",
                "routes": [
                    {"receiver": "pager", "matchers": ["severity=page"]},
                    {"receiver": "tickets", "matchers": ["severity=ticket"]},
                ],
            },
            "receivers": [{"name": name} | hook for name in ("chat", "pager", "tickets")],
            **({"fallback_receiver": fallback} if fallback else {}),
        },
        tuple(KINDS),
    )
    assert problems == []
    return found


def test_a_page_past_the_outbox_goes_where_pages_go_and_to_who_stands_in() -> None:
    assert ways.directly(config(), LABELS) == ["pager", "chat"]
    assert ways.directly(config(fallback="tickets"), LABELS) == ["pager", "tickets"]


def test_by_whom_somebody_can_be_paged_is_read_from_the_routes() -> None:
    targets = ["chat/slack/0", "pager/webhook/0", "pager/console/1", "tickets/webhook/0"]

    assert ways.of_pages(config(), targets) == ["chat/slack/0", "pager/webhook/0"]
    assert ways.of_pages(config(fallback="tickets"), targets) == [
        "chat/slack/0",
        "pager/webhook/0",
        "tickets/webhook/0",
    ]


def test_a_console_is_a_way_only_where_there_is_no_other() -> None:
    assert ways.of_pages(Config(), ["console/console/0"]) == ["console/console/0"]
