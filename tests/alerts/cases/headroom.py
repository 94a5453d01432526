"""`headroom`: a window of a minute, below half."""

from __future__ import annotations

from typing import Any

from alerts.conditions import Headroom
from alerts.rules import Rule
from tests.support.events import NOON

from .case import Case, Posted, at, ok


def headroom(**fields: Any) -> Rule:
    condition = Headroom(window_s=60, below=0.5)
    return Rule(**({"alert": "Headroom", "condition": condition, "keep_firing_for_s": 0} | fields))


def left(
    remaining: float, *, limit: float = 100, full: float | str | None = 60, of: str = "tokens", **fields: Any
) -> list[Posted]:
    """A success that says what is left of a limit, and how many seconds after noon it is full."""
    reset = NOON + full if isinstance(full, (int, float)) else full
    return ok(ratelimit={f"{of}_limit": limit, f"{of}_remaining": remaining, f"{of}_reset": reset}, **fields)


CASES = {
    "headroom: out before it is full, at 30.5; the oldest sample leaves at 61": Case(
        rule=headroom(),
        log=(at(0.5, left(60)), at(10.5, left(40))),
        until=65,
        expected=("fired 11", "resolved 61 recovered"),
    ),
    "headroom: full at the instant at which it would be out": Case(
        rule=headroom(),
        log=(at(0.5, left(60, full=30.5)), at(10.5, left(40, full=30.5))),
        until=50,
        expected=(),
    ),
    "headroom: what the newest sample says of the reset counts": Case(
        rule=headroom(),
        log=(at(0.5, left(60, full=30)), at(10.5, left(40, full="2026-09-21T14:13:51Z"))),
        until=20,
        expected=("fired 11",),
    ),
    "headroom: nothing left is short at once, and no sample says nothing": Case(
        rule=headroom(),
        log=(at(0.5, left(0, full=None)),),
        until=4000,
        expected=("fired 1", "resolved 3601 stale"),
    ),
    "headroom: 9 s are too short for a pace": Case(
        rule=headroom(),
        log=(at(0.5, left(60)), at(9.5, left(10)), at(10.5, left(5))),
        until=20,
        expected=("fired 11",),
    ),
    "headroom: half is not below half": Case(
        rule=headroom(),
        log=(at(0.5, left(100)), at(10.5, left(50)), at(12.5, left(49))),
        until=20,
        expected=("fired 13",),
    ),
    "headroom: what rises has no pace": Case(
        rule=headroom(),
        log=(at(0.5, left(20)), at(10.5, left(20)), at(20.5, left(30))),
        until=30,
        expected=(),
    ),
    "headroom: in each 5 s the newest sample counts": Case(
        rule=headroom(),
        log=(at(0.5, left(90, full=400)), at(4.5, left(45, full=400)), at(14.5, left(44, full=400))),
        until=30,
        expected=(),
    ),
    "headroom: the newest by when it happened, not by when it was heard of": Case(
        rule=headroom(),
        log=(at(4.5, left(45, full=400)), at(12.5, left(90, full=400, late=12)), at(14.5, left(44, full=400))),
        until=30,
        expected=(),
    ),
    "headroom: a late sample may make the pace": Case(
        rule=headroom(),
        log=(at(10.5, left(40)), at(12.5, left(60, late=12))),
        until=65,
        expected=("fired 13", "resolved 61 recovered"),
    ),
    "headroom: of two at the same instant the one with less remaining": Case(
        rule=headroom(),
        log=(at(0.5, left(60)), at(10.5, left(40), left(59))),
        until=20,
        expected=("fired 11",),
    ),
    "headroom: of two with the same remaining the larger limit, then the later reset": Case(
        rule=headroom(),
        log=(
            at(0.5, left(60)),
            at(10.5, left(40, limit=80), left(40, full=20), left(40), left(40, full=None), left(40, limit=50)),
        ),
        until=20,
        expected=("fired 11",),
    ),
    "headroom: a limit of 0 or without what remains is no sample": Case(
        rule=headroom(),
        log=(at(0.5, left(0, limit=0), ok(ratelimit={"tokens_limit": 100}), ok(ratelimit={"tokens_remaining": 0})),),
        until=20,
        expected=(),
    ),
    "headroom: without a reset there is no time before which it may be out": Case(
        rule=headroom(),
        log=(at(0.5, left(60, full=None)), at(10.5, left(40, full=None))),
        until=20,
        expected=(),
    ),
    "headroom: any kind, each by its own samples": Case(
        rule=headroom(),
        log=(
            at(0.5, left(90, of="requests"), left(60, of="output_tokens")),
            at(10.5, left(80, of="requests"), left(40, of="input_tokens")),
            at(20.5, left(70, of="requests"), left(39, of="output_tokens")),
        ),
        until=30,
        expected=("fired 21",),
    ),
    "headroom: a cancelled attempt and a 429 are no samples, another failed one is": Case(
        rule=headroom(),
        log=(
            at(0.5, left(0, status=None, error_type="cancelled")),
            at(3.5, left(0, status=429, final=False)),
            at(5.5, left(0, status=500, final=False)),
        ),
        until=20,
        expected=("fired 6",),
    ),
    "headroom: goes on without samples until one says otherwise": Case(
        rule=headroom(),
        log=(at(0.5, left(0)), at(100.5, ok()), at(200.5, left(90, full=300))),
        until=300,
        expected=("fired 1", "resolved 201 recovered"),
    ),
    "headroom: an attempt without a sample makes those that are there news again": Case(
        rule=headroom(stale_after_s=30),
        log=(at(0.5, left(0)), at(40.5, ok())),
        until=45,
        expected=("fired 1", "resolved 31 stale", "fired 41"),
    ),
    "headroom: a pending alert is not calmed by silence, and not fired by it": Case(
        rule=headroom(hold_s=100),
        log=(at(0.5, left(0)), at(150.5, left(0))),
        until=200,
        expected=("pending 1", "fired 151"),
    ),
    "headroom: a pending alert is calmed by a sample": Case(
        rule=headroom(hold_s=20),
        log=(at(0.5, left(0)), at(15.5, left(80))),
        until=50,
        expected=("pending 1", "calmed 16"),
    ),
}
