"""One page for the symptoms of one outage, and its end."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

import msgspec
import pytest

from alerts.decisions import Decision, Transition, What
from alerts.default_rules import (
    AUTH_ERROR,
    CONSECUTIVE_SERVER_ERRORS,
    ERROR_RATE_PAGE,
    ERROR_RATE_TICKET,
    RETRIES_EXHAUSTED_PAGE,
)
from alerts.incidents import SYMPTOMS, Incident, closing
from alerts.inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from alerts.labels import fingerprint
from alerts.lifecycle import Alert, Change, State
from alerts.matchers import parse_matcher
from alerts.notification import Notification
from alerts.notifier import Notifier, NotifierState
from alerts.routes import Route
from alerts.rules import Rule
from alerts.wording import message

NOON = 1_700_000_000.0
NAMED = {
    "auth": AUTH_ERROR,
    "rate": ERROR_RATE_PAGE,
    "row": CONSECUTIVE_SERVER_ERRORS,
    "budget": RETRIES_EXHAUSTED_PAGE,
    "ticket": ERROR_RATE_TICKET,
}
RULES = {rule.id: rule for rule in NAMED.values()}
SHORT = {rule.id: name for name, rule in NAMED.items()}
_WORDS = {"+": Change.FIRED, "~": Change.KEPT, "=": Change.HELD, "-": Change.RESOLVED}


@dataclass
class Outage:
    """Transitions said in short: "rate+" fires, "~" kept, "=" held, "-" resolved; "rate/cart+" of another app."""

    alerts: dict[str, Alert] = field(default_factory=dict)

    def moves(self, at: float, said: str) -> list[Transition]:
        return [self.move(NOON + at, word[:-1], _WORDS[word[-1]]) for word in said.split()]

    def move(self, at: float, name: str, change: Change) -> Transition:
        kind, _, app = name.partition("/")
        alert = self.alerts.setdefault(name, alert_of(NAMED[kind], app=app or "shop"))
        if change is Change.FIRED:
            alert.episode, alert.state = alert.episode + 1, State.FIRING
            alert.fired_at, alert.resolved_at, alert.resolve_reason = at, None, ""
        elif change is Change.RESOLVED:
            alert.state, alert.resolved_at, alert.resolve_reason = State.INACTIVE, at, "recovered"
        return Transition(change=change, at=at, alert=msgspec.structs.replace(alert))


def alert_of(rule: Rule, *, app: str, **labels: str) -> Alert:
    named = {"alertname": rule.alert} | ({"app": app} if app != "none" else {}) | labels | rule.labels
    return Alert(rule=rule.id, key=(app,), labels=named, fingerprint=fingerprint(named))


def notifier(
    state: NotifierState | None = None,
    route: Route | None = None,
    rules: tuple[InhibitRule, ...] = DEFAULT_INHIBIT_RULES,
) -> Notifier:
    return Notifier(route or Route(receiver="on-call"), rules, external_url="http://127.0.0.1:5290", state=state)


def say(due: list[Notification]) -> list[tuple[float, str]]:
    """Return what was told as (seconds after noon, "rate+" or "rate-")."""
    by_alert = {(rule.alert, rule.severity): name for name, rule in NAMED.items()}
    found = []
    for n in due:
        name = by_alert[n.group_labels["alertname"], n.group_labels["severity"]]
        app = n.group_labels.get("app", "none")
        name += "" if app == "shop" else f"/{app}"
        found.append((n.at - NOON, f"{name}{'+' if n.status.value == 'firing' else '-'}"))
    return found


TIMELINES = {
    "those that begin while the first is open are held back, and it ends with the last": (
        [(0, "rate+"), (5, "row+"), (9, "budget+"), (20, "rate-"), (30, "budget-"), (40, "row-")],
        [(0, "rate+"), (40, "rate-")],
    ),
    "the first ends last": (
        [(0, "rate+"), (5, "row+"), (20, "row-"), (40, "rate-")],
        [(0, "rate+"), (40, "rate-")],
    ),
    "two that begin at once are one page": ([(0, "row+ rate+"), (9, "row- rate-")], [(0, "row+"), (9, "row-")]),
    "two that follow each other are two": (
        [(0, "rate+"), (9, "rate-"), (10, "row+"), (20, "row-")],
        [(0, "rate+"), (9, "rate-"), (10, "row+"), (20, "row-")],
    ),
    "what begins at the instant at which the other ends is still one": (
        [(0, "rate+"), (9, "rate- row+"), (20, "row-")],
        [(0, "rate+"), (20, "rate-")],
    ),
    "they need not all overlap, as long as one fires": (
        [(0, "rate+"), (5, "row+"), (6, "rate-"), (8, "budget+"), (9, "row-"), (20, "budget-")],
        [(0, "rate+"), (20, "rate-")],
    ),
    "a first that fires again meanwhile is not told again": (
        [(0, "rate+"), (5, "row+"), (6, "rate-"), (9, "rate+"), (12, "row-"), (20, "rate-")],
        [(0, "rate+"), (20, "rate-")],
    ),
    "a first that fires again at the instant at which it ends keeps the page open": (
        [(0, "rate+"), (9, "rate- rate+"), (20, "rate-")],
        [(0, "rate+"), (20, "rate-")],
    ),
    "one that is kept keeps the page open": (
        [(0, "rate+"), (5, "row+"), (6, "row~"), (9, "rate~"), (20, "rate-"), (30, "row-")],
        [(0, "rate+"), (30, "rate-")],
    ),
    "an incident that is over says nothing for the next": (
        [(0, "rate+"), (9, "rate-"), (20, "rate+"), (25, "row+"), (30, "rate-"), (40, "row-")],
        [(0, "rate+"), (9, "rate-"), (20, "rate+"), (40, "rate-")],
    ),
    "another app is another incident": (
        [(0, "rate+"), (5, "row/cart+"), (9, "rate-"), (20, "row/cart-")],
        [(0, "rate+"), (5, "row/cart+"), (9, "rate-"), (20, "row/cart-")],
    ),
    "alerts of no app stand for themselves": (
        [(0, "rate/none+"), (5, "row/none+"), (9, "rate/none-"), (20, "row/none-")],
        [(0, "rate/none+"), (5, "row/none+"), (9, "rate/none-"), (20, "row/none-")],
    ),
    "a cause speaks for all of them, and none leads": (
        [(0, "auth+ rate+"), (5, "row+"), (9, "rate-"), (10, "row-"), (20, "auth-")],
        [(0, "auth+"), (20, "auth-")],
    ),
    "what a cause held back is one page when it is over, and still holds": (
        [(0, "auth+ rate+"), (5, "row+"), (9, "auth-"), (20, "rate-"), (30, "row-")],
        [(0, "auth+"), (9, "auth-"), (9, "rate+"), (30, "rate-")],
    ),
    "what a cause held back and is only kept does not lead": (
        [(0, "auth+ rate+"), (5, "row+"), (6, "rate~"), (9, "auth-"), (20, "row-"), (30, "rate-")],
        [(0, "auth+"), (9, "auth-"), (9, "row+"), (30, "row-")],
    ),
    "a cause that comes later is told beside the open page": (
        [(0, "rate+"), (5, "auth+"), (9, "row+"), (20, "rate-"), (30, "auth-"), (40, "row-")],
        [(0, "rate+"), (5, "auth+"), (30, "auth-"), (40, "rate-")],
    ),
    "a ticket is no part of it": (
        [(0, "ticket+"), (5, "row+"), (9, "row-"), (20, "ticket-")],
        [(0, "ticket+"), (5, "row+"), (9, "row-"), (20, "ticket-")],
    ),
}


@pytest.mark.parametrize("name", TIMELINES)
@pytest.mark.parametrize("restarts", [False, True])
def test_an_outage_is_one_page(name: str, restarts: bool) -> None:
    timeline, told = TIMELINES[name]
    outage, telling, store = Outage(), notifier(), Store()
    due = []
    for at, said in timeline:
        due += telling.step(outage.moves(at, said), RULES, lambda _: None)[0]
        if restarts:
            telling = notifier(store.restored(telling.state))

    assert say(due) == told
    assert telling.state.incidents == {} == telling.state.told


class Store:
    """A database that is told only what has changed."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], bytes] = {}

    def restored(self, state: NotifierState) -> NotifierState:
        for part, name, body in state.changes():
            if body is None:
                self.rows.pop((part, name), None)
            else:
                self.rows[part, name] = body
        state.stored()
        rows = [((part, name), body) for part, name, body in state.rows()]
        assert sorted(rows, key=lambda row: row[0][0]) == self.in_order()
        return NotifierState((part, name, body) for (part, name), body in self.rows.items())

    def in_order(self) -> list[tuple[tuple[str, str], bytes]]:
        return sorted(self.rows.items(), key=lambda row: row[0][0])


