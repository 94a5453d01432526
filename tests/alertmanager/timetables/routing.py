"""Who is told: the tree of routes, receivers and their integrations."""

from __future__ import annotations

from ..timetable import Timetable, ends, fires, route

BOTH = {"page": ({},), "mail": ({},)}

ROUTING = (
    Timetable(
        name="first-match",
        shows="the first route that matches takes an alert, and what none matches stays with the parent",
        receivers=BOTH,
        route=route(routes=[{"receiver": "mail", "matchers": ["x=1"]}, {"receiver": "page", "matchers": ["x=~.+"]}]),
        steps=(fires(0, "a x=1", "a x=2", "a"),),
        seconds=3,
        told=("1 mail: +a x=1", "1 page: +a x=2", "1 page: +a"),
    ),
    Timetable(
        name="continue",
        shows="with `continue` the routes after it are tried, too",
        receivers=BOTH,
        route=route(
            routes=[
                {"receiver": "mail", "matchers": ["x=1"], "continue": True},
                {"receiver": "page", "matchers": ["alertname=a"]},
            ]
        ),
        steps=(fires(0, "a x=1", "a x=2"), ends(2, "a x=1")),
        seconds=5,
        told=("1 mail: +a x=1", "1 page: +a x=1 +a x=2", "3 mail: -a x=1", "3 page: -a x=1 +a x=2"),
    ),
    Timetable(
        name="one-receiver-by-two-routes",
        shows="a receiver that two routes name is told by each",
        route=route(
            routes=[
                {"matchers": ["x=1"], "continue": True},
                {"matchers": ["y=1"], "group_by": ["y"]},
            ]
        ),
        steps=(fires(0, "a x=1 y=1"),),
        seconds=3,
        told=("1 page: +a x=1 y=1", "1 page: +a x=1 y=1"),
    ),
    Timetable(
        name="nested",
        shows="children inherit receiver, group_by and timers",
        receivers=BOTH,
        route=route(
            group_wait="2s",
            routes=[
                {
                    "receiver": "mail",
                    "matchers": ["x=~.+"],
                    "routes": [{"matchers": ["x=1"], "group_interval": "3s"}, {"matchers": ["x=2"], "group_by": ["y"]}],
                }
            ],
        ),
        steps=(fires(0, "a x=1", "a x=2 y=1", "b x=2 y=1"), fires(3, "a x=1 z=1")),
        seconds=7,
        told=("2 mail: +a x=1", "2 mail: +a x=2 y=1 +b x=2 y=1", "5 mail: +a x=1 +a x=1 z=1"),
    ),
    Timetable(
        name="empty-group-by-inherits",
        shows="group_by [] below a route that groups says nothing: its parent's holds",
        route=route(routes=[{"matchers": ["x=~.+"], "group_by": []}]),
        steps=(fires(0, "a x=1", "b x=1"),),
        seconds=3,
        told=("1 page: +a x=1", "1 page: +b x=1"),
    ),
    Timetable(
        name="own-timers",
        shows="a child's own timers hold for it alone",
        receivers=BOTH,
        route=route(
            routes=[
                {
                    "receiver": "mail",
                    "matchers": ["x=1"],
                    "group_wait": "0s",
                    "group_interval": "3s",
                    "repeat_interval": "2s",
                }
            ]
        ),
        steps=(fires(0, "a x=1", "a x=2"),),
        seconds=7.4,
        told=("0 mail: +a x=1", "1 page: +a x=2", "3 mail: +a x=1", "6 mail: +a x=1"),
    ),
    Timetable(
        name="old-matchers",
        shows="match and match_re mean what they meant",
        receivers=BOTH,
        route=route(routes=[{"receiver": "mail", "match": {"x": "1"}}, {"receiver": "mail", "match_re": {"x": "2|3"}}]),
        steps=(fires(0, "a x=1", "b x=2", "b x=3", "c x=23"),),
        seconds=3,
        told=("1 mail: +a x=1", "1 mail: +b x=2 +b x=3", "1 page: +c x=23"),
    ),
    Timetable(
        name="matchers",
        shows="regular expressions are anchored, and a label that is absent is an empty one",
        receivers={"page": ({},), "negated": ({},), "empty": ({},), "regex": ({},)},
        route=route(
            routes=[
                {"receiver": "regex", "matchers": ['x=~"ab.*"'], "continue": True},
                {"receiver": "empty", "matchers": ['x=""'], "continue": True},
                {"receiver": "negated", "matchers": ["x!=abc", 'x!~"c|d"'], "continue": True},
            ]
        ),
        steps=(fires(0, "a", "a x=abc", "a x=cab", "a x=d"),),
        seconds=3,
        told=("1 regex: +a x=abc", "1 empty: +a", "1 negated: +a +a x=cab", "1 page: +a x=d"),
    ),
    Timetable(
        name="several-webhooks",
        shows="each integration of a receiver is told, the end only where send_resolved is not false",
        receivers={"page": ({}, {"send_resolved": False})},
        steps=(fires(0, "a x=1", "a x=2"), ends(2, "a x=1"), fires(4, "a x=3"), ends(6, "a x=2", "a x=3")),
        seconds=9,
        told=(
            "1 page: +a x=1 +a x=2",
            "1 page[1]: +a x=1 +a x=2",
            "3 page: -a x=1 +a x=2",
            "5 page: +a x=2 +a x=3",
            "5 page[1]: +a x=2 +a x=3",
            "7 page: -a x=2 -a x=3",
        ),
    ),
    Timetable(
        name="send-resolved-false",
        shows="with send_resolved false a message that is due names only what fires, and the last end is not told",
        receivers={"page": ({"send_resolved": False},)},
        steps=(
            fires(0, "a x=1", "a x=2"),
            ends(2, "a x=1"),
            fires(2, "a x=3"),
            ends(4, "a x=2", "a x=3"),
            fires(6, "a x=1"),
        ),
        seconds=9,
        told=("1 page: +a x=1 +a x=2", "3 page: +a x=2 +a x=3", "7 page: +a x=1"),
    ),
    Timetable(
        name="name-of-a-receiver",
        shows="a receiver's name may be any text",
        receivers={"page.eu (1)": ({},)},
        route=route(receiver="page.eu (1)"),
        steps=(fires(0, "a"),),
        seconds=3,
        told=("1 page.eu (1): +a",),
    ),
    Timetable(
        name="max-alerts",
        shows="max_alerts leaves out the others and counts them",
        receivers={"page": ({"max_alerts": 2}, {})},
        steps=(fires(0, "a x=1", "a x=2", "a x=3", "a x=4"),),
        seconds=3,
        told=("1 page: +a x=1 +a x=2 (2 more, firing)", "1 page[1]: +a x=1 +a x=2 +a x=3 +a x=4"),
    ),
    Timetable(
        name="max-alerts-leaves-out-what-fires",
        shows="the status of a message is that of all its alerts, those too that max_alerts left out",
        receivers={"page": ({"max_alerts": 1},)},
        steps=(fires(0, "a x=1", "a x=2"), ends(2, "a x=1")),
        seconds=5,
        told=("1 page: +a x=1 (1 more, firing)", "3 page: -a x=1 (1 more, resolved)"),
        claxon=("1 page: +a x=1 (1 more, firing)", "3 page: -a x=1 (1 more, firing)"),
        improvement="Alertmanager says that all is well, and a bridge closes a page that burns",
    ),
    Timetable(
        name="without-group-by",
        shows="a route without group_by tells of each alert alone and at once",
        route={"receiver": "page"},
        steps=(fires(0, "a x=1", "a x=2"),),
        seconds=3,
        told=(),
        claxon=("0 page: +a x=1", "0 page: +a x=2"),
        improvement="Alertmanager makes one group of everything and waits 30 s; a page should not wait",
    ),
)
