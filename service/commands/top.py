"""`claxon top`: what a running Claxon sees, live in a terminal, once, or as JSON.

≠ how it looks.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import DEFAULT_LISTEN
from . import reached
from .saying import add_json, refuse, say_json_text, say_text, wants_json

if TYPE_CHECKING:
    from ..asking import Claxon
    from ..top.view import Sort

_SORTS = ("errors", "rate", "exhausted", "budget", "name")
_FEWEST_S, _MOST_S = 0.2, 3600.0
_TIMEOUT_S = 5.0
_MOST = {"alerts": "1000", "models": "1000"}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    top = commands.add_parser(
        "top",
        help="show what fires and how the models do, live in a terminal",
        description="Asks a running Claxon again and again and shows its state, the alerts that fire, and what came of "
        "each model's attempts in the last five minutes. Keys: q quits, j and k choose an alert, enter shows it, a "
        "acknowledges it, s sorts the models by something else. On what is no terminal it prints all of it once.",
    )
    top.add_argument("--url", default=f"http://{DEFAULT_LISTEN}", metavar="URL", help="default %(default)s")
    top.add_argument("--key-file", type=Path, metavar="FILE", help="holds a key of scope read (or CLAXON_READ_KEY)")
    top.add_argument("--once", action="store_true", help="print all of it once, as text, and end")
    top.add_argument(
        "--interval", type=float, default=1.0, metavar="SECONDS", help="between two questions; default %(default)s"
    )
    top.add_argument("--sort", default="errors", choices=_SORTS, help="which models come first; default %(default)s")
    top.add_argument("--name", default="", metavar="NAME", help="as whom you acknowledge; default: $USER")
    add_json(
        top,
        {
            "at": "when it was gathered, Unix seconds",
            "window_s": "how many seconds of the models are known: less than 300 after a start",
            "claxon": "itself: version, started_at, ready, fault, blind, lag_s, events_per_s, queue, outbox, failing, "
            "silences",
            "counts": "of all alerts: firing, pages, pending, acknowledged",
            "alerts": "those that fire, pages first, then those that are pending: fingerprint, state, alertname, "
            "severity, app, environment, labels, summary, since, measured, errors, blame, advice, request_ids, url, "
            "held_back, ack, silences",
            "more_alerts": "how many are left out",
            "models": "each: app, environment, model, attempts, per_s, errors (by category), failed, absorbed, "
            "exhausted, throttled_s, budget_left, firing",
            "more_models": "how many are left out",
            "quiet_models": "how many others are known, and have made no attempt in that time",
        },
        exits={
            0: "done, or `q`",
            2: "the key may not, or, where it asks once, no answer",
            129: "hung up (SIGHUP)",
            130: "interrupted (Ctrl-C)",
            143: "ended (SIGTERM)",
        },
        variables=reached.variables("read")
        | {
            "USER": "as whom you acknowledge, unless --name says it",
            "TERM": "`dumb`: it is printed once, and without colour",
        },
        lines=True,
    )
    top.set_defaults(command=_top)


def _top(options: argparse.Namespace) -> int:
    from ..asking import Claxon, NotAnswered, read_key
    from ..colour import is_terminal
    from ..top.view import Sort

    if not _FEWEST_S <= options.interval <= _MOST_S:
        return refuse(options, f"--interval: {options.interval:g}: name {_FEWEST_S:g} to {_MOST_S:g} seconds")
    try:
        claxon = Claxon(options.url, key=read_key(options.key_file), timeout_s=_TIMEOUT_S)
        writer = Claxon(options.url, key=read_key(options.key_file, scope="admin"), timeout_s=_TIMEOUT_S)
    except NotAnswered as fault:
        return refuse(options, fault)
    sort = Sort(options.sort)
    if wants_json(options) and not options.once:
        return _stream(options, claxon, sort)
    if wants_json(options) or options.once or not is_terminal(sys.stdout):
        return _once(options, claxon, sort)
    return _live(options, claxon, writer, sort)


def _once(options: argparse.Namespace, claxon: Claxon, sort: Sort) -> int:
    from ..asking import NotAnswered
    from ..colour import wants_colour
    from ..top.asker import ask
    from ..top.cells import painted, written
    from ..top.screen import UNCUT, snapshot
    from ..top.shown import Shown

    try:
        body, top = ask(claxon, sort, most=_MOST)
    except NotAnswered as fault:
        return refuse(options, fault)
    if wants_json(options):
        say_json_text(body.decode())
        return 0
    now = time.monotonic()
    shown = Shown(url=options.url, name="", sort=sort)
    shown.hear(top, now=now)
    cells = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNCUT
    lines = snapshot(shown, cells=cells, now=now)
    if wants_colour(sys.stdout):
        say_text("".join(painted(line, cells, colour=True) + "\n" for line in lines))
    else:
        say_text("\n".join(written(lines)) + "\n")
    return 0


def _stream(options: argparse.Namespace, claxon: Claxon, sort: Sort) -> int:
    """Print an answer a line until somebody ends it; what is no answer goes to standard error, and it goes on."""
    from ..asking import NotAnswered
    from ..top.asker import ask, is_refusal

    try:
        while True:
            try:
                if not say_json_text(ask(claxon, sort, most=_MOST)[0].decode()):
                    return 0
            except NotAnswered as fault:
                refuse(options, fault)
                if is_refusal(fault):
                    return 2
            time.sleep(options.interval)
    except KeyboardInterrupt:
        return 130


def _live(options: argparse.Namespace, claxon: Claxon, writer: Claxon, sort: Sort) -> int:
    from ..colour import wants_colour
    from ..top.asker import Asker
    from ..top.live import Refused, View
    from ..top.shown import Shown
    from ..top.terminal import Terminal

    patience_s = options.interval + 2 * _TIMEOUT_S
    shown = Shown(url=options.url, name=options.name or _user(), sort=sort, patience_s=patience_s)
    try:
        with Terminal(colour=wants_colour(sys.stdout)) as terminal:
            asker = Asker(claxon, writer, interval_s=options.interval, tell=terminal.wake, sort=sort)
            asker.start()
            status = View(terminal, asker, shown).run()
    except Refused as fault:
        return refuse(options, fault)
    except OSError:
        # The terminal is gone, and with it whoever looked at it.
        return 129
    return status


def _user() -> str:
    try:
        return os.environ.get("USER") or getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
