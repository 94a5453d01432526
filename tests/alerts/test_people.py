"""Silences, acknowledgements, escalations: what people ask of the notifier, and what it asks of them."""

from __future__ import annotations

import msgspec
import pytest

from alerts.config import EscalationConfig, EscalationStep
from alerts.decisions import What
from alerts.default_rules import AUTH_ERROR, CONSECUTIVE_SERVER_ERRORS, ERROR_RATE_PAGE
from alerts.errors import SilenceError
from alerts.inhibition import InhibitRule
from alerts.lifecycle import Alert, Change
from alerts.matchers import parse_matcher
from alerts.notifier_state import NotifierState
from alerts.policy import Policy
from alerts.silences import SilenceMatcher, SilenceState, Silencing, changed, check, expired
from alerts.time_intervals import Span, TimeInterval
from tests.support.telling import NOON, Telling, grouped, own, posted, route, silence

STEPS = EscalationConfig(
    matchers=(parse_matcher("severity=page"),),
    steps=(EscalationStep(after_s=600, receiver="second"), EscalationStep(after_s=1500, receiver="lead")),
)


@pytest.fixture(params=[False, True], ids=["", "restarts"])
def telling(request: pytest.FixtureRequest) -> Telling:
    return Telling(route(), restarts=request.param)


# ── silences ──────────────────────────────────────────────────────────────────


def test_what_is_silenced_is_told_when_the_silence_is_over(telling: Telling) -> None:
    telling.silence('app=~"a|b"', "alertname!=Slow", ends=60)
    telling.fire("Down", app="a")
    telling.fire("Slow", app="a")
    telling.fire("Down", app="c")

    assert telling.said() == [
        "0 on-call first notification: +Slow{app=a}",
        "0 on-call first notification: +Down{app=c}",
    ]
    assert telling.at(61).said() == ["60 on-call first notification: +Down{app=a}"]
    assert telling.rows(What.SILENCE) == [
        "made by Ann: app=~a|b, alertname!=Slow: deploying",
        "ended by Ann: app=~a|b, alertname!=Slow: deploying",
    ]


def test_a_silence_that_is_not_yet_in_force_hides_nothing(telling: Telling) -> None:
    telling.silence("app=a", starts=30, ends=60)
    telling.fire("Down", app="a")
    telling.at(35).fire("Slow", app="a")

    assert telling.at(70).said() == [
        "0 on-call first notification: +Down{app=a}",
        "60 on-call first notification: +Slow{app=a}",
    ]


def test_the_end_of_what_was_told_is_told_though_it_is_silenced(telling: Telling) -> None:
    telling.fire("Down", app="a")
    telling.at(5).silence("app=a", ends=60)
    telling.at(10).end("Down", app="a")

    assert telling.said()[-1] == "10 on-call all alerts resolved: -Down{app=a}"


def test_what_begins_and_ends_under_a_silence_is_told_to_nobody(telling: Telling) -> None:
    telling.silence("app=a", ends=60)
    telling.fire("Down", app="a")
    telling.at(10).end("Down", app="a")

    assert telling.at(90).said() == []


def test_what_is_silenced_meanwhile_is_not_repeated(telling: Telling) -> None:
    telling.post(posted("Down", ends=50_000))
    telling.at(5).silence("alertname=Down", ends=14_500)
    telling.now = NOON + 14_300
    telling.at(14_402)

    assert [line for line in telling.said() if "Down" in line] == ["0 on-call first notification: +Down"]


def test_a_silence_that_ends_soon_and_hides_something_says_so(telling: Telling) -> None:
    telling.post(posted("Down", ends=20_000))
    telling.silence("alertname=Down", ends=10_000)
    telling.silence("alertname=Slow", ends=10_000, name="s2")
    telling.now = NOON + 6_300
    telling.at(6_401)

    (notice,) = [n for n in telling.told if n.at > NOON]
    assert notice.alerts[0].labels == {"alertname": "ClaxonSilenceEnding", "severity": "info", "silence": "s1"}
    assert notice.alerts[0].summary == "the silence of Ann ends in 60 min and hides 1 alert"
    telling.at(6_500)
    assert len([n for n in telling.told if n.at > NOON]) == 1


def test_a_silence_of_an_hour_needs_no_notice(telling: Telling) -> None:
    telling.silence("alertname=Down", ends=3_000)
    telling.fire("Down")
    telling.at(20)

    assert telling.said() == []


