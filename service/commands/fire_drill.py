"""`claxon fire-drill`: a marked test page to a receiver and its end; a line for each message and integration.

≠ what a drill does.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from . import reached
from .saying import add_json, refuse, say_json, wants_json

if TYPE_CHECKING:
    from ..watch.drill import Drill, Drilled, Leg

DEFAULT_URL = "http://127.0.0.1:5290"

_WORDS = {
    "delivered": "taken",
    "failed": "NOT TAKEN",
    "pending": "NOT TAKEN YET",
    "cancelled": "not sent",
    "unwanted": "not sent: send_resolved is false",
}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    drill = commands.add_parser(
        "fire-drill",
        help="send a marked test page to a receiver, and its end",
        description="Sends a test page, marked [FIRE DRILL], and its end, on the way of every page: through the outbox "
        "of the service that runs. Where none answers it sends directly, with the receivers of the file. "
        "Ends with 0 if every integration took both, 1 if one did not, 2 if it could not be tried.",
    )
    drill.add_argument("receiver", metavar="RECEIVER", help="its name in the configuration")
    drill.add_argument("--url", default=DEFAULT_URL, help="the service (default %(default)s)")
    drill.add_argument("--key", default="", help="a key of scope admin (default: $CLAXON_ADMIN_KEY)")
    drill.add_argument("--config", type=Path, metavar="FILE", help="the configuration, for when no service answers")
    drill.add_argument(
        "--wait", type=float, default=30.0, metavar="SECONDS", help="for each message, default %(default)s"
    )
    add_json(
        drill,
        {
            "receiver": "its name",
            "dedup_key": "of both messages",
            "direct": "whether it went past the outbox, for no service answered",
            "ok": "whether every integration took both messages",
            "integrations": "each: target, ok, trigger and resolve (state, seconds, status, answer)",
        },
        exits={0: "every integration took both", 1: "one did not", 2: "could not be tried"},
        variables=reached.variables("admin"),
    )
    drill.set_defaults(command=_fire_drill)


def _fire_drill(options: argparse.Namespace) -> int:
    key = options.key or os.environ.get("CLAXON_ADMIN_KEY", "")
    try:
        drill = _ask(options.url, key, options.receiver, options.wait)
    except urllib.error.HTTPError as fault:
        with fault:
            return refuse(options, f"{options.url}: {_problem(fault)}")
    except (OSError, ValueError) as fault:
        if options.config is None:
            return refuse(options, f"{options.url}: {fault}: start the service, or name its configuration by --config")
        if not wants_json(options):
            print(f"{options.url}: no service answers ({fault}): sent directly, past the outbox", flush=True)
        return _directly(options)
    return _say(options, drill)


def _ask(url: str, key: str, receiver: str, wait_s: float) -> Drill:
    import msgspec

    from ..watch.drill import Drill

    body = json.dumps({"receiver": receiver, "wait_s": wait_s}).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(f"{url.rstrip('/')}/v1/fire-drill", body, headers)  # noqa: S310 — the user's own
    # Not through a proxy of the environment: the key is for the service alone.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=2 * wait_s + 10) as answer:
        return msgspec.json.decode(answer.read(), type=Drill)


def _directly(options: argparse.Namespace) -> int:
    import asyncio
    import uuid

    from .. import clock
    from ..config_file import ConfigFileError, load_config
    from ..watch.drill import DrillError, run_directly

    try:
        loaded = load_config(options.config)
        drill = asyncio.run(
            run_directly(
                loaded.receivers,
                options.receiver,
                external_url=loaded.config.external_url or options.url,
                drill=str(uuid.uuid4())[:13],
                clock=clock.now,
                steady=clock.monotonic,
            )
        )
    except ConfigFileError as fault:
        return refuse(options, *fault.problems)
    except DrillError as fault:
        return refuse(options, fault)
    return _say(options, drill)


def _say(options: argparse.Namespace, drill: Drill) -> int:
    if wants_json(options):
        say_json(_answer(drill))
        return 0 if drill.ok else 1
    for one in drill.integrations:
        print("\n".join(lines(one)), flush=True)
    print(f"{'ok' if drill.ok else 'FAILED'}: {drill.receiver}: {drill.dedup_key}")
    return 0 if drill.ok else 1


def _answer(drill: Drill) -> dict[str, object]:
    return {
        "receiver": drill.receiver,
        "dedup_key": drill.dedup_key,
        "direct": drill.direct,
        "ok": drill.ok,
        "integrations": [
            {"target": one.target, "ok": one.ok, "trigger": one.trigger, "resolve": one.resolve}
            for one in drill.integrations
        ],
    }


def lines(one: Drilled) -> list[str]:
    """Return how one integration did, as text."""
    return [f"{one.target:<30} {name:<8} {_said(leg)}" for name, leg in (("page", one.trigger), ("end", one.resolve))]


def _said(leg: Leg) -> str:
    took = f" after {leg.seconds:.2f} s" if leg.seconds is not None and leg.state != "cancelled" else ""
    status = f"{leg.status} " if leg.status is not None and str(leg.status) not in leg.answer else ""
    answer = f": {status}{leg.answer}".rstrip(": ") if leg.answer or status else ""
    return f"{_WORDS.get(leg.state, leg.state)}{took}{answer}"


def _problem(fault: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(fault.read()).get("detail", "")
    except (ValueError, AttributeError):
        said = ""
    return f"{fault.code}: {said or fault.reason}"
