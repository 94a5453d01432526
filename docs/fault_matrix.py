"""Writes docs/client/faults.md: what an app gets of each pattern when the Claude API fails in this or that way.

    python -m docs.fault_matrix [--json]

Each cell is a real client of the SDK before a local API, sync and async; both must have seen the same.
tests/client/test_fault_matrix.py holds the page to it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import claxon
import httpx2
from claxon.later import Ticket
from claxon.testing import capture_events

from docs.chaos_section import section
from docs.fault_cases import FAULTS, MODEL, OTHER_MODEL, TIMEOUT_S, Fault, FaultyApi
from docs.fault_patterns import PATTERNS, Pattern, Streamed

PAGE = Path(__file__).parent / "client/faults.md"
AT_ONCE = 40
"""Cells in flight: nearly all of them sleep."""

APART_S = 0.03
"""Between their beginnings: what all begin at once takes longer than it takes."""

LOOKS = 4
"""How often a cell is looked at whose two clients seem to differ: on a busy machine a time may."""

LONGEST_S = 20.0
"""After how long any call counts as hung, which no cell's may."""

TIMES = ((0.3, "at once"), (0.9, "0.3 to 0.9 s"), (2.0, "0.9 to 2 s"), (6.0, "2 to 6 s"), (15.0, "6 to 15 s"))
"""Classes of durations; no cell's is near the edge of two."""

ORDER = [name for _, name in TIMES]
TOOK = 2
"""Of a row's cells."""

SLEEPS_ON = "nothing: it sleeps for the hour"
Cells = dict[str, dict[str, list[str]]]
"""By fault and pattern: what the app gets, requests, duration, events."""


# ── one cell ──────────────────────────────────────────────────────────────────────────────────────


class Look:
    """One call of one pattern before one fault, by one of the two clients."""

    _numbers = itertools.count()

    def __init__(self, api: FaultyApi, pattern: Pattern, fault: Fault, *, sync: bool, events: Sequence[Any]) -> None:
        self.api, self.pattern, self.fault, self.sync, self.events = api, pattern, fault, sync, events
        self.cell = f"cell-{next(self._numbers)}"
        self.got: object = SLEEPS_ON
        self.began = self.ended = 0.0
        self._done = threading.Event()

    def run(self) -> list[str]:
        """Return what was seen, as cells of a row."""
        # A daemon: a call that sleeps for an hour is left behind.
        thread = threading.Thread(target=self._in_thread, daemon=True)
        thread.start()
        self._done.wait(LONGEST_S if self.fault.bound_s is None else self.fault.bound_s + LONGEST_S)
        if not self.ended and self.fault.bound_s is None:
            self.got = TimeoutError(f"hung for {LONGEST_S} s")
        return [said(self.got), str(self.api.requests(self.cell)), self._duration(), self._events()]

    def _in_thread(self) -> None:
        try:
            if self.sync:
                _finish(self._call())
            else:
                asyncio.run(self._call())
        except Exception as error:
            self.got = error
        self._done.set()

    async def _call(self) -> None:
        client = self.pattern.dressed(self._client())
        if self.pattern.before is not None:
            await self.pattern.before(client.with_options(default_headers=self._headers("warm")), self.fault)
        if self.fault.bound_s is not None:
            threading.Timer(self.fault.bound_s, self._done.set).start()
        with claxon.context(cell=self.cell):
            self.began = time.perf_counter()
            try:
                got: object = await self.pattern.ask(client, self.fault)
            except Exception as error:
                got = error
            if not self._done.is_set():
                self.got, self.ended = got, time.perf_counter()

    def _headers(self, cell: str) -> dict[str, str]:
        return {"x-fault": self.fault.name, "x-cell": f"{self.cell}-{cell}" if cell else self.cell}

    def _client(self) -> Any:
        shared = {
            "api_key": "x",
            "base_url": self.api.url,
            "timeout": TIMEOUT_S if self.fault.name == "timeout" else 30.0,
            "default_headers": self._headers(""),
        }
        # Loading certificates takes longer than a call, and nothing here is encrypted.
        if self.sync:
            return anthropic.Anthropic(**shared, http_client=httpx2.Client(verify=False))
        return anthropic.AsyncAnthropic(**shared, http_client=httpx2.AsyncClient(verify=False))

    def _duration(self) -> str:
        if not self.ended:
            return f"over {self.fault.bound_s:g} s"
        taken = self.ended - self.began
        return next((name for most, name in TIMES if taken < most), f"over {TIMES[-1][0]:g} s")

    def _events(self) -> str:
        own = [event for event in self.events if (event.attributes or {}).get("cell") == self.cell]
        return ", ".join(_counted([_event(event) for event in own])) or "–"


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise RuntimeError("the sync client waited for an event loop")


