"""`claxon route`: where an alert would go, and why.

≠ how anything is routed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from .saying import add_json, refuse, say_json, wants_json

FIELDS = {
    "labels": "the alert's",
    "at": "the instant that time intervals were asked for, Unix seconds",
    "tree": "every route that was asked, from the first, and what its matchers say",
    "told": "who is told, in order: receiver, grouping, what keeps it quiet",
    "inhibitors": "what could mute it",
    "escalations": "what happens while nobody acknowledges",
}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    route = commands.add_parser(
        "route",
        help="say where an alert would go, and why",
        description="Says which receivers an alert with these labels would be told to by a configuration: each route "
        "that is asked and what its matchers say, how the alert is grouped, which time intervals keep it quiet, what "
        "would have to fire to mute it, who is told if nobody acknowledges. Ends with 2 if it cannot say. Sends "
        "nothing, and needs no secret.",
    )
    route.add_argument("labels", nargs="+", metavar="LABEL=VALUE", help="such as app=chat severity=page")
    route.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: pages go to the console)")
    route.add_argument("--at", default="0s", metavar="TIME", help="how long ago, or RFC 3339; default: now")
    route.add_argument("--format", default="text", choices=["text", "json"])
    add_json(route, FIELDS, exits={0: "done", 2: "cannot say"})
    route.set_defaults(command=_route)


def _route(options: argparse.Namespace) -> int:
    from alerts.routing import explain_routing

    from ..clock import now
    from ..config_file import load_config
    from ..instants import InstantError
    from ..routing_text import routing_text
    from ..yaml_file import ConfigFileError

    try:
        labels = _labels(options.labels)
        at = _instant(options.at, now=now())
        config = load_config(options.config, build_receivers=False).config
    except ConfigFileError as fault:
        return refuse(options, *fault.problems)
    except InstantError as fault:
        return refuse(options, f"--at: {fault}")
    except ValueError as fault:
        return refuse(options, fault)
    routing = explain_routing(config, labels, now=at)
    if wants_json(options):
        say_json(routing, indent=2)
    else:
        print(routing_text(routing))
    return 0


def _instant(text: str, *, now: float) -> float:
    from ..instants import InstantError, parse_instant

    found = parse_instant(text, now=now)
    if found is None or not 0 <= found < 2**37:
        raise InstantError(f"{text[:40]!r}: write how long ago, such as 1h, or a time such as 2026-11-25T03:12:00Z")
    return found


def _labels(texts: Iterable[str]) -> dict[str, str]:
    """Return the labels that arguments say.

    Raises:
        ValueError: One says none, or one is said twice; the text is *value: remedy*.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name.endswith("!") or value.startswith("~"):
            raise ValueError(f"{text[:60]!r}: not a label: write LABEL=VALUE, such as severity=page")
        if name in found:
            raise ValueError(f"{name}: said twice: an alert has one value of a label")
        found[name] = value
    return found