def test_a_silence_that_was_taken_back_hides_nothing(telling: Telling) -> None:
    telling.silence("alertname=Down", ends=600)
    before = telling.notifier.state.silences["s1"]
    telling.notifier.put_back("s1", before)
    telling.notifier.put_back("s1", None)
    telling.at(600)

    telling.fire("Down")

    assert len(telling.said()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"matchers": []}, "matchers: none: name at least one label, or everything would be silent"),
        (
            {"matchers": [SilenceMatcher(name="", value="x", is_regex=False)]},
            "matchers: a name is empty: write the label's name",
        ),
        (
            {"matchers": [SilenceMatcher(name="app", value=".*", is_regex=True)]},
            "matchers: all of them match an empty label, so they match everything: name a value",
        ),
        ({"ends_at": NOON}, "endsAt: not after startsAt: give a later end"),
        ({"starts_at": NOON - 60, "ends_at": NOON - 30}, "endsAt: has passed: give a later end"),
        (
            {"ends_at": NOON + 7300},
            "endsAt: a silence lasts at most 2 h: end it earlier and renew it, or set silences.max_duration",
        ),
        ({"created_by": " "}, "createdBy: empty: say who wants it"),
        ({"comment": ""}, "comment: empty: say why, for whoever wonders at night"),
    ],
)
def test_a_silence_that_nobody_can_answer_for_is_refused(change: dict[str, object], said: str) -> None:
    right = silence("app=a", starts_at=NOON, ends_at=NOON + 60)
    check(right, now=NOON, longest_s=7200)

    with pytest.raises(SilenceError) as fault:
        check(msgspec.structs.replace(right, **change), now=NOON, longest_s=7200)

    assert str(fault.value) == said


def test_a_regular_expression_that_is_none_is_refused_and_a_silence_may_last_for_ever() -> None:
    wrong = silence("app=a", starts_at=NOON, ends_at=NOON + 60)
    wrong.matchers = [SilenceMatcher(name="app", value="(", is_regex=True)]
    with pytest.raises(SilenceError, match="not a regular expression"):
        check(wrong, now=NOON, longest_s=7200)

    check(silence("app=a", starts_at=NOON, ends_at=NOON + 1e9), now=NOON, longest_s=0)


def test_a_silence_that_matches_otherwise_or_has_ended_is_another_one() -> None:
    old = silence("app=a", starts_at=NOON, ends_at=NOON + 60)
    longer = silence("app=a", starts_at=NOON, ends_at=NOON + 600)

    assert changed(old, silence("app=b", starts_at=NOON, ends_at=NOON + 60), now=NOON + 5) is None
    assert changed(old, longer, now=NOON + 61) is None
    assert changed(old, msgspec.structs.replace(longer, starts_at=NOON + 1), now=NOON + 5) is None
    later = changed(old, longer, now=NOON + 5)
    assert later is not None
    assert (later.ends_at, later.updated_at) == (NOON + 600, NOON + 5)


def test_a_silence_that_has_not_begun_may_begin_at_another_time_but_not_in_the_past() -> None:
    old = silence("app=a", starts_at=NOON + 30, ends_at=NOON + 60)

    later = changed(old, msgspec.structs.replace(old, starts_at=NOON - 30), now=NOON)

    assert later is not None
    assert later.starts_at == NOON


def test_what_is_expired_was_never_in_force_if_it_had_not_begun() -> None:
    pending = silence("app=a", starts_at=NOON + 30, ends_at=NOON + 60)

    over = expired(pending, now=NOON)

    assert (pending.state(NOON), over.state(NOON)) == (SilenceState.PENDING, SilenceState.EXPIRED)
    assert over.starts_at == over.ends_at == NOON


def test_matchers_are_compiled_once_until_the_silence_is_another() -> None:
    silences = {"s1": silence('app!~"a|b"', starts_at=NOON, ends_at=NOON + 60)}
    silencing = Silencing(silences)
    assert silencing.by({"app": "c"}, NOON) == ["s1"]
    silences["s1"] = silence("app=a", starts_at=NOON, ends_at=NOON + 60)

    silencing.forget("s1")

    assert silencing.by({"app": "c"}, NOON) == []
    assert Silencing({}).by({"app": "c"}, NOON) == []


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


# ── escalations ───────────────────────────────────────────────────────────────


def escalating(*, restarts: bool = True, tree: object = None) -> Telling:
    policy = Policy(route=tree or route(), inhibit_rules=(), escalations=(STEPS,))  # type: ignore[arg-type]
    return Telling(policy, restarts=restarts)


