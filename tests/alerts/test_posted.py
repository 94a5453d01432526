"""Alerts that others post: taken, merged and ended as Alertmanager does it."""

from __future__ import annotations

import pytest

from alerts import posts
from alerts.decisions import What
from alerts.default_rules import AUTH_ERROR
from alerts.lifecycle import Change
from alerts.received import Posted
from tests.support.telling import NOON, Telling, own, posted, route


@pytest.fixture(params=[False, True], ids=["", "restarts"])
def telling(request: pytest.FixtureRequest) -> Telling:
    return Telling(route(), restarts=request.param, rules={AUTH_ERROR.id: AUTH_ERROR})


def known(telling: Telling) -> tuple[float, float]:
    (found,) = telling.notifier.state.received.values()
    return found.starts_at - NOON, found.ends_at - NOON


def test_an_alert_of_which_nobody_says_when_it_ends_ends_after_the_resolve_timeout(telling: Telling) -> None:
    telling.post(posted("Down"))

    assert telling.at(301).said() == ["0 on-call first notification: +Down", "300 on-call all alerts resolved: -Down"]
    assert telling.told[-1].alerts[0].resolve_reason == "not posted any more"


def test_an_alert_that_is_posted_again_goes_on(telling: Telling) -> None:
    telling.post(posted("Down"))
    telling.at(200).post(posted("Down"))

    assert telling.at(499).said() == ["0 on-call first notification: +Down"]
    assert telling.at(501).said() == ["500 on-call all alerts resolved: -Down"]
    assert known(telling) == (0, 500)


def test_the_times_of_two_senders_are_merged(telling: Telling) -> None:
    telling.at(100).post(posted("Down", starts=50, ends=400))
    telling.post(posted("Down", starts=20, ends=300))

    # The earliest beginning, and the later end that somebody gave.
    assert known(telling) == (20, 400)


def test_a_sender_that_gives_no_end_does_not_outlast_one_that_does(telling: Telling) -> None:
    telling.post(posted("Down"))
    telling.at(10).post(posted("Down", starts=5, ends=100))

    assert known(telling) == (0, 100)


def test_of_two_ends_that_have_passed_the_later_one_is_told(telling: Telling) -> None:
    telling.post(posted("Down", starts=0, ends=50))
    telling.at(60).post(posted("Down", starts=0, ends=40))

    assert known(telling) == (0, 50)


def test_an_end_that_has_passed_ends_it_whatever_was_said_before(telling: Telling) -> None:
    telling.post(posted("Down", starts=0, ends=500))
    telling.at(60).post(posted("Down", starts=0, ends=55))

    assert telling.said()[-1] == "60 on-call all alerts resolved: -Down"


def test_what_does_not_overlap_is_another_time(telling: Telling) -> None:
    telling.post(posted("Down", starts=0, ends=50))
    telling.at(100).post(posted("Down", starts=90, ends=500))

    assert known(telling) == (90, 500)
    assert [alert.episode for n in telling.told for alert in n.alerts] == [1, 1, 2]


def test_an_end_of_what_nobody_knew_is_told_to_nobody(telling: Telling) -> None:
    telling.at(10).post(posted("Down", ends=5))

    assert telling.at(60).said() == []
    assert known(telling) == (5, 5)


def test_labels_without_a_value_are_none(telling: Telling) -> None:
    telling.post(Posted(labels={"alertname": "Down", "app": ""}, annotations={"summary": "", "runbook": "x"}))

    (told,) = telling.told
    assert told.alerts[0].labels == {"alertname": "Down"}
    assert told.alerts[0].annotations == {"runbook": "x"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Posted(labels={"app": ""}), "labels: none that is not empty: name at least alertname"),
        (Posted(labels={"": "x"}), "labels: a name is empty: write the label's name"),
        (posted("Down", starts=10, ends=5), "endsAt: before startsAt: swap them, or leave one out"),
    ],
)
def test_what_cannot_be_taken_is_said_and_the_others_are_taken(telling: Telling, wrong: Posted, said: str) -> None:
    assert telling.post(wrong, posted("Slow")) == [said]
    assert telling.said() == ["0 on-call first notification: +Slow"]