def _event(event: Any) -> str:
    flags = [name for name in ("final", "exhausted") if getattr(event, name)] if not event.ok else []
    for name in ("stopped_by", "circuit", "stream_end", "fallback_from", "cached"):
        value = getattr(event, name, None)
        if value is not None and value != "complete":
            flags.append(name if value is True else f"{name} {value}")
    name = "ok" if event.ok else event.error_code or event.error_type
    return f"`{name}`" + (f" ({', '.join(flags)})" if flags else "")


def _counted(texts: Sequence[str]) -> list[str]:
    groups = ((text, len(list(group))) for text, group in itertools.groupby(texts))
    return [f"{times} × {text}" if times > 1 else text for text, times in groups]


# ── what the app gets, in words ───────────────────────────────────────────────────────────────────


def said(got: object) -> str:
    """Return what a call gave, in words."""
    if isinstance(got, str):
        return got
    if isinstance(got, BaseException):
        return _error(got) + _marks(got)
    if isinstance(got, Streamed):
        return _streamed(got) + _marks(got.marks)
    if isinstance(got, Ticket):
        return "a `Ticket`: the call is in the queue, for a worker to make"
    if isinstance(got, claxon.PartialAnswer):
        return _partial(got)
    if getattr(got, "stop_reason", None) == "refusal":
        return "the refusal" + _marks(got)
    return "the answer" + _marks(got)


def _streamed(got: Streamed) -> str:
    text = f"`{got.text}`" if got.text else "nothing"
    if got.error is not None:
        return f"{text}, then {_error(got.error)}"
    if got.stop_reason is None:
        return f"{text}, and no error: `stop_reason` is None"
    return "the answer"


def _partial(got: claxon.PartialAnswer) -> str:
    if not got.truncated:
        return "the answer"
    return f"`{got.text}`: a `PartialAnswer`, truncated, ending `{got.ending}`, with a notice, {got.tokens_so_far} tokens so far"


