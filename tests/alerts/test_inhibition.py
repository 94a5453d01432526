"""Which firing alert mutes which: found quickly, and the same as by trying all."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from alerts.inhibition import DEFAULT_INHIBIT_RULES, Inhibition, InhibitRule
from alerts.labels import fingerprint
from alerts.lifecycle import Alert
from alerts.matchers import parse_matcher

RULES = (
    *DEFAULT_INHIBIT_RULES,
    InhibitRule(source=(parse_matcher('app="a"'),), target=(parse_matcher('app!="x"'),)),
)


def alert(alertname: str, severity: str, app: str, model: str) -> Alert:
    labels = {"alertname": alertname, "severity": severity, "app": app} | ({"model": model} if model else {})
    return Alert(rule="r", key=(), labels=labels, fingerprint=fingerprint(labels))


ALERTS = st.builds(
    alert,
    st.sampled_from(["ClaudeAuthError", "ClaudeErrorRate", "ClaudeRetryStorm"]),
    st.sampled_from(["page", "ticket"]),
    st.sampled_from(["a", "b", "x"]),
    st.sampled_from(["", "m", "n"]),
)


def by_trying_all(one: Alert, firing: Iterable[Alert]) -> set[str]:
    return {
        other.fingerprint
        for other in firing
        if other.fingerprint != one.fingerprint and any(rule.mutes(other.labels, one.labels) for rule in RULES)
    }


@given(st.lists(ALERTS, max_size=12), st.lists(st.integers(0, 11), max_size=6), ALERTS)
def test_what_mutes_an_alert_is_one_of_those_found_by_trying_all(
    firing: list[Alert], ended: list[int], one: Alert
) -> None:
    inhibition = Inhibition(RULES, firing)
    left = {other.fingerprint: other for other in firing}
    for place in ended:
        if place < len(firing):
            inhibition.discard(firing[place])
            left.pop(firing[place].fingerprint, None)

    source = inhibition.source_of(one)

    possible = by_trying_all(one, left.values())
    assert (source.fingerprint if source is not None else None) in (possible or {None})


@given(st.lists(ALERTS, max_size=12, unique_by=lambda a: a.fingerprint), ALERTS)
def test_what_muted_an_alert_before_mutes_it_as_long_as_it_may(firing: list[Alert], one: Alert) -> None:
    inhibition = Inhibition(RULES, firing)

    for name in by_trying_all(one, firing):
        source = inhibition.source_of(one, before=name)

        assert source is not None
        assert source.fingerprint == name
