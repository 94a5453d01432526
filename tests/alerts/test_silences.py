"""Silences: what they hide, what they do not, and which are refused."""

from __future__ import annotations

import msgspec
import pytest

from alerts.decisions import What
from alerts.errors import SilenceError
from alerts.silences import SilenceMatcher, SilenceState, Silencing, changed, check, expired
from tests.support.telling import NOON, Telling, posted, route, silence


@pytest.fixture(params=[False, True], ids=["", "restarts"])
def telling(request: pytest.FixtureRequest) -> Telling:
    return Telling(route(), restarts=request.param)


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
