"""Alerts that are told together: Alertmanager's timers and reasons, and what we do better."""

from __future__ import annotations

import pytest

from alerts.decisions import What
from alerts.default_rules import AUTH_ERROR
from alerts.inhibition import InhibitRule
from alerts.lifecycle import Change
from alerts.matchers import parse_matcher
from alerts.policy import Policy
from alerts.time_intervals import Span, TimeInterval
from tests.support.telling import NOON, Telling, grouped, own, posted, route


@pytest.fixture(params=[False, True], ids=["", "restarts"])
def telling(request: pytest.FixtureRequest) -> Telling:
    return Telling(grouped(), restarts=request.param)


def test_a_group_waits_for_its_first_notification_and_then_has_its_interval(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(5).fire("Down", app="b")
    telling.at(12).fire("Down", app="c")

    assert telling.at(40).said() == [
        "10 on-call first notification: +Down{app=a} +Down{app=b}",
        "30 on-call new alerts added: +Down{app=a} +Down{app=b} +Down{app=c}",
    ]
    assert telling.rows(What.GROUPED)[0] == 'waits 10 s for the group {}:{alertname="Down"} of on-call'


def test_groups_have_keys_labels_and_dedup_keys_of_their_own(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.fire("Slow", app="a")

    down, slow = telling.at(10).told

    assert (down.group_key, down.group_labels) == ('{}:{alertname="Down"}', {"alertname": "Down"})
    assert down.dedup_key != slow.dedup_key
    assert down.dedup_key.startswith("claxon/Down/")
    assert down.common_labels == {"alertname": "Down", "app": "a"}


def test_all_messages_of_a_page_share_a_key_and_the_next_page_has_another(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(15).fire("Down", app="b")
    telling.at(31).end("Down", app="a")
    telling.at(60).end("Down", app="b")
    telling.at(200).fire("Down", app="a")
    telling.at(220)

    keys = [n.dedup_key for n in telling.told]
    assert [n.reason for n in telling.told] == [
        "first notification",
        "new alerts added",
        "some alerts resolved",
        "all alerts resolved",
        "first notification",
    ]
    assert len(set(keys[:4])) == 1
    assert keys[4] not in keys[:4]


def test_an_alert_that_ends_before_it_is_told_is_not_told(telling: Telling) -> None:
    telling.fire("Down")
    telling.at(5).end("Down")

    assert telling.at(60).said() == []
    assert telling.notifier.state.groups == {} == telling.notifier.state.ended


def test_an_alert_that_flaps_within_an_interval_is_not_told_twice(telling: Telling) -> None:
    telling.fire("Down")
    telling.at(12).end("Down")
    telling.at(14).fire("Down")

    assert telling.at(60).said() == ["10 on-call first notification: +Down"]


def test_the_same_is_told_again_after_the_repeat_interval(telling: Telling) -> None:
    telling.fire("Down")

    # As in Alertmanager: at the first look for which more than that has passed.
    assert telling.at(260).said() == [
        "10 on-call first notification: +Down",
        "130 on-call repeat interval elapsed: +Down",
        "250 on-call repeat interval elapsed: +Down",
    ]


def test_an_alert_that_has_fired_for_long_elsewhere_waits_for_nobody(telling: Telling) -> None:
    telling.post(posted("Down", starts=-60, ends=3600))

    assert telling.said() == ["0 on-call first notification: +Down"]


def test_a_group_of_everything_and_one_by_every_label() -> None:
    tree = route(
        routes=(
            grouped("all", 'team="a"', group_by=(), proceed=True),
            grouped("each", 'team="a"', group_by=("...",)),
        )
    )
    telling = Telling(tree)
    telling.fire("Down", team="a")
    telling.fire("Slow", team="a")

    assert sorted(telling.at(10).said()) == [
        "10 all first notification: +Down{team=a} +Slow{team=a}",
        "10 each first notification: +Down{team=a}",
        "10 each first notification: +Slow{team=a}",
    ]


def test_a_group_without_an_interval_tells_every_change_at_once_and_repeats_on_time() -> None:
    telling = Telling(grouped(group_wait_s=0.0, group_interval_s=0.0))
    telling.fire("Down", app="a")
    telling.at(3).fire("Down", app="b")
    telling.at(4).end("Down", app="a")

    assert telling.at(210).said() == [
        "0 on-call first notification: +Down{app=a}",
        "3 on-call new alerts added: +Down{app=a} +Down{app=b}",
        "4 on-call some alerts resolved: -Down{app=a} +Down{app=b}",
        "104 on-call repeat interval elapsed: +Down{app=b}",
        "204 on-call repeat interval elapsed: +Down{app=b}",
    ]


def test_integrations_that_want_no_ends_are_told_of_what_fires() -> None:
    policy = Policy(route=grouped(), inhibit_rules=(), lanes={"on-call": (True, False)})
    telling = Telling(policy, restarts=True)
    telling.fire("Down", app="a")
    telling.fire("Down", app="b")
    telling.at(12).end("Down", app="a")
    telling.at(40).fire("Down", app="c")
    telling.at(60).end("Down", app="b")
    telling.end("Down", app="c")

    assert telling.at(120).said() == [
        "10 on-call (ends) first notification: +Down{app=a} +Down{app=b}",
        "10 on-call (no ends) first notification: +Down{app=a} +Down{app=b}",
        "30 on-call (ends) some alerts resolved: -Down{app=a} +Down{app=b}",
        "50 on-call (ends) new alerts added: +Down{app=b} +Down{app=c}",
        "50 on-call (no ends) new alerts added: +Down{app=b} +Down{app=c}",
        "70 on-call (ends) all alerts resolved: -Down{app=b} -Down{app=c}",
    ]


# ── what holds it back ────────────────────────────────────────────────────────


def test_what_a_silence_hides_is_told_when_it_is_over(telling: Telling) -> None:
    telling.silence('app="a"', ends=25)
    telling.fire("Down", app="a")
    telling.fire("Down", app="b")

    assert telling.at(60).said() == [
        "10 on-call first notification: +Down{app=b}",
        "30 on-call new alerts added: +Down{app=a} +Down{app=b}",
    ]
    assert telling.rows(What.SILENCED) == ["by the silence s1 of Ann: deploying"]


def test_what_is_silenced_and_over_before_it_was_told_is_news_to_nobody(telling: Telling) -> None:
    telling.silence('app="a"', ends=300)
    telling.fire("Down", app="a")
    telling.fire("Down", app="b")
    telling.at(5).end("Down", app="a")

    assert telling.at(60).said() == ["10 on-call first notification: +Down{app=b}"]


def test_the_end_of_what_was_told_is_told_though_it_is_silenced(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(15).silence('app="a"', ends=300)
    telling.at(16).end("Down", app="a")

    assert telling.at(60).said() == [
        "10 on-call first notification: +Down{app=a}",
        "30 on-call all alerts resolved: -Down{app=a}",
    ]


def test_what_was_told_stays_in_the_messages_of_its_group_while_it_is_silenced(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.fire("Down", app="b")
    telling.at(15).silence('app="a"', ends=300)
    telling.at(16).end("Down", app="b")

    assert telling.at(60).said() == [
        "10 on-call first notification: +Down{app=a} +Down{app=b}",
        "30 on-call some alerts resolved: +Down{app=a} -Down{app=b}",
    ]
    assert telling.told[-1].alerts[0].muted_by == "by the silence s1 of Ann: deploying"


def test_a_group_whose_alerts_are_all_silenced_is_not_repeated(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(15).silence('app="a"', ends=300)

    assert telling.at(299).said() == ["10 on-call first notification: +Down{app=a}"]


def test_an_inhibited_alert_is_told_when_its_cause_is_over() -> None:
    rule = InhibitRule(source=(parse_matcher("alertname=Cause"),), target=(parse_matcher("alertname=Effect"),))
    telling = Telling(Policy(route=grouped(), inhibit_rules=(rule,)), restarts=True)
    telling.fire("Effect")
    telling.fire("Cause")
    telling.at(40).end("Cause")

    assert telling.at(80).said() == [
        "10 on-call first notification: +Cause",
        "50 on-call all alerts resolved: -Cause",
        "50 on-call first notification: +Effect",
    ]


def test_a_time_interval_mutes_a_route_but_not_the_end_of_what_was_told() -> None:
    # Noon is 22:13:20 UTC.
    quiet = TimeInterval(name="late", spans=(Span(times=((22 * 60 + 14, 24 * 60),)),))
    tree = grouped(mute_time_intervals=("late",))
    telling = Telling(Policy(route=tree, inhibit_rules=(), time_intervals={"late": quiet}), restarts=True)
    telling.fire("Down", app="a")
    telling.at(45).fire("Down", app="b")
    telling.at(60).end("Down", app="a")

    assert telling.at(120).said() == [
        "10 on-call first notification: +Down{app=a}",
        "70 on-call all alerts resolved: -Down{app=a}",
    ]
    assert telling.rows(What.MUTED) == ["by the time interval late"]


def test_what_a_rule_only_keeps_firing_is_not_told_for_the_first_time() -> None:
    telling = Telling(grouped(), rules={AUTH_ERROR.id: AUTH_ERROR})
    alert = own(AUTH_ERROR)
    telling.change(Change.FIRED, alert)
    telling.at(5).change(Change.KEPT, alert)

    assert telling.at(20).said() == []

    telling.change(Change.HELD, alert)

    assert len(telling.at(40).said()) == 1


# ── acknowledged ──────────────────────────────────────────────────────────────


def test_an_acknowledged_group_is_not_repeated_until_nobody_looks_after_it_any_more(telling: Telling) -> None:
    telling.fire("Down", severity="page")
    telling.at(20)
    (name,) = telling.notifier.state.firing
    telling.notifier.acknowledge(name, by="Ann", now=telling.now)

    telling.at(1819)
    assert telling.said() == ["10 on-call first notification: +Down{severity=page}"]

    telling.at(1825)
    assert telling.said() == ["1820 on-call repeat interval elapsed: +Down{severity=page}"]
    assert telling.rows(What.ACK_EXPIRED) == ["of Ann: it still fires"]


def test_a_new_alert_of_an_acknowledged_group_is_told(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(20)
    (name,) = telling.notifier.state.firing
    telling.notifier.acknowledge(name, by="Ann", now=telling.now)
    telling.fire("Down", app="b")
    telling.at(40)

    assert telling.said()[1:] == ["30 on-call new alerts added: +Down{app=a} +Down{app=b}"]
    assert [alert.acked_by for alert in telling.told[-1].alerts] == ["Ann", ""]


# ── another configuration, another time ───────────────────────────────────────


def test_a_group_whose_route_is_gone_tells_only_the_ends_of_what_was_told(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(12).fire("Down", app="b")
    telling.policy = Policy(
        route=route("new", group_by=(), group_wait_s=5.0, group_interval_s=5.0),
        inhibit_rules=(),
        receivers=frozenset({"new", "on-call"}),
    )
    telling.notifier.adopt(telling.policy, telling.now)
    telling.take(telling.notifier.weigh({}, telling.find, telling.now))
    telling.at(35)

    assert telling.said() == [
        "10 on-call first notification: +Down{app=a}",
        "17 new first notification: +Down{app=b}",
    ]

    telling.at(50).end("Down", app="a")
    assert telling.at(60).said() == ["50 on-call all alerts resolved: -Down{app=a}"]


def test_a_group_of_which_only_a_receiver_was_told_that_is_gone_is_told_anew(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(12)
    telling.policy = Policy(route=route("new"), inhibit_rules=(), receivers=frozenset({"new"}))
    telling.notifier.adopt(telling.policy, telling.now)
    telling.take(telling.notifier.weigh({}, telling.find, telling.now))

    assert telling.said()[1:] == ["12 new first notification: +Down{app=a}"]


def test_a_group_goes_on_where_its_route_has_other_timers(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(12)
    telling.policy = Policy(route=grouped(group_interval_s=3.0, group_wait_s=1.0), inhibit_rules=())
    telling.notifier.adopt(telling.policy, telling.now)
    telling.fire("Down", app="b")

    assert telling.at(20).said()[1:] == ["15 on-call new alerts added: +Down{app=a} +Down{app=b}"]


def test_a_group_that_waits_for_nothing_goes_on_after_a_reload() -> None:
    telling = Telling(grouped(group_wait_s=0.0, group_interval_s=0.0))
    telling.fire("Down", app="a")
    telling.notifier.adopt(telling.policy, telling.now)
    telling.fire("Down", app="b")

    assert telling.said()[1:] == ["0 on-call new alerts added: +Down{app=a} +Down{app=b}"]


def test_a_clock_that_is_set_back_makes_no_group_wait_longer(telling: Telling) -> None:
    telling.fire("Down")
    telling.at(35)
    telling.now = NOON - 3600
    telling.notifier.rewind(telling.now)
    telling.fire("Down", app="b")
    telling.at(-3600 + 25)

    assert telling.said()[1:] == ["-3580 on-call new alerts added: +Down +Down{app=b}"]


# ── storms ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("restarts", [False, True])
def test_a_storm_is_a_few_messages_that_name_everything(restarts: bool) -> None:
    telling = Telling(route(), restarts=restarts)
    telling.post(*(posted("Down", ends=3600, app=f"{n:04}") for n in range(1500 if not restarts else 60)))
    telling.at(30)

    alone, together = telling.told[:20], telling.told[20:]
    assert all(len(n.alerts) == 1 for n in alone)
    named = [alert.labels["app"] for n in [*alone, *together] for alert in n.alerts]
    assert len(set(named)) == (60 if restarts else 1500)
    assert [n.at - NOON for n in together] == ([1.0] if restarts else [1.0, 3.0])
    assert together[0].truncated_alerts == (0 if restarts else 480)


def test_what_was_told_in_a_storm_is_closed() -> None:
    telling = Telling(route(), restarts=True)
    apps = [f"{n:02}" for n in range(25)]
    telling.post(*(posted("Down", ends=3600, app=app) for app in apps))
    telling.at(5)
    telling.post(*(posted("Down", starts=0, ends=5, app=app) for app in apps))
    telling.at(200)

    ended = [alert.labels["app"] for n in telling.told for alert in n.alerts if alert.ends_at is not None]
    assert sorted(ended) == apps
    assert telling.notifier.state.told == telling.notifier.state.groups == telling.notifier.state.ended == {}