def _error(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    about = [str(status)] if status is not None else []
    if isinstance(error, claxon.CallParked):
        kind = type(error).__mro__[2].__name__
        about = [f"a `{kind}` too" if kind != "APIStatusError" else "", f"`retry_after_s={error.retry_after_s:g}`"]
    return f"`{type(error).__name__}`" + (f" ({', '.join(filter(None, about))})" if about else "")


def _marks(thing: object) -> str:
    marks = claxon.marks(thing)
    found = []
    if marks.stale:
        found.append("stale")
    if marks.fallback_from:
        found.append(f"model `{marks.model}`, fallback_from `{', '.join(marks.fallback_from)}`")
    if marks.stopped_by:
        found.append(f"stopped_by {marks.stopped_by}")
    return f"; marks: {', '.join(found)}" if found else ""


# ── all cells ─────────────────────────────────────────────────────────────────────────────────────


def observe() -> Cells:
    """Return what was seen of each pattern before each fault.

    Raises:
        AssertionError: The two clients of a cell have not seen the same, looked at three times.
    """
    warnings.simplefilter("ignore")
    # The same call again and again is what the matrix is for.
    logging.getLogger("claxon").setLevel(logging.CRITICAL)
    bare = {name: pattern for name, pattern in PATTERNS.items() if not pattern.observed}
    found: Cells = {fault.name: {} for fault in FAULTS}
    with FaultyApi() as api:
        _observe(api, bare, found, events=())
        with capture_events() as events:
            _observe(api, {name: PATTERNS[name] for name in PATTERNS if name not in bare}, found, events=events)
    return {fault: {name: rows[name] for name in PATTERNS if name in rows} for fault, rows in found.items()}


def _observe(api: FaultyApi, patterns: dict[str, Pattern], found: Cells, *, events: Sequence[Any]) -> None:
    # The last patterns take longest, so they begin first.
    names = list(patterns)[::-1]
    cells = [(fault, name) for name in names for fault in FAULTS if patterns[name].serves(fault)]

    def seen(cell: tuple[Fault, str]) -> list[str]:
        fault, name = cell
        return agreed(api, patterns[name], fault, events=events, cell=f"{fault.name} × {name}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = []
        for cell in cells:
            rows.append(pool.submit(seen, cell))
            time.sleep(APART_S)
        for (fault, name), row in zip(cells, rows, strict=True):
            found[fault.name][name] = row.result()


def agreed(api: FaultyApi, pattern: Pattern, fault: Fault, *, events: Sequence[Any], cell: str) -> list[str]:
    """Return what both clients saw."""
    rows: dict[bool, list[list[str]]] = {True: [], False: []}
    for _ in range(LOOKS):
        for sync in (True, False):
            rows[sync].append(Look(api, pattern, fault, sync=sync, events=events).run())
        same = [row for row in rows[True] if row in rows[False]]
        # What seems to take a moment may have been at once, on a machine that was busy.
        if same and (len(rows[True]) > 1 or same[0][TOOK] != TIMES[1][1]):
            return min(same, key=lambda row: ORDER.index(row[TOOK]) if row[TOOK] in ORDER else len(ORDER))
    raise AssertionError(f"{cell}: sync and async differ:\n  {rows[True]}\n  {rows[False]}")


# ── the page ──────────────────────────────────────────────────────────────────────────────────────

HEAD = f"""\
# What an app gets when the API fails

<!-- Written by `python -m docs.fault_matrix`; tests/client/test_fault_matrix.py runs it and compares. -->

Each row is a client of the real SDK before a local API that fails in the way the heading says; the sync client and the async one have both made the call, and saw
the same. *Requests* were counted at the API. Times are of the whole call, with the SDK's own two retries where no pattern of ours retries; a pause of ours is as long here
as its jitter allows, so a call of yours takes at most that. Model `{MODEL}` is asked; the second model of a fallback chain is `{OTHER_MODEL}`.
*Events* are what the telemetry says of the attempts, in order; a failure that is not `final` was followed by another attempt.
"""


def page(cells: Cells) -> str:
    """Return the page that says so."""
    return "\n".join([HEAD, *(_table(fault, cells[fault.name]) for fault in FAULTS), section()])


def _table(fault: Fault, rows: dict[str, list[str]]) -> str:
    lines = [
        f"## {fault.title}",
        "",
        fault.says,
        "",
        "| client | the app gets | requests | it took | events |",
        "|---|---|---|---|---|",
    ]
    same: dict[tuple[str, ...], list[str]] = {}
    for name, row in rows.items():
        same.setdefault(tuple(row), []).append(PATTERNS[name].title)
    others = len(rows) - 1
    for row, names in same.items():
        who = "all others" if others > 1 and len(names) == others else "; ".join(names)
        lines.append(f"| {who} | {' | '.join(row)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the page anew, or print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print what was seen, and write nothing")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # What calls that never end have opened goes with it.
        tempfile.tempdir = folder
        seen = observe()
    if given.json:
        print(json.dumps(seen))
    else:
        PAGE.write_text(page(seen))
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        # Calls that sleep for an hour must not keep the process.
        os._exit(0)


if __name__ == "__main__":
    main()
