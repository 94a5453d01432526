"""Repeats, acknowledgements that hold them, and time intervals that put them off."""

from __future__ import annotations

import pytest

from alerts.decisions import What
from alerts.policy import Policy
from alerts.time_intervals import Span, TimeInterval
from tests.support.telling import NOON, Telling, route


@pytest.fixture(params=[False, True], ids=["", "restarts"])
def telling(request: pytest.FixtureRequest) -> Telling:
    return Telling(route(), restarts=request.param)


# ── told again ────────────────────────────────────────────────────────────────


def test_what_goes_on_is_told_again_after_the_repeat_interval(telling: Telling) -> None:
    telling.policy = Policy(route=route(repeat_interval_s=100.0), inhibit_rules=())
    telling.notifier.adopt(telling.policy, NOON)
    telling.fire("Down")

    assert telling.at(250).said() == [
        "0 on-call first notification: +Down",
        "100 on-call repeat interval elapsed: +Down",
        "200 on-call repeat interval elapsed: +Down",
    ]


def test_two_routes_to_one_receiver_tell_it_once_and_again_by_the_shorter_interval() -> None:
    tree = route(
        "rest",
        routes=(
            route("on-call", "app=a", repeat_interval_s=100.0, proceed=True),
            route("on-call", "app=a", repeat_interval_s=50.0),
        ),
    )
    telling = Telling(tree)
    telling.fire("Down", app="a")

    assert telling.at(60).said() == [
        "0 on-call first notification: +Down{app=a}",
        "50 on-call repeat interval elapsed: +Down{app=a}",
    ]


def test_an_acknowledged_page_is_told_again_when_its_acknowledgement_expires(telling: Telling) -> None:
    telling.policy = Policy(route=route(repeat_interval_s=1000.0), inhibit_rules=())
    telling.notifier.adopt(telling.policy, NOON)
    telling.fire("Down", severity="page")
    telling.at(10)
    (name,) = telling.notifier.state.firing

    alert = telling.notifier.acknowledge(name, by="Ann", now=telling.now)

    assert alert is not None
    assert telling.at(1809).said() == ["0 on-call first notification: +Down{severity=page}"]
    assert telling.at(1811).said() == ["1810 on-call repeat interval elapsed: +Down{severity=page}"]
    assert telling.told[-1].alerts[0].acked_by == ""


def test_the_acknowledgement_of_a_ticket_holds_until_it_ends(telling: Telling) -> None:
    telling.fire("Down", severity="ticket")
    (name,) = telling.notifier.state.firing
    telling.notifier.acknowledge(name, by="Ann", now=telling.now)

    assert telling.at(3000).rows(What.ACK_EXPIRED) == []
    telling.end("Down", severity="ticket")
    assert telling.notifier.state.acks == {}
    assert telling.told[-1].alerts[0].acked_by == "Ann"


def test_an_acknowledgement_is_of_one_episode(telling: Telling) -> None:
    telling.fire("Down", severity="page")
    (name,) = telling.notifier.state.firing
    telling.notifier.acknowledge(name, by="Ann", now=telling.now)
    telling.at(5).end("Down", severity="page")
    telling.at(60).fire("Down", severity="page")

    assert telling.told[-1].alerts[0].acked_by == ""


def test_who_takes_an_acknowledgement_back_wakes_the_others(telling: Telling) -> None:
    telling.fire("Down", severity="page")
    (name,) = telling.notifier.state.firing
    telling.notifier.acknowledge(name, by="Ann", now=telling.now)
    telling.at(5).take(telling.notifier.unacknowledge(name, telling.now, {}, telling.find))
    telling.take(telling.notifier.unacknowledge(name, telling.now, {}, telling.find))

    assert telling.said()[1:] == ["5 on-call repeat interval elapsed: +Down{severity=page}"]


def test_nobody_can_look_after_what_does_not_fire(telling: Telling) -> None:
    assert telling.notifier.acknowledge("0" * 16, by="Ann", now=NOON) is None


# ── time intervals ────────────────────────────────────────────────────────────


def test_who_is_muted_by_the_time_is_told_when_it_is_over_and_the_others_at_once() -> None:
    # Noon is 22:13:20 UTC.
    quiet = TimeInterval(name="quiet", spans=(Span(times=((0, 22 * 60 + 15),)),))
    tree = route(
        routes=(
            route("chat", "app=a", mute_time_intervals=("quiet",), proceed=True),
            route("pager", "app=a"),
        )
    )
    telling = Telling(Policy(route=tree, inhibit_rules=(), time_intervals={"quiet": quiet}), restarts=True)
    telling.fire("Down", app="a")

    assert telling.at(200).said() == [
        "0 pager first notification: +Down{app=a}",
        "100 chat first notification: +Down{app=a}",
    ]
    assert telling.rows(What.MUTED) == ["by the time interval quiet: chat"]
    telling.end("Down", app="a")
    assert sorted(telling.said()) == [
        "200 chat all alerts resolved: -Down{app=a}",
        "200 pager all alerts resolved: -Down{app=a}",
    ]


def test_a_receiver_that_is_muted_is_not_told_again_meanwhile() -> None:
    late = TimeInterval(name="late", spans=(Span(times=((22 * 60 + 14, 22 * 60 + 16),)),))
    tree = route(mute_time_intervals=("late",), repeat_interval_s=100.0)
    telling = Telling(Policy(route=tree, inhibit_rules=(), time_intervals={"late": late}))
    telling.fire("Down")

    assert telling.at(250).said() == [
        "0 on-call first notification: +Down",
        "200 on-call repeat interval elapsed: +Down",
    ]
