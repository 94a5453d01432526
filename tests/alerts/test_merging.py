"""What waits for one receiver under one key is told in one message."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from alerts.merging import merge, merge_all
from alerts.notification import Notification, Status, facts
from tests.support.notifications import NOON, make_message, make_notification

MESSAGES = st.builds(
    make_message,
    st.sampled_from(["shop", "cart", "mail"]),
    episode=st.integers(1, 2),
    over=st.booleans(),
    measured=st.sampled_from(["", "9 of 61 calls failed in 5m"]),
)
NOTIFICATIONS = st.builds(
    make_notification,
    st.lists(MESSAGES, min_size=1, max_size=4, unique_by=lambda message: (message.fingerprint, message.episode)),
    reason=st.sampled_from(["first notification", "new alerts added", "some alerts resolved"]),
    at=st.integers(0, 9).map(lambda s: NOON + s),
    truncated_alerts=st.integers(0, 2),
    undelivered=st.sampled_from(["", "pager/webhook: answered 401"]),
)


def test_what_fired_and_ended_meanwhile_is_one_message_that_says_both() -> None:
    begun = make_notification([make_message("shop")])
    ended = make_notification([make_message("shop", over=True)], at=NOON + 60)

    told = merge(begun, ended)

    assert told.status is Status.RESOLVED
    assert told.reason == "first notification"
    assert told.at == NOON + 60
    assert told.alerts == ended.alerts


def test_a_group_of_which_one_still_fires_fires() -> None:
    both = make_notification([make_message("shop"), make_message("cart")])
    later = make_notification([make_message("cart", over=True)], reason="some alerts resolved")

    told = merge(both, later)

    assert told.status is Status.FIRING
    assert [(m.labels["app"], m.status.value) for m in told.alerts] == [("shop", "firing"), ("cart", "resolved")]


def test_two_episodes_of_an_alert_are_two_alerts() -> None:
    first = make_notification([make_message("shop", over=True)])
    again = make_notification([make_message("shop", episode=2)])

    assert [m.episode for m in merge(first, again).alerts] == [1, 2]


def test_who_knows_of_the_beginning_is_told_why_the_last_message_was_sent() -> None:
    told = merge(make_notification(reason="new alerts added"), make_notification(reason="repeat interval elapsed"))

    assert told.reason == "repeat interval elapsed"


def test_what_all_alerts_share_is_worked_out_anew() -> None:
    told = merge(make_notification([make_message("shop")]), make_notification([make_message("cart")]))

    assert told.common_labels == {"alertname": "KeyRejected", "severity": "page"}
    assert "summary" not in told.common_annotations
    assert told.common_annotations["blame"] == "key"


def test_that_somebody_else_did_not_take_it_stays_said() -> None:
    refused = make_notification(undelivered="pager/webhook: answered 401")

    assert merge(refused, make_notification()).undelivered == "pager/webhook: answered 401"


@given(notification=NOTIFICATIONS)
def test_one_alone_stays_as_it_is(notification: Notification) -> None:
    assert merge_all([notification]) == notification


@given(several=st.lists(NOTIFICATIONS, min_size=2, max_size=6))
def test_every_alert_of_every_notification_is_told_in_its_last_state(several: list[Notification]) -> None:
    told = merge_all(several)

    last = {(m.fingerprint, m.episode): m for notification in several for m in notification.alerts}
    assert {(m.fingerprint, m.episode): m for m in told.alerts} == last
    assert len(told.alerts) == len(last)
    assert (told.status is Status.FIRING) == any(m.status is Status.FIRING for m in last.values())
    assert all(told.common_labels.items() <= m.labels.items() for m in told.alerts)
    assert all(told.common_annotations.items() <= facts(m).items() for m in told.alerts)
    assert told.truncated_alerts == max(n.truncated_alerts for n in several)


@given(several=st.lists(NOTIFICATIONS, min_size=2, max_size=6), cut=st.integers(1, 5))
def test_in_how_many_steps_they_are_merged_changes_nothing(several: list[Notification], cut: int) -> None:
    whole = merge_all(several)

    assert reduce(merge, several) == whole
    if cut < len(several):
        assert merge(merge_all(several[:cut]), merge_all(several[cut:])) == whole
