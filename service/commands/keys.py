"""`claxon keys`: make, list, rotate and revoke keys, in a service that runs or in the folder of one that does not.

≠ how a key is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from . import reached
from .data import VARIABLES
from .saying import add_json, refuse, say_json, wants_json, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..asking import Claxon
    from ..keys.book import Book, Made
    from ..storage.connecting import Connection

_MADE = {
    "key": "the key itself, shown only now",
    "id": "the first 8 digits of its SHA-256",
    "name": "its name",
    "replaced": "those of its name that go on for a while: id, ends_at (Unix seconds; null: without an end)",
    "configuration*": "with --print: what belongs under `keys` of the configuration",
}

_DURATION = "a duration such as 24h, 90d"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands."""
    keys = commands.add_parser(
        "keys",
        help="make, list, rotate and revoke keys",
        description="Asks the service that runs, or opens the data folder where none does. A key is shown once.",
    ).add_subparsers(required=True, metavar="COMMAND")
    _register_create(keys)
    listed = keys.add_parser("list", help="all keys: source, state, when they were used; never a key itself")
    listed.add_argument("--format", default="text", choices=["text", "json"])
    listed.set_defaults(command=_list)
    rotate = keys.add_parser("rotate", help="make a new key in place of one, which goes on for a while")
    rotate.add_argument("name", metavar="NAME", help="of the key")
    rotate.add_argument(
        "--overlap", default="24h", metavar="FOR", help=f"the old key works as long, {_DURATION}; default %(default)s"
    )
    rotate.set_defaults(command=_rotate)
    revoke = keys.add_parser("revoke", help="refuse a key from the next request on")
    revoke.add_argument("name", metavar="NAME", help="of the key; all of that name, if there are more")
    revoke.add_argument("--id", default="", metavar="ID", help="only the one with this id, of those of the name")
    revoke.set_defaults(command=_revoke)
    told = {
        listed: {"keys": "each: name, id, scope, source, state, app, limits, created_at, ends_at, last_used_at, ..."},
        rotate: {name: what for name, what in _MADE.items() if not name.endswith("*")},
        revoke: {
            "name": "of the keys",
            "revoked": "their ids",
            "warning": 'what that leads to, such as a service without an admin key; "" is nothing',
        },
    }
    for parser, fields in told.items():
        reached.add_arguments(parser, scope="admin")
        add_json(parser, fields, variables=reached.variables("admin") | VARIABLES)