def test_the_end_has_the_key_of_the_page_and_says_when_and_why_the_last_was_over() -> None:
    outage, telling = Outage(), notifier()
    moves = [*outage.moves(0, "rate+"), *outage.moves(5, "row+"), *outage.moves(6, "rate-"), *outage.moves(8, "rate+")]
    moves += outage.moves(9, "rate-")
    last = outage.move(NOON + 3600, "row", Change.RESOLVED)
    last.alert.resolve_reason = "stale"

    first, end = telling.step([*moves, last], RULES, lambda _: None)[0]

    assert first.dedup_key == end.dedup_key == f"claxon/ClaudeErrorRate/{outage.alerts['rate'].fingerprint}/1"
    (over,) = end.alerts
    assert (over.episode, over.starts_at, over.ends_at) == (1, NOON, NOON + 3600)
    assert over.resolve_reason == "closed: nothing heard for 1h; this is not proof of recovery"


def test_the_end_can_be_told_though_the_rule_that_was_told_is_gone() -> None:
    outage, telling = Outage(), notifier()
    telling.step([*outage.moves(0, "rate+ row+"), *outage.moves(5, "rate-")], RULES, lambda _: None)

    due, _ = telling.step(outage.moves(9, "row-"), {NAMED["row"].id: NAMED["row"]}, lambda _: None)

    assert say(due) == [(9, "rate-")]


