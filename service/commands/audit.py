"""`claxon audit`: who changed what, the newest first.

≠ what is kept.
"""

from __future__ import annotations

import argparse

from . import reached
from .data import VARIABLES
from .saying import add_json, refuse, say_json, wants_json


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    audit = commands.add_parser(
        "audit",
        help="say who changed what, the newest first",
        description="Keys made, rotated and revoked, silences, acknowledgements, reloads, fire drills: who, from "
        "where, what it was before. Asks the service that runs, or opens the data folder where none does.",
    )
    audit.add_argument("--who", help="the name of a key, or another actor")
    audit.add_argument("--what", help="such as key.revoked, or what it begins with: key, silence, alert, config, drill")
    audit.add_argument(
        "--subject", help="the name of a key or receiver, the id of a silence, the fingerprint of an alert"
    )
    audit.add_argument("--since", default="", metavar="WHEN", help="how long ago, or RFC 3339")
    audit.add_argument("--limit", type=int, default=100, metavar="N", help="rows at most; default %(default)s")
    audit.add_argument("--format", default="text", choices=["text", "json"])
    reached.add_arguments(audit, scope="read")
    add_json(
        audit,
        {"audit": "the entries, newest first: at, who, via, address, what, subject, before, after"},
        variables=reached.variables("read") | VARIABLES,
    )
    audit.set_defaults(command=_audit)


def _audit(options: argparse.Namespace) -> int:
    import msgspec

    from .. import clock
    from ..asking import Claxon, NotAnswered
    from ..audit import Entry, Wanted, as_text
    from ..instants import InstantError, parse_instant
    from ..storage import audit
    from ..storage.errors import DatabaseError

    limit = max(1, min(options.limit, 1000))
    asked = {name: getattr(options, name) for name in ("who", "what", "subject") if getattr(options, name)}
    try:
        place = reached.reach(options, scope="read")
        if isinstance(place, Claxon):
            query = asked | {"limit": str(limit)} | ({"since": options.since} if options.since else {})
            found = msgspec.json.decode(place.get("/v1/audit", query), type=dict[str, list[Entry]])["audit"]
        else:
            try:
                since = parse_instant(options.since, now=clock.now())
                found = audit.find(place, Wanted(**asked, since=since), limit=limit)
            finally:
                place.close()
    except InstantError as fault:
        return refuse(options, f"--since: {fault}")
    except (NotAnswered, DatabaseError) as fault:
        return refuse(options, fault)
    if wants_json(options):
        say_json({"audit": found})
    else:
        print(as_text(found))
    return 0
