"""command: `python -m claxon deferred`, to look into a queue and to drive dead letters again.

Prompts are shown only where `--content` asks for them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..arguments import fault_line, harmless
from .errors import LaterError, StoreUnavailable
from .job import Job, State
from .queue import VARIABLE, DeferredCalls
from .sqlite_store import SqliteStore
from .store import SHAPES

FAILED = 1
ASKED_WRONGLY = 2
MOST = 100

Commands = Any
"""What argparse's `add_subparsers` returns: its class has no public name."""


def register(commands: Commands) -> None:
    """Add `deferred` to a parser."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--queue", metavar="URL", help=f"such as {SHAPES}; default: the variable {VARIABLE}")
    common.add_argument("--json", action="store_true", help="write JSON, for programs")
    parser = commands.add_parser("deferred", parents=[common], help="look into a queue of deferred calls")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def add(name: str, action: Callable[[DeferredCalls, argparse.Namespace], int], what: str) -> Any:
        made = actions.add_parser(name, parents=[common], help=what)
        made.set_defaults(command=_run, action=action)
        return made

    listing = add("list", _list, "jobs, the earliest due first, then those that ended")
    listing.add_argument("--state", choices=[state.value for state in State], help="only these; default: all")
    listing.add_argument("--most", type=int, default=MOST, metavar="N", help="default %(default)s")
    listing.add_argument("--content", action="store_true", help="with --json: prompts too")
    show = add("show", _show, "one job")
    show.add_argument("id", help="its id or key")
    show.add_argument("--content", action="store_true", help="the arguments of the call, prompt and all")
    add("stats", _stats, "how many jobs there are")
    retry = add("retry", _retry, "make a dead or waiting job due now")
    which = retry.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="?", help="its id or key")
    which.add_argument("--dead", action="store_true", help="all dead jobs")
    add("drop", _drop, "forget a job, whatever its state").add_argument("id", help="its id or key")
    purge = add("purge", _purge, "forget jobs that are done, and their keys")
    purge.add_argument(
        "--done", action="store_true", required=True, help="say so: a key that is forgotten is new again"
    )
    purge.add_argument("--older-s", type=float, default=0.0, metavar="S", help="done at least so long ago")


def _run(options: argparse.Namespace) -> int:
    url = getattr(options, "queue", "") or os.environ.get(VARIABLE, "")
    options.json = getattr(options, "json", False)
    try:
        queue = _open(url)
    except LaterError as error:
        return _failed(options, error, ASKED_WRONGLY)
    action: Callable[[DeferredCalls, argparse.Namespace], int] = options.action
    try:
        return action(queue, options)
    except StoreUnavailable as error:
        return _failed(options, error, FAILED)
    except LaterError as error:
        return _failed(options, error, FAILED)
    finally:
        queue.close()


def _open(url: str) -> DeferredCalls:
    if not url:
        raise LaterError(f"--queue: missing: give a URL like {SHAPES}, or set {VARIABLE}")
    queue = DeferredCalls(url)
    if isinstance(queue.store, SqliteStore) and not queue.store.path.exists():
        raise LaterError(f"{queue.store}: no such file: give the path with which the app made the queue")
    return queue


def _failed(options: argparse.Namespace, error: Exception | str, status: int) -> int:
    sys.stderr.write(fault_line(str(error)) if options.json else f"deferred: {error}\n")
    return status


def _say(text: str) -> int:
    sys.stdout.write(text + "\n")
    return 0


def _say_json(value: object) -> int:
    return _say(harmless(json.dumps(value, ensure_ascii=False, indent=2)))


def _list(queue: DeferredCalls, options: argparse.Namespace) -> int:
    found = queue.jobs(options.state, most=options.most)
    if options.json:
        return _say_json([_described(job, content=options.content) for job in found])
    rows = [("ID", "STATE", "RUNS", "WHEN", "KEY", "WHY"), *(_row(job) for job in found)]
    return _say("\n".join(_aligned(rows)))


def _row(job: Job) -> tuple[str, ...]:
    why = str(job.reason) if job.reason is not None and job.state is not State.DONE else "-"
    key = "".join(letter if letter.isprintable() else "?" for letter in job.key)
    return job.id, job.state, str(job.runs), _when(job), key, why


def _when(job: Job) -> str:
    if job.ended_at is not None:
        return f"{_span(time.time() - job.ended_at)} ago"
    left = job.due_at - time.time()
    if job.state is State.RUNNING:
        return f"leased {_span(left)}" if left > 0 else "lease over"
    return f"in {_span(left)}" if left > 0 else "now"


def _span(seconds: float) -> str:
    seconds = max(0.0, seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _aligned(rows: list[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _show(queue: DeferredCalls, options: argparse.Namespace) -> int:
    job = queue.find(options.id)
    if job is None:
        return _failed(options, f"{options.id}: no such job: see `list`", FAILED)
    described = _described(job, content=options.content)
    if options.json:
        return _say_json(described)
    width = max(map(len, described))
    return _say("\n".join(f"{name.ljust(width)}  {_cell(value)}" for name, value in described.items()))


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _described(job: Job, *, content: bool) -> dict[str, Any]:
    """Return a job for people and programs; without its prompt, unless that was asked for."""
    arguments = job.arguments
    said = {
        "id": job.id,
        "key": job.key,
        "state": job.state.value,
        "runs": job.runs,
        "lost": job.lost,
        "deferred_at": _instant(job.deferred_at),
        "due_at": _instant(job.due_at) if job.ended_at is None else None,
        "ended_at": _instant(job.ended_at),
        "reason": None if job.reason is None else msgspec.to_builtins(job.reason),
        "resource": job.resource,
        "model": arguments.get("model"),
        "max_tokens": arguments.get("max_tokens"),
        "context": job.context,
        "bytes": len(job.content),
    }
    return said | ({"arguments": arguments} if content else {})


def _instant(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stats(queue: DeferredCalls, options: argparse.Namespace) -> int:
    stats = queue.stats()
    names = ("waiting", "running", "done", "dead", "oldest_due_s")
    if options.json:
        return _say_json({name: getattr(stats, name) for name in names})
    late = "none is due" if stats.oldest_due_s is None else f"the first is due since {_span(stats.oldest_due_s)}"
    return _say(f"waiting {stats.waiting}  running {stats.running}  done {stats.done}  dead {stats.dead}  ({late})")


def _retry(queue: DeferredCalls, options: argparse.Namespace) -> int:
    if options.dead:
        return _told(options, "retried", queue.retry_dead())
    if not queue.retry(options.id):
        return _failed(options, f"{options.id}: no dead or waiting job: see `list`", FAILED)
    return _told(options, "retried", 1)


def _drop(queue: DeferredCalls, options: argparse.Namespace) -> int:
    if not queue.drop(options.id):
        return _failed(options, f"{options.id}: no such job: see `list`", FAILED)
    return _told(options, "dropped", 1)


def _purge(queue: DeferredCalls, options: argparse.Namespace) -> int:
    return _told(options, "purged", queue.purge(older_s=options.older_s))


def _told(options: argparse.Namespace, what: str, number: int) -> int:
    return _say_json({what: number}) if options.json else _say(f"{what} {number}")
