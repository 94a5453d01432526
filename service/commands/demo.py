"""`claxon demo`: two minutes of faults, pages and resolves, on this machine alone.

≠ what happens in it.
"""

from __future__ import annotations

import argparse
import sys

from ..settings import SettingsError, parse_listen
from .saying import add_json, refuse, say_json, wants_json


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    demo = commands.add_parser(
        "demo",
        help="two minutes: faults, pages, resolves, on this machine alone",
        description="Runs a service, a fake Claude API and five apps, breaks one thing after another and shows what "
        "Claxon makes of it. Then it goes on serving, if a person is there to look.",
    )
    demo.add_argument("--exit", action="store_true", help="end after the last step, do not go on serving")
    demo.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="default: a free port of 127.0.0.1")
    add_json(
        demo,
        {
            "text*": "what is said to people",
            "step*": "the number of the step that begins",
            "alertname*": "of the page that came",
            "seconds*": "how long that took from the fault on",
            "missed*": "a promise that was not kept",
            "notification*": "a page or its end, as the console receiver prints it",
        },
        exits={0: "everything happened that it promises", 1: "something did not", 2: "not started", 130: "interrupted"},
        lines=True,
    )
    demo.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> int:
    from ..demo.show import run

    try:
        host, port = parse_listen(options.listen)
        say = _say if wants_json(options) else None
        return run(host=host, port=port, wait=not options.exit and sys.stdin.isatty(), say=say)
    except SettingsError as fault:
        return refuse(options, fault)


def _say(said: dict[str, object]) -> None:
    say_json(said | {"text": str(said["text"]).strip()})