def step(telling: Notifier, outage: Outage, at: float, said: str) -> list[Notification]:
    return telling.step(outage.moves(at, said), RULES, lambda _: None)[0]


def test_the_end_of_a_page_whose_first_has_no_end_says_when_the_last_was_over() -> None:
    outage = Outage()
    outage.moves(0, "rate+ row+")
    outage.moves(9, "row-")
    first, last = (
        message(outage.alerts[name], NAMED[name], external_url="http://127.0.0.1:5290") for name in ("rate", "row")
    )
    open_page = Incident(lead=first.fingerprint, labels=first.labels, rule="", receivers=[], firing=[])

    assert closing(open_page, last) == last
    over = closing(msgspec.structs.replace(open_page, ended=first), last)
    assert (over.fingerprint, over.ends_at, over.resolve_reason) == (
        first.fingerprint,
        last.ends_at,
        last.resolve_reason,
    )


def test_what_is_held_back_says_by_which_page_and_so_does_a_first_that_fires_again() -> None:
    outage, telling = Outage(), notifier()
    rows: list[Decision] = []
    for at, said in [(0, "rate+"), (5, "row+"), (6, "rate-"), (9, "rate+"), (10, "row~")]:
        rows += telling.step(outage.moves(at, said), RULES, lambda _: None)[1]
    rate, row = (outage.alerts[name].fingerprint for name in ("rate", "row"))

    held = [(r.at - NOON, r.subject, r.note) for r in rows if r.what is What.INHIBITED]

    assert held == [
        (5, row, f"by the open page of ClaudeErrorRate {rate}"),
        (9, rate, "by its own open page, of episode 1"),
    ]
    assert telling.state.held_back == {row: f"inhibited {rate}"}


def test_every_model_of_an_app_is_in_the_same_page() -> None:
    models = [alert_of(ERROR_RATE_PAGE, app="shop", model=model) for model in ("opus", "sonnet", "haiku")]
    for alert in models:
        alert.episode, alert.state = 1, State.FIRING

    due, _ = notifier().step([Transition(change=Change.FIRED, at=NOON, alert=a) for a in models], RULES, lambda _: None)

    assert [n.group_labels["model"] for n in due] == ["opus"]


def test_environments_of_an_app_are_told_apart() -> None:
    places = [alert_of(ERROR_RATE_PAGE, app="shop", environment=name) for name in ("prod", "test")]
    for alert in places:
        alert.episode, alert.state = 1, State.FIRING

    due, _ = notifier().step([Transition(change=Change.FIRED, at=NOON, alert=a) for a in places], RULES, lambda _: None)

    assert len(due) == 2


def test_who_would_not_hear_of_the_first_is_told_of_the_second() -> None:
    """A route that sends one alert to the log only must not make it swallow the page of another."""
    only_logged = Route(receiver="log", matchers=(parse_matcher('alertname="ClaudeErrorRate"'),))
    outage, telling = Outage(), notifier(route=Route(receiver="pager", routes=(only_logged,)))

    due, _ = telling.step([*outage.moves(0, "rate+ row+"), *outage.moves(9, "rate- row-")], RULES, lambda _: None)

    assert [(n.receiver, n.status.value) for n in due] == [
        ("log", "firing"),
        ("pager", "firing"),
        ("log", "resolved"),
        ("pager", "resolved"),
    ]


def test_the_configurations_inhibit_rules_do_not_switch_it_off() -> None:
    outage = Outage()

    due, _ = notifier(rules=()).step(outage.moves(0, "rate+ row+"), RULES, lambda _: None)

    assert len(due) == 1


