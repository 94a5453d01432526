"""What Alertmanager's API lists of a notifier: which alerts, whose, and what holds them back."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.decisions import Transition
from alerts.default_rules import AUTH_ERROR, ERROR_RATE_PAGE, ERROR_RATE_TICKET, RETRIES_EXHAUSTED_PAGE
from alerts.inhibition import InhibitRule
from alerts.labels import fingerprint
from alerts.lifecycle import Alert, Change, State
from alerts.matchers import parse_matcher
from alerts.notifier import Notifier
from alerts.overview import EVERYTHING, FIRES_ON_S, Standing, Wanted, grouped, in_group_order, listed, standing
from alerts.patterns import compile_pattern
from alerts.policy import Policy
from alerts.received import Posted
from alerts.routes import Route
from alerts.rules import Rule
from alerts.silences import Silence, SilenceMatcher, SilenceState
from alerts.time_intervals import Span, TimeInterval

NOON = 1_700_000_000.0
RULES = {rule.id: rule for rule in (AUTH_ERROR, ERROR_RATE_PAGE, ERROR_RATE_TICKET, RETRIES_EXHAUSTED_PAGE)}
ALWAYS = {"always": TimeInterval(name="always", spans=(Span(),))}
CAUSE = InhibitRule(source=(parse_matcher("alertname=cause"),), target=(parse_matcher("alertname=symptom"),))


class Told:
    """A notifier, and short ways to have alerts fire."""

    def __init__(self, route: Route | None = None, **policy: object) -> None:
        rules = {"inhibit_rules": (CAUSE,)} | policy
        self.notifier = Notifier(policy=Policy(route=route or Route(receiver="page"), **rules))  # type: ignore[arg-type]
        self.engine: list[Alert] = []

    def post(self, *names: str, at: float = NOON, ends_at: float = NOON + 300, **more: str) -> None:
        posted = [Posted(labels={"alertname": name} | more, ends_at=ends_at, starts_at=at) for name in names]
        self.notifier.post(posted, at, RULES, self.find)

    def fire(self, *rules: Rule, at: float = NOON) -> None:
        alerts = [_alert(rule, at) for rule in rules]
        self.engine += alerts
        changes = [Transition(change=Change.FIRED, at=at, alert=alert) for alert in alerts]
        self.notifier.step(changes, RULES, self.find)

    def find(self, name: str) -> Alert | None:
        return next((alert for alert in self.engine if alert.fingerprint == name), None)

    def standing(self, now: float = NOON, wanted: Wanted = EVERYTHING) -> dict[str, Standing]:
        return {one.labels["alertname"]: one for one in standing(self.notifier, self.engine, now, wanted)}

    def groups(self, now: float = NOON, wanted: Wanted = EVERYTHING) -> list[tuple[str, dict[str, str], list[str]]]:
        found = in_group_order(grouped(self.notifier, self.engine, now, wanted))
        return [(g.receiver, g.labels, [one.labels["alertname"] for one in g.alerts]) for g in found]


def _alert(rule: Rule, at: float) -> Alert:
    labels = {"alertname": rule.alert, "app": "shop"} | rule.labels
    return Alert(
        rule=rule.id,
        key=("shop",),
        labels=labels,
        fingerprint=fingerprint(labels),
        state=State.FIRING,
        episode=1,
        fired_at=at,
        last_at=at + 5,
    )


def test_alerts_come_by_fingerprint_and_one_of_a_rule_is_said_to_fire_on() -> None:
    told = Told()
    told.post("b", "a")
    told.fire(AUTH_ERROR)

    found = standing(told.notifier, told.engine, NOON + 10)

    assert [one.fingerprint for one in found] == sorted(one.fingerprint for one in found)
    own = told.standing(NOON + 10)["ClaudeAuthError"]
    assert (own.starts_at, own.ends_at, own.updated_at) == (NOON, NOON + 10 + FIRES_ON_S, NOON + 5)
    assert own.annotations["summary"]
    assert own.generator_url.endswith(f"/alerts/{own.fingerprint}")
    assert not own.suppressed


def test_an_alert_is_over_at_its_end_though_its_timer_is_late() -> None:
    told = Told()
    told.post("a", ends_at=NOON + 5)

    assert told.standing(NOON + 5)
    assert told.standing(NOON + 5.1) == {}


def test_an_alert_whose_rule_nobody_knows_is_listed_all_the_same() -> None:
    told = Told()
    gone = _alert(AUTH_ERROR, NOON)
    gone.rule = "gone"
    told.notifier.step([Transition(change=Change.FIRED, at=NOON, alert=gone)], RULES, told.find)

    assert told.standing()["ClaudeAuthError"].starts_at == NOON


def test_a_silence_and_an_alert_hold_back_at_once() -> None:
    told = Told()
    told.notifier.silence(_silence("s", "symptom"), NOON, RULES, told.find)
    told.post("cause", "symptom", "other")

    found = told.standing()

    assert found["symptom"].inhibited_by == (found["cause"].fingerprint,)
    assert found["symptom"].silenced_by == ("s",)
    assert [name for name, one in found.items() if one.suppressed] == ["symptom"]
    assert told.standing(wanted=Wanted(silenced=False)).keys() == {"cause", "other"}
    assert told.standing(wanted=Wanted(inhibited=False)).keys() == {"cause", "other"}
    assert told.standing(wanted=Wanted(active=False)).keys() == {"symptom"}
    assert told.standing(wanted=Wanted(matchers=(parse_matcher("alertname=~o.*"),))).keys() == {"other"}


def test_a_symptom_that_an_open_page_speaks_for_is_held_back_by_it() -> None:
    told = Told()
    told.fire(ERROR_RATE_PAGE)
    told.fire(RETRIES_EXHAUSTED_PAGE, at=NOON + 1)

    found = told.standing(NOON + 1)

    assert found["ClaudeRetriesExhausted"].inhibited_by == (found["ClaudeErrorRate"].fingerprint,)
    assert not found["ClaudeErrorRate"].suppressed


def test_one_that_is_told_in_a_group_too_is_not_held_back_by_an_open_page() -> None:
    together = Route(receiver="mail", group_by=(), matchers=(parse_matcher("alertname=ClaudeRetriesExhausted"),))
    alone = Route(receiver="page", matchers=(parse_matcher("severity=page"),))
    told = Told(Route(receiver="page", routes=(_going_on(together), alone)))
    told.fire(ERROR_RATE_PAGE)
    told.fire(RETRIES_EXHAUSTED_PAGE, at=NOON + 1)
    told.notifier.tick(NOON + 1, RULES, told.find)

    assert told.notifier.told(_named(told, "ClaudeRetriesExhausted"))
    assert not told.standing(NOON + 1)["ClaudeRetriesExhausted"].suppressed


def _going_on(route: Route) -> Route:
    return Route(receiver=route.receiver, group_by=route.group_by, matchers=route.matchers, proceed=True)


def _named(told: Told, name: str) -> str:
    return told.standing(NOON + 1)[name].fingerprint


def test_an_alert_is_muted_if_all_of_its_routes_are() -> None:
    muted = Route(receiver="mail", proceed=True, mute_time_intervals=("always",))
    half = Told(Route(receiver="page", routes=(muted, Route(receiver="chat"))), time_intervals=ALWAYS)
    whole = Told(Route(receiver="page", mute_time_intervals=("always",)), time_intervals=ALWAYS)
    half.post("a")
    whole.post("a")

    assert half.standing()["a"].muted_by == ()
    assert half.standing()["a"].receivers == ("mail", "chat")
    assert whole.standing()["a"].muted_by == ("always",)
    assert whole.standing(wanted=Wanted(muted=False)) == {}


def test_an_alert_that_was_given_its_receivers_is_for_them() -> None:
    told = Told(Route(receiver="page", mute_time_intervals=("always",)), time_intervals=ALWAYS)
    told.notifier.post([Posted(labels={"alertname": "own"}, via=["chat", "mail"])], NOON, RULES, told.find)

    assert told.standing()["own"].receivers == ("chat", "mail")
    assert not told.standing()["own"].suppressed
    assert [receiver for receiver, _, _ in told.groups()] == ["chat", "mail"]
    assert told.standing(wanted=Wanted(receiver=compile_pattern("ma.*"))).keys() == {"own"}
    assert told.standing(wanted=Wanted(receiver=compile_pattern("ma"))) == {}


def test_groups_come_by_their_labels_then_by_receiver_and_their_alerts_by_job_and_instance() -> None:
    both = Route(receiver="mail", proceed=True, group_by=("app",), group_wait_s=30)
    told = Told(Route(receiver="page", routes=(both, Route(receiver="chat", group_by=("app",), group_wait_s=30))))
    told.post("b", app="x", job="2")
    told.post("a", app="x", job="1", instance="9")
    told.post("c")
    told.post("d", job="1")

    assert told.groups() == [
        ("chat", {}, ["d", "c"]),
        ("mail", {}, ["d", "c"]),
        ("chat", {"app": "x"}, ["a", "b"]),
        ("mail", {"app": "x"}, ["a", "b"]),
    ]


def test_alerts_alone_come_by_the_number_of_their_labels_then_by_name_and_value() -> None:
    told = Told()
    told.post("b")
    told.post("a", job="1")
    told.post("a", cluster="1")
    told.post("a", cluster="0")

    assert [labels for _, labels, _ in told.groups()] == [
        {"alertname": "b"},
        {"alertname": "a", "job": "1"},
        {"alertname": "a", "cluster": "0"},
        {"alertname": "a", "cluster": "1"},
    ]


def test_of_a_group_only_those_alerts_are_listed_that_are_wanted() -> None:
    told = Told(Route(receiver="page", group_by=("app",), group_wait_s=30))
    told.notifier.silence(_silence("s", "b"), NOON, RULES, told.find)
    told.post("a", "b", app="x")
    told.post("b", app="y")

    assert told.groups(wanted=Wanted(silenced=False)) == [("page", {"app": "x"}, ["a"])]
    assert told.groups(wanted=Wanted(active=False)) == [("page", {"app": "x"}, ["b"]), ("page", {"app": "y"}, ["b"])]


def test_a_group_that_is_muted_says_so_of_its_alerts_and_can_be_left_out() -> None:
    muted = Route(receiver="mail", group_by=(), group_wait_s=30, proceed=True, mute_time_intervals=("always",))
    alone = Route(receiver="chat", mute_time_intervals=("always",), proceed=True)
    told = Told(Route(receiver="page", routes=(muted, alone, Route(receiver="page"))), time_intervals=ALWAYS)
    told.post("a")

    found = {g.receiver: g.alerts[0] for g in grouped(told.notifier, [], NOON)}

    assert {receiver: one.muted_by for receiver, one in found.items()} == {
        "mail": ("always",),
        "chat": ("always",),
        "page": (),
    }
    assert found["page"].receivers == ("mail", "chat", "page")
    assert [receiver for receiver, _, _ in told.groups(wanted=Wanted(muted=False))] == ["page"]


def test_a_receiver_chooses_groups_and_is_the_one_that_their_alerts_name() -> None:
    told = Told(Route(receiver="page", routes=(Route(receiver="mail", proceed=True), Route(receiver="chat"))))
    told.post("a")

    (group,) = grouped(told.notifier, [], NOON, Wanted(receiver=compile_pattern("mail")))

    assert (group.receiver, group.alerts[0].receivers) == ("mail", ("mail",))


def test_two_routes_that_tell_the_same_receiver_alone_are_one_group() -> None:
    told = Told(Route(receiver="page", routes=(Route(receiver="mail", proceed=True), Route(receiver="mail"))))
    told.post("a")

    assert told.groups() == [("mail", {"alertname": "a"}, ["a"])]


def test_what_came_too_fast_is_in_the_group_of_the_storm_and_not_alone() -> None:
    told = Told()
    told.post(*(f"a{i:02d}" for i in range(25)))

    groups = told.groups()

    assert (groups[0][0], groups[0][1], len(groups[0][2])) == ("page", {}, 5)
    assert len(groups) == 21


def test_a_group_whose_route_is_gone_is_listed_until_it_is_over() -> None:
    told = Told(Route(receiver="page", group_by=("app",), group_wait_s=0, group_interval_s=300), receivers=None)
    told.post("a", app="x")
    told.notifier.adopt(Policy(route=Route(receiver="mail", group_by=(), group_wait_s=30)), NOON + 1)

    assert ("page", {"app": "x"}, ["a"]) in told.groups(NOON + 1)


def test_an_alert_that_has_ended_is_in_no_group() -> None:
    told = Told(Route(receiver="page", group_by=(), group_wait_s=0, group_interval_s=300))
    told.post("a")
    told.post("a", at=NOON + 1, ends_at=NOON + 1)

    assert told.notifier.state.groups
    assert told.groups(NOON + 2) == []


def _silence(name: str, *alertnames: str, starts_at: float = NOON, ends_at: float = NOON + 100) -> Silence:
    return Silence(
        id=name,
        matchers=[SilenceMatcher(name="alertname", value=one, is_regex=False) for one in alertnames],
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=NOON,
        created_by="ada",
        comment="known",
    )


def test_silences_come_by_state_and_then_by_what_happens_next() -> None:
    silences = [
        _silence("expired first", "a", ends_at=NOON - 20, starts_at=NOON - 50),
        _silence("expired last", "a", ends_at=NOON - 10, starts_at=NOON - 50),
        _silence("begins late", "a", starts_at=NOON + 20),
        _silence("begins soon", "a", starts_at=NOON + 10),
        _silence("ends late", "a", "b"),
        _silence("ends soon", "a", ends_at=NOON + 50),
    ]

    def names(matchers: Iterable[str] = (), states: Iterable[SilenceState] = SilenceState) -> list[str]:
        return [one.id for one in listed(silences, NOON, matchers=map(parse_matcher, matchers), states=states)]

    assert names() == ["ends soon", "ends late", "begins soon", "begins late", "expired last", "expired first"]
    assert names(states=[SilenceState.PENDING]) == ["begins soon", "begins late"]
    assert names(["alertname=b"]) == ["ends late"]
    assert names(["alertname=~b"]) == []
