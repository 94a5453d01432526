"""Timetables that chance wrote: what nobody thought of. Where Claxon means to differ, none of them goes.

Steps are at whole seconds and looks between them, so that nothing happens at the
instant of a look. In every group one alert fires from the beginning to the end,
for Alertmanager 0.25 keeps empty groups and newer ones do not; no told alert is
silenced or inhibited, for Claxon goes on naming it.
"""

from __future__ import annotations

from random import Random
from typing import Any

from .configuration import RESOLVE_TIMEOUT_S
from .timetable import FAR, Expire, Post, Posted, Step, Timetable, ends, fires, route, silence

SECONDS = 12.4
LAST_STEP_S = 10
HOW_MANY = 40
NAMES = ("a", "b")
RULE = {"source_matchers": ["alertname=cause"], "target_matchers": ["x=inhibited"], "equal": ["team"]}


def random_timetable(seed: int) -> Timetable:
    """Return the timetable of a seed; its `told` is empty, for nobody knows it beforehand."""
    rng = Random(seed)
    steps: list[Step] = [*_mutes(rng), _anchors(rng), *_posts(rng)]
    return Timetable(
        name=f"random-{seed}",
        shows="what comes of chance",
        steps=tuple(sorted(steps, key=lambda step: step.at)),
        seconds=SECONDS,
        told=(),
        route=_route(rng),
        receivers=_receivers(rng),
        inhibit_rules=(RULE,),
    )


def _route(rng: Random) -> dict[str, Any]:
    def timers() -> dict[str, Any]:
        return {
            "group_wait": rng.choice(("500ms", "1500ms")),
            "group_interval": rng.choice(("1s", "2s", "3s")),
            "repeat_interval": rng.choice(("1h", "2500ms", "4500ms")),
        }

    below = [
        {"receiver": "mail", "matchers": ['x=~"1|2|anchor"'], "continue": True, **timers()},
        {"matchers": ["team!=red"], "group_by": rng.choice((["team"], ["alertname", "team"], [])), "continue": True},
        {"receiver": "mail", "matchers": ["team=red"], "continue": True, **timers()},
        {"receiver": "page", "matchers": ["alertname=~.+"]},
    ]
    return route(group_by=rng.choice((["alertname"], ["alertname", "team"], [])), routes=below, **timers())


def _receivers(rng: Random) -> dict[str, list[dict[str, Any]]]:
    def webhook() -> dict[str, Any]:
        return rng.choice(({}, {}, {"send_resolved": False}, {"max_alerts": 3}))

    return {"page": [webhook(), webhook()], "mail": [webhook()]}


def _anchors(rng: Random) -> Post:
    return fires(
        0, *(f"{name} x=anchor{team}" for name in (*NAMES, "cause") for team in ("", " team=red", " team=blue"))
    )


def _mutes(rng: Random) -> list[Step]:
    """Return silences and sources that are there before anything is told, and end some time."""
    found: list[Step] = []
    for i in range(rng.randrange(3)):
        matchers = rng.choice(((("x", "=", "silenced"),), (("x", "=~", "sil.*"), ("team", "!=", "red"))))
        if rng.random() < 0.5:
            found.append(silence(0, *matchers, name=f"s{i}", until=rng.randrange(2, LAST_STEP_S)))
        else:
            found += [silence(0, *matchers, name=f"s{i}"), Expire(rng.randrange(2, LAST_STEP_S), f"s{i}")]
    for team in ("", " team=red"):
        until = rng.choice((FAR, float(rng.randrange(2, LAST_STEP_S))))
        found.append(fires(0, f"cause x=source{team}", ends=until))
    return found


def _posts(rng: Random) -> list[Step]:
    """Return posts of a few alerts, again and again: with and without an end, and their ends."""
    found: list[Step] = []
    firing: dict[str, float] = {}
    for at in range(1, LAST_STEP_S + 1):
        for _ in range(rng.randrange(3)):
            alert = f"{rng.choice(NAMES)} x={rng.choice(('1', '2', '3', 'silenced', 'inhibited'))}"
            alert += rng.choice(("", " team=red", " team=blue"))
            if firing.get(alert, 0) > at and rng.random() < 0.5:
                found.append(ends(at, alert))
                del firing[alert]
            else:
                until = rng.choice((FAR, None, at + rng.choice((1.25, 2.25, 4.25))))
                found.append(fires(at, alert, ends=until))
                firing[alert] = max(firing.get(alert, 0), at + RESOLVE_TIMEOUT_S if until is None else until)
    return found


def wild_timetable(seed: int) -> Timetable:
    """Return a timetable in which told alerts are silenced and inhibited, groups come and go, and all ends at last."""
    rng = Random(seed)
    steps = [*_posts(rng), *_late_mutes(rng)]
    alerts = sorted({_said(alert) for step in steps if isinstance(step, Post) for alert in step.alerts})
    return Timetable(
        name=f"wild-{seed}",
        shows="what was told is closed",
        steps=(*sorted(steps, key=lambda step: step.at), ends(LAST_STEP_S + 1, *alerts)),
        seconds=LAST_STEP_S + 20,
        told=(),
        route=_route(rng),
        receivers={"page": [{}, {"send_resolved": False}], "mail": [{}]},
        inhibit_rules=({**RULE, "source_matchers": ["alertname=a"], "target_matchers": ["alertname=b"]},),
    )


def _late_mutes(rng: Random) -> list[Step]:
    """Return silences at any time, over anything; some are there at the end of all alerts, too."""
    found: list[Step] = []
    for i in range(rng.randrange(1, 4)):
        matcher = rng.choice((("x", "=~", "1|2"), ("alertname", "=", "a"), ("team", "!=", "red"), ("x", "!~", "3")))
        begin = rng.randrange(LAST_STEP_S)
        found.append(silence(begin, matcher, name=f"s{i}", until=begin + rng.choice((2.0, 4.0, FAR))))
    return found


def _said(alert: Posted) -> str:
    return " ".join(value if name == "alertname" else f"{name}={value}" for name, value in alert.labels.items())


RANDOM = tuple(map(random_timetable, range(HOW_MANY)))