def test_a_page_that_nobody_looks_after_goes_on_to_the_next_step_by_step() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    telling.fire("Slow", severity="ticket")
    telling.at(1600)
    telling.end("Down", severity="page")

    assert [line for line in telling.said() if "Down" in line] == [
        "0 on-call first notification: +Down{severity=page}",
        "600 second first notification: +Down{severity=page}",
        "1500 lead first notification: +Down{severity=page}",
        "1600 on-call all alerts resolved: -Down{severity=page}",
        "1600 second all alerts resolved: -Down{severity=page}",
        "1600 lead all alerts resolved: -Down{severity=page}",
    ]
    assert telling.rows(What.ESCALATED) == ["nobody looks after it: second", "nobody looks after it: lead"]


def test_the_steps_are_those_of_when_it_was_told() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    telling.policy = Policy(route=route(), inhibit_rules=())
    telling.notifier.adopt(telling.policy, NOON)

    assert telling.at(700).said()[-1] == "600 second first notification: +Down{severity=page}"


def test_a_receiver_that_is_gone_is_passed_over() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    telling.policy = Policy(route=route(), inhibit_rules=(), receivers=frozenset({"on-call", "lead"}))
    telling.notifier.adopt(telling.policy, NOON)

    assert len(telling.at(700).said()) == 1
    assert telling.at(1600).said() == ["1500 lead first notification: +Down{severity=page}"]


def test_an_acknowledgement_stops_it_until_it_expires() -> None:
    telling = escalating()
    telling.fire("Down", severity="page")
    (name,) = telling.notifier.state.firing
    telling.at(500)
    telling.notifier.acknowledge(name, by="Ann", now=telling.now)
    telling.at(2299)
    assert len(telling.said()) == 1

    telling.at(2400)
    assert telling.said() == [
        "2300 on-call repeat interval elapsed: +Down{severity=page}",
        "2340 second first notification: +Down{severity=page}",
        "2340 lead first notification: +Down{severity=page}",
    ]


def test_what_was_told_in_a_group_is_escalated_and_closed_by_itself() -> None:
    telling = escalating(tree=grouped())
    telling.fire("Down", severity="page")
    telling.at(650)
    telling.end("Down", severity="page")

    said = telling.at(700).said()
    assert [line for line in said if " second " in line] == [
        "610 second first notification: +Down{severity=page}",
        "650 second all alerts resolved: -Down{severity=page}",
    ]


# ── an auditor ────────────────────────────────────────────────────────────────


def test_a_page_that_nobody_was_told_of_is_found() -> None:
    telling = Telling(route(), rules={AUTH_ERROR.id: AUTH_ERROR})
    telling.change(Change.FIRED, own(AUTH_ERROR))
    assert telling.notifier.untold_pages(NOON + 600, after_s=120) == []

    (name,) = telling.notifier.state.told
    del telling.notifier.state.told[name]

    assert [a.fingerprint for a in telling.notifier.untold_pages(NOON + 600, after_s=120)] == [name]
    assert telling.notifier.untold_pages(NOON + 60, after_s=120) == []


def test_a_page_that_waits_for_its_group_is_not_missed() -> None:
    telling = Telling(grouped(group_wait_s=600.0), rules={AUTH_ERROR.id: AUTH_ERROR})
    telling.change(Change.FIRED, own(AUTH_ERROR))

    assert telling.at(300).notifier.untold_pages(telling.now, after_s=120) == []
    assert telling.notifier.told(own(AUTH_ERROR).fingerprint) == []
    telling.at(601)
    assert telling.notifier.told(own(AUTH_ERROR).fingerprint) == ["on-call"]
    next_at = telling.notifier.next_at()
    assert next_at is not None
    assert next_at > telling.now


# ── a page that speaks for several ───────────────────────────────────────────


def outage(**settings: object) -> tuple[Telling, Alert, Alert]:
    """Return a notifier whose error rate page goes on as a streak, for the error rate is over."""
    policy = Policy(route=route(repeat_interval_s=600.0), escalations=(STEPS,), **settings)  # type: ignore[arg-type]
    telling = Telling(policy, rules={r.id: r for r in (ERROR_RATE_PAGE, CONSECUTIVE_SERVER_ERRORS)}, restarts=True)
    first, second = own(ERROR_RATE_PAGE), own(CONSECUTIVE_SERVER_ERRORS)
    telling.change(Change.FIRED, first)
    telling.at(10).change(Change.FIRED, second)
    telling.at(20).change(Change.RESOLVED, first)
    return telling, first, second


