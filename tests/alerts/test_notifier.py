"""Who is told of what, once an episode."""

from __future__ import annotations

from alerts.decisions import Transition, What
from alerts.default_rules import ACCOUNT_BLOCKED, AUTH_ERROR, ERROR_RATE_PAGE, ERROR_RATE_TICKET
from alerts.evidence import Evidence
from alerts.inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from alerts.labels import fingerprint
from alerts.lifecycle import Alert, Change, State
from alerts.matchers import parse_matcher
from alerts.notification import Notification, Status
from alerts.notifier import Notifier
from alerts.policy import Policy
from alerts.routes import Route
from alerts.rules import Rule

NOON = 1_700_000_000.0
RULES = {r.id: r for r in (AUTH_ERROR, ACCOUNT_BLOCKED, ERROR_RATE_PAGE, ERROR_RATE_TICKET)}


def alert_of(rule: Rule, *, app: str = "shop", episode: int = 1) -> Alert:
    labels = {"alertname": rule.alert, "app": app} | rule.labels
    return Alert(
        rule=rule.id,
        key=(app,),
        labels=labels,
        fingerprint=fingerprint(labels),
        state=State.FIRING,
        episode=episode,
        fired_at=NOON,
        evidence=Evidence(),
    )


class Telling:
    """A notifier with the alerts it is asked about."""

    def __init__(self, route: Route | None = None) -> None:
        self.notifier = Notifier(
            route or Route(receiver="on-call"), DEFAULT_INHIBIT_RULES, external_url="http://127.0.0.1:5290"
        )
        self.what: list[What] = []

    def step(self, *changes: tuple[Change, Alert], at: float = NOON) -> list[Notification]:
        transitions = []
        for change, alert in changes:
            alert.state = State.INACTIVE if change is Change.RESOLVED else State.FIRING
            transitions.append(Transition(change=change, at=at, alert=alert))
        told, decisions = self.notifier.step(transitions, RULES, lambda _: None)
        self.what = [row.what for row in decisions]
        return told


def said(told: list[Notification]) -> list[tuple[str, str]]:
    return [(n.status.value, n.group_labels["alertname"]) for n in told]


def test_an_episode_is_told_once_and_closed_once() -> None:
    telling, alert = Telling(), alert_of(AUTH_ERROR)

    assert said(telling.step((Change.FIRED, alert))) == [("firing", "ClaudeAuthError")]
    assert telling.step((Change.KEPT, alert), (Change.HELD, alert)) == []
    assert said(telling.step((Change.RESOLVED, alert))) == [("resolved", "ClaudeAuthError")]
    assert telling.step((Change.RESOLVED, alert)) == []


def test_the_beginning_and_the_end_of_an_episode_share_a_key_and_episodes_do_not() -> None:
    telling, alert = Telling(), alert_of(AUTH_ERROR)

    begin = telling.step((Change.FIRED, alert))[0]
    end = telling.step((Change.RESOLVED, alert))[0]
    again = telling.step((Change.FIRED, alert_of(AUTH_ERROR, episode=2)))[0]

    assert begin.dedup_key == end.dedup_key != again.dedup_key
    assert (begin.reason, end.reason) == ("first notification", "all alerts resolved")


def test_a_cause_and_its_symptom_that_begin_at_once_are_one_page() -> None:
    telling = Telling()

    told = telling.step((Change.FIRED, alert_of(ERROR_RATE_PAGE)), (Change.FIRED, alert_of(AUTH_ERROR)))

    assert said(told) == [("firing", "ClaudeAuthError")]
    assert What.INHIBITED in telling.what


def test_a_page_holds_back_the_ticket_of_the_same_name() -> None:
    told = Telling().step((Change.FIRED, alert_of(ERROR_RATE_TICKET)), (Change.FIRED, alert_of(ERROR_RATE_PAGE)))

    assert [n.group_labels["severity"] for n in told] == ["page"]


def test_another_app_is_not_held_back() -> None:
    told = Telling().step((Change.FIRED, alert_of(AUTH_ERROR)), (Change.FIRED, alert_of(ERROR_RATE_PAGE, app="cart")))

    assert len(told) == 2


def test_what_was_held_back_is_told_when_its_cause_ends_and_it_still_holds() -> None:
    telling, cause, symptom = Telling(), alert_of(AUTH_ERROR), alert_of(ERROR_RATE_PAGE)
    telling.step((Change.FIRED, cause), (Change.FIRED, symptom))

    told = telling.step((Change.RESOLVED, cause), at=NOON + 900)

    assert said(told) == [("resolved", "ClaudeAuthError"), ("firing", "ClaudeErrorRate")]


def test_a_symptom_that_was_over_before_its_cause_is_never_told() -> None:
    """It is only kept by `keep_firing_for`; the person who mended the cause need not be woken for it."""
    telling, cause, symptom = Telling(), alert_of(AUTH_ERROR), alert_of(ERROR_RATE_PAGE)
    telling.step((Change.FIRED, cause), (Change.FIRED, symptom))
    telling.step((Change.KEPT, symptom), at=NOON + 300)

    told = telling.step((Change.RESOLVED, cause), at=NOON + 900)

    assert said(told) == [("resolved", "ClaudeAuthError")]
    assert telling.step((Change.RESOLVED, symptom), at=NOON + 1200) == []


