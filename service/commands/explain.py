"""`claxon explain`: why an alert fired, and why an app paged nobody.

≠ how anything is decided.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..settings import DEFAULT_LISTEN
from . import reached
from .saying import add_json, refuse, say_json_text, wants_json


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    explain = commands.add_parser(
        "explain",
        help="say why an alert fired, or all that was decided about an app",
        description="Asks a running Claxon why an alert fired: its numbers, its rule, what it held back, who was told. "
        "With --app it says all that was decided about an app: also why it did not page.",
    )
    explain.add_argument("fingerprint", nargs="?", metavar="FINGERPRINT", help="16 hex digits, as a page shows them")
    explain.add_argument("--app", metavar="APP", help="all that was decided about an app, in place of one alert")
    explain.add_argument(
        "--since", default="1h", metavar="WHEN", help="with --app: how long ago, or RFC 3339; default 1h"
    )
    explain.add_argument("--limit", type=int, default=500, metavar="N", help="with --app: rows at most, the newest")
    explain.add_argument("--url", default=f"http://{DEFAULT_LISTEN}", metavar="URL", help="default %(default)s")
    explain.add_argument("--key-file", type=Path, metavar="FILE", help="holds a key of scope read (or CLAXON_READ_KEY)")
    explain.add_argument("--format", default="text", choices=["text", "json"])
    add_json(
        explain,
        {
            "current*": "the alert as it is, or was last: state, message, alert, ack, silences, held_back",
            "episodes*": "its episodes, newest first",
            "rule*": "the rule as it was then; null for a posted alert",
            "ledger": "decisions, newest first: at, what, labels, value, rule, rule_hash, note",
            "deliveries*": "who was told, and what they answered",
            "held_back*": "what was not told of because of it",
            "telling*": "who is told, and when next",
            "hash*": "with --app: of all decisions so far",
            "decisions*": "with --app: how many there are",
        },
        exits={0: "done", 1: "there is no such alert", 2: "asked for wrongly, or no answer"},
        variables=reached.variables("read"),
    )
    explain.set_defaults(command=_explain)


def _explain(options: argparse.Namespace) -> int:
    from ..asking import Claxon, NotAnswered, read_key
    from ..explanation import AlertAnswer, LedgerAnswer, explain_alert, explain_app

    if (options.fingerprint is None) == (options.app is None):
        return refuse(options, "explain: name either a FINGERPRINT or --app APP")
    try:
        claxon = Claxon(options.url, key=read_key(options.key_file))
        if options.fingerprint is not None:
            body = claxon.get(f"/v1/alerts/{options.fingerprint}")
            text = explain_alert(AlertAnswer.read(body))
        else:
            query = {"app": options.app, "since": options.since, "limit": str(max(1, min(options.limit, 1000)))}
            body = claxon.get("/v1/ledger", query)
            text = explain_app(LedgerAnswer.read(body).ledger, app=options.app, since=options.since)
    except NotAnswered as fault:
        return refuse(options, fault, status=1 if fault.status == 404 else 2)
    if wants_json(options):
        say_json_text(body.decode())
    else:
        print(text)
    return 0