def test_nobody_can_end_an_alert_of_claxons_own(telling: Telling) -> None:
    alert = own(AUTH_ERROR)
    telling.change(Change.FIRED, alert)

    (wrong,) = telling.post(Posted(labels=alert.labels, ends_at=NOON))

    assert wrong == f"labels: those of an alert of Claxon's own, {alert.fingerprint}: give it another label"
    assert alert.fingerprint in telling.notifier.state.firing


def test_a_rule_takes_over_an_alert_that_somebody_had_posted(telling: Telling) -> None:
    alert = own(AUTH_ERROR)
    telling.post(Posted(labels=alert.labels, ends_at=NOON + 60))
    telling.at(5).change(Change.FIRED, alert)
    telling.at(120)

    assert telling.notifier.state.firing[alert.fingerprint].rule == AUTH_ERROR.id
    assert len(telling.told) == 1


@pytest.mark.parametrize(
    ("annotations", "summary"),
    [
        ({"summary": "the disk\nis full"}, "the disk is full"),
        ({"description": "97 % of 1 TB"}, "97 % of 1 TB"),
        ({}, "Down (app=a, zone=b)"),
    ],
)
def test_a_page_says_what_it_can_of_a_posted_alert(telling: Telling, annotations: dict[str, str], summary: str) -> None:
    labels = {"alertname": "Down", "app": "a", "zone": "b"}
    telling.post(Posted(labels=labels, annotations=annotations, generator_url="http://127.0.0.1:9090/graph"))

    (told,) = telling.told[0].alerts
    assert (told.summary, told.url) == (summary, "http://127.0.0.1:9090/graph")
    assert told.ack_url.endswith(f"/alerts/{told.fingerprint}#acknowledge")


def test_an_alert_of_one_label_is_named_by_it(telling: Telling) -> None:
    telling.post(Posted(labels={"alertname": "Down"}), Posted(labels={"service": "db"}))

    assert [n.alerts[0].summary for n in telling.told] == ["Down", "alert (service=db)"]


def test_what_names_its_receivers_goes_to_them_whatever_the_routes_say(telling: Telling) -> None:
    telling.post(Posted(labels={"alertname": "ClaxonDeliveryFailing"}, via=["backup"], ends_at=NOON + 60))

    assert telling.at(90).said() == [
        "0 backup first notification: +ClaxonDeliveryFailing",
        "60 backup all alerts resolved: -ClaxonDeliveryFailing",
    ]


def test_old_ones_are_forgotten_but_not_those_that_fire(telling: Telling) -> None:
    telling.post(posted("Down", starts=0, ends=10), posted("Slow", ends=9000))
    telling.at(20).silence("app=a", ends=30)
    telling.at(60)

    telling.notifier.forget_old(telling.now)
    assert len(telling.notifier.state.received) == 2
    telling.notifier.forget_old(NOON + 1900)
    assert list(telling.notifier.state.silences) == ["s1"]
    telling.notifier.forget_old(NOON + 31 * 86_400.0)

    assert [r.labels["alertname"] for r in telling.notifier.state.received.values()] == ["Slow"]
    assert telling.notifier.state.silences == {}


def test_labels_that_change_with_every_post_fill_no_memory(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "MOST", 2)
    telling.fire("Down", try_="1")
    telling.fire("Down", try_="2")

    (wrong,) = telling.post(posted("Down", try_="3"))

    assert wrong == "alerts: more than 2 are remembered: do labels change with each post?"
    assert telling.post(posted("Down", try_="2")) == []


def test_the_link_that_acknowledges_is_that_of_the_policy() -> None:
    from dataclasses import replace

    telling = Telling(route())
    telling.notifier.adopt(replace(telling.policy, ack_url=lambda name, episode: f"/a/{name}.{episode}"), NOON)
    telling.fire("Down")

    (told,) = telling.told[0].alerts
    assert told.ack_url == f"/a/{told.fingerprint}.1"


def test_a_page_can_speak_of_an_alert_whose_rule_nobody_knows(telling: Telling) -> None:
    telling.rules = {}
    telling.change(Change.FIRED, own(AUTH_ERROR))

    assert telling.told[0].alerts[0].summary == "ClaudeAuthError (app=shop, severity=page)"
    assert telling.rows(What.NOTIFIED) == ["first notification: on-call"]