def test_a_page_that_went_out_gets_its_close_though_it_is_inhibited_meanwhile() -> None:
    telling, cause, symptom = Telling(), alert_of(AUTH_ERROR), alert_of(ERROR_RATE_PAGE)
    telling.step((Change.FIRED, symptom))
    telling.step((Change.FIRED, cause), at=NOON + 60)

    assert said(telling.step((Change.RESOLVED, symptom), at=NOON + 120)) == [("resolved", "ClaudeErrorRate")]


def test_an_alert_that_began_and_ended_in_one_step_is_told_both() -> None:
    alert = alert_of(AUTH_ERROR)
    begun = Transition(change=Change.FIRED, at=NOON, alert=alert_of(AUTH_ERROR))
    alert.state = State.INACTIVE
    ended = Transition(change=Change.RESOLVED, at=NOON + 900, alert=alert)

    told, _ = Telling().notifier.step([begun, ended], RULES, lambda _: None)

    assert [n.status for n in told] == [Status.FIRING, Status.RESOLVED]


def test_it_does_not_matter_in_how_many_steps_transitions_come() -> None:
    """A replay sees in one step what the live service saw in many."""

    def timetable() -> list[Transition]:
        cause, symptom = alert_of(AUTH_ERROR), alert_of(ERROR_RATE_PAGE)
        ended = alert_of(AUTH_ERROR)
        ended.state = State.INACTIVE
        return [
            Transition(change=Change.FIRED, at=NOON, alert=symptom),
            Transition(change=Change.FIRED, at=NOON + 1, alert=cause),
            Transition(change=Change.FIRED, at=NOON + 1, alert=alert_of(ERROR_RATE_TICKET)),
            Transition(change=Change.KEPT, at=NOON + 2, alert=symptom),
            Transition(change=Change.RESOLVED, at=NOON + 3, alert=ended),
        ]

    one, many = Telling(), Telling()
    at_once, _ = one.notifier.step(timetable(), RULES, lambda _: None)
    bit_by_bit = [n for t in timetable() for n in many.notifier.step([t], RULES, lambda _: None)[0]]

    # Of one instant all is weighed together, so instants are the smallest step.
    assert said(at_once) == said(bit_by_bit)
    assert one.notifier.state.told == many.notifier.state.told


def test_a_route_chooses_receivers_as_alertmanager_does() -> None:
    route = Route(
        receiver="rest",
        routes=(
            Route(receiver="log", matchers=(parse_matcher('severity=~".+"'),), proceed=True),
            Route(
                receiver="pager",
                matchers=(parse_matcher('severity="page"'),),
                routes=(Route(receiver="shop-pager", matchers=(parse_matcher('app="shop"'),)),),
            ),
            Route(receiver="tickets", matchers=(parse_matcher('severity="ticket"'),)),
        ),
    )

    assert route.receivers({"severity": "page", "app": "shop"}) == ["log", "shop-pager"]
    assert route.receivers({"severity": "page", "app": "cart"}) == ["log", "pager"]
    assert route.receivers({"severity": "ticket"}) == ["log", "tickets"]
    assert route.receivers({"app": "x"}) == ["rest"]


def test_an_alert_never_inhibits_itself_nor_its_like() -> None:
    """An alert on both sides of a rule can mute only those that could not mute it."""
    rule = InhibitRule(source=(parse_matcher('app=~".+"'),), target=(parse_matcher('app=~".+"'),))

    assert not rule.mutes({"app": "a"}, {"app": "b"})


def test_labels_that_both_lack_are_equal() -> None:
    rule = InhibitRule(source=(parse_matcher("a=1"),), target=(parse_matcher("b=1"),), equal=("model",))

    assert rule.mutes({"a": "1"}, {"b": "1", "model": ""})
    assert not rule.mutes({"a": "1"}, {"b": "1", "model": "x"})


# ── after a reload, and after a restart ──────────────────────────────────────


def weighed(telling: Telling, at: float = NOON + 600) -> list[Notification]:
    return telling.notifier.weigh(RULES, lambda _: None, at)[0]


def adopt(telling: Telling, receiver: str, *inhibit_rules: InhibitRule, there: tuple[str, ...]) -> None:
    policy = Policy(route=Route(receiver=receiver), inhibit_rules=inhibit_rules, receivers=frozenset(there))
    telling.notifier.adopt(policy, NOON + 600)


def test_who_was_told_is_not_told_again_because_the_routes_are_others() -> None:
    telling = Telling()
    telling.step((Change.FIRED, alert_of(AUTH_ERROR)))

    adopt(telling, "night", there=("night", "on-call"))

    assert weighed(telling) == []


def test_an_alert_of_which_nobody_knows_who_is_there_is_told_anew() -> None:
    telling = Telling()
    telling.step((Change.FIRED, alert_of(AUTH_ERROR)))

    adopt(telling, "night", there=("night",))

    assert [(n.receiver, n.status) for n in weighed(telling)] == [("night", Status.FIRING)]


def test_an_inhibition_that_is_gone_lets_out_what_it_held_back() -> None:
    telling = Telling()
    telling.step((Change.FIRED, alert_of(AUTH_ERROR)), (Change.FIRED, alert_of(ERROR_RATE_PAGE)))

    adopt(telling, "on-call", there=("on-call",))

    assert said(weighed(telling)) == [("firing", "ClaudeErrorRate")]


def test_what_the_outbox_knows_was_told_is_not_told_again_and_its_end_goes_there() -> None:
    """A database of before the notifier had rows of its own."""
    telling, alert = Telling(), alert_of(AUTH_ERROR)

    telling.notifier.remember(alert, ["before"])

    assert weighed(telling) == []
    assert [n.receiver for n in telling.step((Change.RESOLVED, alert))] == ["before"]
