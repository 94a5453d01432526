"""`claxon migrate`: the schema of a database that several nodes share, brought further or looked at.

≠ how a step is taken, when a node takes it by itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..placing import read_storage
from .data import VARIABLES, add_data, data_of
from .saying import add_json, refuse, say_json, wants_json, warn

if TYPE_CHECKING:
    from ..storage.nodes import Seen
    from ..storage.upgrading import Status

OLDER_NODES = 1
"""The exit status where a *post* has to wait."""


_WAITS = "migrate: a table is in use: trying again"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    migrate = commands.add_parser(
        "migrate",
        help="bring the schema of a PostgreSQL further, before or after a rolling upgrade",
        description="Brings the schema of a PostgreSQL to this version's. Each step has a part pre, which only adds: "
        "nodes of the version before go on beside it. Some have a part post, which takes away what that version needs, "
        "and which waits until none of its nodes is connected. A node does both by itself: pre at its start, post a "
        "day after the last older node was seen. A folder needs nothing of this. Exit status: 0 done, 1 older nodes "
        "are connected, 2 not done.",
    )
    add_data(migrate)
    migrate.add_argument("--config", type=Path, metavar="FILE", help="configuration, whose storage says where it is")
    what = migrate.add_mutually_exclusive_group()
    what.add_argument("--pre", action="store_true", help="add what this version needs (default)")
    what.add_argument("--post", action="store_true", help="take away what only older versions need, now")
    what.add_argument("--status", action="store_true", help="change nothing; say what is to come, and who is there")
    add_json(
        migrate,
        {
            "taken": "names of the steps that were taken now",
            "schema": "all steps up to this number have had their pre; null of a folder",
            "compatible_from": "a node whose newest schema is below this is refused; null of a folder",
            "known": "the newest schema that this version knows; null of a folder",
            "pre": "names of the steps whose pre is to come",
            "post": "names of the steps whose post is to come",
            "older": "connections of older nodes, for which that post waits",
            "nodes": "each run of a node that was there within a week: id, node, roles, version, schema, started_at "
            "(Unix seconds), silent_s, alive, elected",
        },
        exits={0: "done", OLDER_NODES: "older nodes are connected", 2: "not done"},
        variables=VARIABLES,
    )
    migrate.set_defaults(command=_migrate)


def _migrate(options: argparse.Namespace) -> int:
    from ..storage import upgrading
    from ..storage.errors import DatabaseError, OlderNodesError, StorageError
    from ..yaml_file import ConfigFileError

    try:
        place = data_of(options, read_storage(options.config))
        taken: Sequence[str] = ()
        if options.post:
            taken = upgrading.run_post(place)
        elif not options.status:
            taken = upgrading.run_pre(place, on_wait=lambda: warn(options, _WAITS))
        status = upgrading.status(place)
    except OlderNodesError as fault:
        return refuse(options, fault, status=OLDER_NODES)
    except (ConfigFileError, StorageError, DatabaseError) as fault:
        return refuse(options, fault)
    if wants_json(options):
        say_json(_answer(status, taken))
    else:
        _say(status, taken)
    return 0


def _answer(status: Status | None, taken: Sequence[str]) -> dict[str, object]:
    return {
        "taken": taken,
        "schema": status.schema if status else None,
        "compatible_from": status.compatible_from if status else None,
        "known": status.known if status else None,
        "pre": status.pre if status else (),
        "post": status.post if status else (),
        "older": status.older if status else 0,
        "nodes": [_as_json(one) for one in status.nodes] if status else (),
    }


def _as_json(seen: Seen) -> dict[str, object]:
    node = seen.node
    return {
        "id": node.id,
        "node": node.node,
        "roles": node.roles,
        "version": node.version,
        "schema": node.schema,
        "started_at": seen.started_at,
        "silent_s": round(seen.silent_s, 3),
        "alive": seen.alive,
        "elected": seen.elected,
    }


def _say(status: Status | None, taken: Sequence[str]) -> None:
    if status is None:
        print("a folder: `claxon serve` brings it up to date by itself")
        return
    if taken:
        print(f"done:         {', '.join(taken)}")
    print(
        f"schema:       {status.schema}, for nodes that know {status.compatible_from} or later; this one {status.known}"
    )
    print(f"to add:       {', '.join(status.pre) or 'nothing'}")
    waits = f", as soon as {status.older} connections of older nodes are gone" if status.older else ""
    print(f"to take away: {', '.join(status.post) or 'nothing'}{waits}")
    for one in status.nodes:
        if one.alive:
            node, how = one.node, ", elected" if one.elected else ""
            print(f"node:         {node.node} {node.roles}, {node.version}, knows schema {node.schema}{how}")