def test_a_page_of_a_claxon_that_knew_no_incidents_still_gets_its_end() -> None:
    """Both were told before the update; the one that fires next may not swallow their ends."""
    outage, telling = Outage(), notifier()
    telling.step(outage.moves(0, "rate+ row/cart+"), RULES, lambda _: None)
    telling.state = NotifierState(row for row in telling.state.rows() if row[0] != "incidents")

    later = [*outage.moves(5, "budget+"), *outage.moves(9, "rate-"), *outage.moves(12, "budget-")]
    due, _ = telling.step(later, RULES, lambda _: None)

    assert say(due) == [(5, "budget+"), (9, "rate-"), (12, "budget-")]


# ── whatever happens ──────────────────────────────────────────────────────────

_NEXT = {
    State.INACTIVE: [Change.FIRED],
    State.FIRING: [Change.KEPT, Change.HELD, Change.RESOLVED],
}


def history(seed: int) -> list[Transition]:
    """Transitions as an engine may make them, all resolved at the end; several alerts of one instant often."""
    r = random.Random(seed)
    outage, found, kept, moved = Outage(), [], set(), set()
    names = [f"{kind}{app}" for kind in NAMED for app in ("", "/cart")]
    at = 0.0
    for _ in range(r.randint(20, 120)):
        at += r.choice([0, 1, 5, 60])
        name = r.choice(names)
        if (name, at) in moved:
            continue
        moved.add((name, at))
        firing = name in outage.alerts and outage.alerts[name].state is State.FIRING
        change = r.choice([Change.RESOLVED, Change.HELD if name in kept else Change.KEPT]) if firing else Change.FIRED
        (kept.add if change is Change.KEPT else kept.discard)(name)
        found.append(outage.move(NOON + at, name, change))
    for name, alert in outage.alerts.items():
        at += r.choice([30, 1])
        if alert.state is State.FIRING:
            found.append(outage.move(NOON + at, name, Change.RESOLVED))
    return found


Told = tuple[list[Notification], list[Decision]]


def play(transitions: list[Transition], *, restart: float, cut: float, seed: int = 0) -> Told:
    """Return all that was told and decided, the transitions cut into steps between instants by chance."""
    r = random.Random(seed)
    telling, store = notifier(), Store()
    due, rows, step = [], [], []
    for _, group in groupby(transitions, key=attrgetter("at")):
        step += group
        if r.random() < cut:
            told = telling.step(step, RULES, lambda _: None)
            due, rows, step = due + told[0], rows + told[1], []
        if r.random() < restart and not step:
            telling = notifier(store.restored(telling.state))
    told = telling.step(step, RULES, lambda _: None)
    assert telling.state.told == telling.state.incidents == telling.state.firing == telling.state.held_back == {}
    return due + told[0], rows + told[1]


@pytest.mark.parametrize("block", range(10))
def test_every_page_gets_one_end_after_it_and_none_overlaps_another_of_its_app(block: int) -> None:
    overlapped = 0
    for seed in range(block * 40, block * 40 + 40):
        transitions = history(seed)
        due, _ = play(transitions, restart=0.2, cut=1, seed=seed)
        said = Counter((n.dedup_key, n.status.value) for n in due)
        keys = {n.dedup_key for n in due}

        assert said == Counter({(key, status): 1 for key in keys for status in ("firing", "resolved")}), seed
        assert_ends_with_the_last(due, transitions)
        overlapped += sum(t.change is Change.FIRED for t in transitions) - len(keys)
    assert overlapped > 100, "nothing was ever held back"


def assert_ends_with_the_last(due: list[Notification], transitions: list[Transition]) -> None:
    """While a symptom's page is open no other is; it ends when no symptom of its app fires any more."""
    open_pages: dict[str, str] = {}
    for n in due:
        app = n.group_labels["app"]
        if n.group_labels["alertname"] not in SYMPTOMS or n.group_labels["severity"] != "page":
            continue
        if n.status.value == "firing":
            assert app not in open_pages
            open_pages[app] = n.dedup_key
        else:
            assert open_pages.pop(app) == n.dedup_key
            assert not firing_symptoms(transitions, app, n.at)
            assert any(
                t.at == n.at and t.change is Change.RESOLVED for t in transitions if t.alert.labels["app"] == app
            )


def firing_symptoms(transitions: list[Transition], app: str, at: float) -> set[str]:
    latest = {t.alert.fingerprint: t for t in transitions if t.at <= at}
    return {
        name
        for name, t in latest.items()
        if t.change is not Change.RESOLVED
        and t.alert.labels["app"] == app
        and t.alert.labels["alertname"] in SYMPTOMS
        and t.alert.labels["severity"] == "page"
    }


@pytest.mark.parametrize("seed", range(60))
def test_neither_steps_nor_restarts_change_what_is_told(seed: int) -> None:
    transitions = history(seed)

    at_once = play(transitions, restart=0, cut=0)

    assert play(transitions, restart=0, cut=1) == at_once
    assert play(transitions, restart=0.5, cut=0.7, seed=seed) == at_once
