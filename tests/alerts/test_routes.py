"""alerts/routes.py: which routes tell of an alert, what they are called, and what they inherit."""

from __future__ import annotations

from alerts.matchers import parse_matchers
from alerts.routes import Route

TREE = Route(
    receiver="root",
    routes=(
        Route(
            receiver="pager",
            matchers=parse_matchers('severity="page"'),
            routes=(
                Route(receiver="chat", matchers=parse_matchers('app="chat"'), proceed=True),
                Route(receiver="pager", matchers=parse_matchers('team=~"a|b"')),
            ),
        ),
        Route(receiver="log", matchers=parse_matchers('severity="page"')),
        Route(receiver="tickets", matchers=parse_matchers('severity="ticket",app!="x"'), proceed=True),
        Route(receiver="tickets", matchers=parse_matchers('app!="x",severity="ticket"')),
    ),
)


def told(**labels: str) -> list[tuple[str, str]]:
    return [(matched.route.receiver, matched.id) for matched in TREE.matches(labels)]


def test_the_root_tells_of_what_no_route_takes() -> None:
    assert told(severity="none") == [("root", "{}")]


def test_the_deepest_route_tells_and_ends_the_search() -> None:
    assert told(severity="page") == [("pager", '{}/{severity="page"}/0')]
    assert told(severity="page", team="a") == [("pager", '{}/{severity="page"}/0/{team=~"a|b"}/1')]


def test_continue_asks_the_next_sibling_too() -> None:
    assert told(severity="page", app="chat", team="b") == [
        ("chat", '{}/{severity="page"}/0/{app="chat"}/0'),
        ("pager", '{}/{severity="page"}/0/{team=~"a|b"}/1'),
    ]
    # Its `continue` counts on its own level: the parent has none, so "log" is not asked.
    assert told(severity="page", app="chat") == [("chat", '{}/{severity="page"}/0/{app="chat"}/0')]


def test_routes_alike_share_their_key_and_not_their_id() -> None:
    one, other = TREE.matches({"severity": "ticket"})

    assert one.key == other.key == '{}/{app!="x",severity="ticket"}'
    assert (one.id, other.id) == (f"{one.key}/2", f"{one.key}/3")
    assert TREE.receivers({"severity": "ticket"}) == ["tickets"]


def test_a_route_that_does_not_match_tells_nobody() -> None:
    assert TREE.routes[0].matches({"severity": "ticket"}) == []
    assert TREE.routes[0].receivers({}) == []


def test_every_route_of_the_tree_is_walked_parents_first() -> None:
    walked = list(TREE.walk())

    assert [matched.route.receiver for matched in walked] == [
        "root",
        "pager",
        "chat",
        "pager",
        "log",
        "tickets",
        "tickets",
    ]
    assert len({matched.id for matched in walked}) == 7
