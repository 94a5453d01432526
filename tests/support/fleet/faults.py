"""The faults: what is killed, stopped or cut off, and for how long.

≠ what comes of it.
"""

from __future__ import annotations

import random
import time

from tests.support.fleet.fleet import Fleet
from tests.support.fleet.rounds import Fault

PAUSE_S = 15.0


def _kill_one(fleet: Fleet, chance: random.Random) -> None:
    del chance
    fleet.elected_now().kill9()


def _pause_one(fleet: Fleet, chance: random.Random) -> None:
    node = fleet.elected_now()
    node.pause()
    time.sleep(chance.uniform(1.0, 3.0))
    node.go_on()


ONE_NODE = (
    Fault(name="one-kill", title="kill -9 of the only node", strike=_kill_one),
    Fault(name="one-pause", title="the only node stands still for 1 to 3 s", strike=_pause_one),
)