def test_a_page_goes_on_and_is_escalated_while_anything_of_it_fires() -> None:
    telling, _, second = outage()
    telling.at(1000)
    telling.change(Change.RESOLVED, second)

    assert [(n.at - NOON, n.receiver, n.reason, n.alerts[0].labels["alertname"]) for n in telling.told] == [
        (0, "on-call", "first notification", "ClaudeErrorRate"),
        (600, "on-call", "repeat interval elapsed", "ClaudeConsecutiveServerErrors"),
        (600, "second", "first notification", "ClaudeConsecutiveServerErrors"),
        (1000, "on-call", "all alerts resolved", "ClaudeErrorRate"),
        (1000, "second", "all alerts resolved", "ClaudeErrorRate"),
    ]
    assert len({n.dedup_key for n in telling.told}) == 1
    assert telling.notifier.state.escalations == {}


def test_a_page_whose_alert_is_over_can_be_acknowledged_while_anything_of_it_fires() -> None:
    telling, first, second = outage()

    acknowledged = telling.notifier.acknowledge(first.fingerprint, by="Ann", now=telling.now)

    assert acknowledged is not None
    assert acknowledged.fingerprint == second.fingerprint
    assert len(telling.at(1000).told) == 1
    telling.change(Change.RESOLVED, second)
    assert telling.notifier.state.acks == {}
    assert telling.notifier.page(first.fingerprint) is None


def test_an_acknowledgement_holds_when_its_alert_fires_again_under_the_same_page() -> None:
    telling, first, _ = outage()
    telling.notifier.acknowledge(first.fingerprint, by="Ann", now=telling.now)
    first.episode = 2
    telling.at(30).change(Change.FIRED, first)

    assert len(telling.at(1000).told) == 1
    assert telling.notifier.state.acks[first.fingerprint].episode == 1


# ── another configuration, another time ───────────────────────────────────────


def test_an_incident_of_which_nobody_knows_who_is_there_is_told_anew() -> None:
    telling = Telling(route("old"), rules={r.id: r for r in (ERROR_RATE_PAGE, CONSECUTIVE_SERVER_ERRORS)})
    first, second = own(ERROR_RATE_PAGE), own(CONSECUTIVE_SERVER_ERRORS)
    telling.change(Change.FIRED, first)
    telling.change(Change.FIRED, second)
    telling.policy = Policy(route=route("new"), receivers=frozenset({"new"}))
    telling.notifier.adopt(telling.policy, telling.now)
    telling.take(telling.notifier.weigh(telling.rules, telling.find, telling.now))
    telling.change(Change.RESOLVED, first)
    telling.change(Change.RESOLVED, second)

    assert [(n.receiver, n.reason, n.alerts[0].labels["alertname"]) for n in telling.told] == [
        ("old", "first notification", "ClaudeErrorRate"),
        ("new", "first notification", "ClaudeErrorRate"),
        ("new", "all alerts resolved", "ClaudeErrorRate"),
    ]


def test_who_asks_is_told_what_holds_an_alert_back_and_what_it_holds_back() -> None:
    rule = InhibitRule(source=(parse_matcher("alertname=Cause"),), target=(parse_matcher("alertname=Effect"),))
    for tree in (route(), grouped()):
        telling = Telling(Policy(route=tree, inhibit_rules=(rule,)))
        telling.fire("Cause")
        telling.fire("Effect")
        telling.at(10)
        cause, effect = telling.notifier.state.firing

        assert telling.notifier.held_back(effect) == f"inhibited {cause}"
        assert telling.notifier.holds_back(cause) == [effect]
        assert telling.notifier.held_back(cause) == ""


def test_a_clock_that_is_set_back_makes_nobody_wait_longer() -> None:
    telling = Telling(route(repeat_interval_s=600.0))
    telling.fire("Down", severity="page")
    telling.fire("Slow", severity="ticket")
    telling.at(50)
    for name in telling.notifier.state.firing:
        telling.notifier.acknowledge(name, by="Ann", now=telling.now)
    telling.now = NOON - 86_400
    telling.notifier.rewind(telling.now)
    telling.told.clear()
    telling.at(-86_400 + 1805)

    assert telling.said() == ["-84600 on-call repeat interval elapsed: +Down{severity=page}"]


def test_after_a_pause_what_was_due_meanwhile_is_told_once() -> None:
    telling = Telling(route(repeat_interval_s=60.0))
    telling.post(posted("Down", ends=90_000))
    telling.now = NOON + 7200
    telling.notifier.resume()
    telling.at(7230)

    assert telling.said()[1:] == ["7200.5 on-call repeat interval elapsed: +Down"]


def test_rows_of_a_version_that_remembers_other_things_are_passed_over() -> None:
    assert NotifierState([("dreams", "x", b"")]).rows() == []