def _register_create(keys: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    create = keys.add_parser("create", help="make a key; it alone goes to standard output")
    create.add_argument("name", metavar="NAME", help="of the new key; no other one has it")
    create.add_argument("--scope", default="ingest", choices=["ingest", "read", "admin"], help="default %(default)s")
    create.add_argument("--app", default="", help="the app of events that name none")
    create.add_argument("--only-app", action="store_true", help="refuse events of other apps, one by one")
    create.add_argument("--events-per-second", type=float, default=0.0, metavar="N", help="default: any number")
    create.add_argument("--requests-per-second", type=float, default=0.0, metavar="N", help="default: any number")
    create.add_argument("--burst", default="10s", metavar="FOR", help="so much at once; default %(default)s' worth")
    create.add_argument("--expires", default="", metavar="IN", help=f"{_DURATION}; default: never")
    create.add_argument(
        "--print",
        action="store_true",
        dest="print_only",
        help="keep it nowhere: print it, and the line for `keys` of the configuration",
    )
    reached.add_arguments(create, scope="admin")
    add_json(create, _MADE, variables=reached.variables("admin") | VARIABLES)
    create.set_defaults(command=_create)


def _create(options: argparse.Namespace) -> int:
    from ..keys.book import Asked

    if options.print_only:
        return _print(options)

    def ask(claxon: Claxon) -> bytes:
        posted = {
            name: getattr(options, name)
            for name in ("name", "scope", "app", "only_app", "events_per_second", "requests_per_second", "burst")
        }
        return claxon.ask("POST", "/v1/keys", json.dumps(posted | {"expires_in": options.expires}).encode())

    def make(book: Book) -> Made:
        asked = Asked(
            name=options.name,
            scope=options.scope,
            app=options.app,
            only_app=options.only_app,
            events_per_second=options.events_per_second,
            requests_per_second=options.requests_per_second,
            burst_s=_seconds("--burst", options.burst),
            expires_in_s=_seconds("--expires", options.expires) if options.expires else None,
        )
        return book.create(asked, actor=reached.whoever_runs_this())

    return _made(options, ask, make)


def _rotate(options: argparse.Namespace) -> int:
    def ask(claxon: Claxon) -> bytes:
        return claxon.ask("POST", f"/v1/keys/{options.name}/rotate", json.dumps({"overlap": options.overlap}).encode())

    def make(book: Book) -> Made:
        overlap_s = _seconds("--overlap", options.overlap)
        return book.rotate(options.name, overlap_s=overlap_s, actor=reached.whoever_runs_this())

    return _made(options, ask, make)


def _made(options: argparse.Namespace, ask: Callable[[Claxon], bytes], make: Callable[[Book], Made]) -> int:
    """Have a key made, and show it: the key alone on standard output, so that it can be piped to where it belongs."""

    def there(claxon: Claxon) -> int:
        answer = json.loads(ask(claxon))
        replaced = [(one["id"], one["ends_at"]) for one in answer["replaced"]]
        return _shown(options, answer["key"], answer["id"], replaced)

    def here(book: Book) -> int:
        from ..keys.record import short

        made = make(book)
        replaced = [(short(one.key.sha256), one.ends_at) for one in made.replaced]
        return _shown(options, made.secret, short(made.stored.key.sha256), replaced)

    return _at(options, there, here)


def _shown(options: argparse.Namespace, secret: str, name: str, replaced: list[tuple[str, float | None]]) -> int:
    from ..instants import rfc3339

    if wants_json(options):
        former = [{"id": old, "ends_at": ends_at} for old, ends_at in replaced]
        say_json({"key": secret, "id": name, "name": options.name, "replaced": former})
        return 0
    print(f"The key, shown only now (id {name}):", file=sys.stderr, flush=True)
    print(secret, flush=True)
    for old, ends_at in replaced:
        until = f"until {rfc3339(ends_at)}" if ends_at is not None else "too"
        print(f"The one before it (id {old}) works {until}.", file=sys.stderr)
    return 0


def _revoke(options: argparse.Namespace) -> int:
    def there(claxon: Claxon) -> int:
        query = {"id": options.id} if options.id else None
        answer = json.loads(claxon.ask("DELETE", f"/v1/keys/{options.name}", query=query))
        return _revoked(options, [one["id"] for one in answer["revoked"]], answer["warning"])

    def here(book: Book) -> int:
        from ..keys.record import short

        revoked = book.revoke(options.name, which=options.id, actor=reached.whoever_runs_this())
        return _revoked(options, [short(one.key.sha256) for one in revoked], book.warning())

    return _at(options, there, here)


def _revoked(options: argparse.Namespace, ids: list[str], warning: str) -> int:
    if wants_json(options):
        say_json({"name": options.name, "revoked": ids, "warning": warning})
        return 0
    for one in ids:
        print(f"revoked: {options.name} (id {one}): refused from the next request on")
    if warning:
        warn(options, warning)
    return 0


def _list(options: argparse.Namespace) -> int:
    import msgspec

    from ..keys.listing import Listed, as_text

    def say(found: list[Listed]) -> int:
        if wants_json(options):
            say_json({"keys": found})
        else:
            print(as_text(found))
        return 0

    def there(claxon: Claxon) -> int:
        return say(msgspec.convert(json.loads(claxon.ask("GET", "/v1/keys"))["keys"], list[Listed]))

    def here(book: Book) -> int:
        said = say(book.listed())
        warn(options, "keys of the configuration and the environment are known to a service that runs")
        return said

    return _at(options, there, here)


def _at(options: argparse.Namespace, there: Callable[[Claxon], int], here: Callable[[Book], int]) -> int:
    """Do it in the service that runs, or in the folder of one that does not."""
    from .. import clock
    from ..asking import Claxon, NotAnswered
    from ..keys.book import Book, KeyFault
    from ..storage.errors import DatabaseError

    try:
        place: Claxon | Connection = reached.reach(options, scope="admin")
        if isinstance(place, Claxon):
            return there(place)
        try:
            return here(Book(place, clock=clock.now))
        finally:
            place.close()
    except (NotAnswered, KeyFault, DatabaseError) as fault:
        return refuse(options, fault)


def _seconds(name: str, text: str) -> float:
    from alerts.durations import parse_milliseconds
    from alerts.errors import DurationError

    from ..keys.book import Fault, KeyFault

    try:
        return parse_milliseconds(text) / 1000
    except DurationError as fault:
        raise KeyFault(Fault.INVALID, f"{name}: {fault}") from fault


def _print(options: argparse.Namespace) -> int:
    from ..keys.record import make_key

    key, digest = make_key(options.scope)
    settings: dict[str, object] = {"name": options.name, "scope": options.scope, "sha256": digest}
    if options.app:
        settings["app"] = options.app
    if options.only_app:
        settings["only_app"] = True
    for name in ("events_per_second", "requests_per_second"):
        if rate := getattr(options, name):
            settings[name] = rate
    if options.burst != "10s":
        settings["burst"] = options.burst
    if wants_json(options):
        say_json({"key": key, "id": digest[:8], "name": options.name, "replaced": [], "configuration": settings})
        return 0
    print("The key, shown only now:", file=sys.stderr, flush=True)
    print(key, flush=True)
    print(f"In the configuration, under `keys:`, goes only its hash:\n  - {_flow(settings)}", file=sys.stderr)
    return 0


def _flow(settings: dict[str, object]) -> str:
    import yaml

    return str(yaml.safe_dump(settings, default_flow_style=True, sort_keys=False, width=10_000)).strip()
