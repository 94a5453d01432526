"""What a silence would hide, said before it is made."""

from __future__ import annotations

import pytest

from alerts.conditions import Any, ErrorRate
from alerts.decisions import Decision, What
from alerts.default_rules import AUTH_ERROR, DEFAULT_RULES
from alerts.matchers import Matcher, parse_matcher
from alerts.rules import Rule
from service.preview import SHOWN, Hidden, could_match, is_key_trouble, preview, told_by


def matchers(*written: str) -> tuple[Matcher, ...]:
    return tuple(map(parse_matcher, written))


def hidden(at: float = 0.0, **labels: str) -> Hidden:
    return Hidden(fingerprint=f"{at:016.0f}", episode=1, labels=labels, fired_at=at)


def test_it_counts_what_matches_all_matchers_and_nothing_else() -> None:
    firing = [hidden(1, alertname="A", app="chat"), hidden(2, alertname="A", app="shop")]
    episodes = [hidden(3, alertname="B", app="chat"), hidden(4, alertname="B")]

    found = preview(matchers('app="chat"'), firing=firing, episodes=episodes, rules=())

    assert [h.fired_at for h in found.now] == [1]
    assert [h.fired_at for h in found.past] == [3]


def test_pages_come_first_and_the_newest_episodes() -> None:
    firing = [hidden(1, severity="ticket", a="x"), hidden(2, severity="page", a="x"), hidden(3, severity="page", a="x")]
    episodes = [hidden(at, severity="page", a="x") for at in (5, 7, 6)]

    found = preview(matchers("a=x"), firing=firing, episodes=episodes, rules=())

    assert [h.fired_at for h in found.now] == [3, 2, 1]
    assert [h.fired_at for h in found.past] == [7, 6, 5]
    assert found.past_pages == 3


def test_of_many_it_names_the_first_and_counts_all() -> None:
    episodes = [hidden(at, severity="ticket", a="x") for at in range(SHOWN + 7)]

    found = preview(matchers("a=x"), firing=(), episodes=episodes, rules=())

    assert (len(found.past), found.past_total, found.past_pages) == (SHOWN, SHOWN + 7, 0)


def test_it_warns_of_a_key_that_is_rejected_now() -> None:
    found = preview(
        matchers('app="chat"'),
        firing=[hidden(1, alertname="ClaudeAuthError", app="chat", severity="page")],
        episodes=(),
        rules=(),
    )

    assert found.warnings == [
        "ClaudeAuthError fires now and would be hidden: calls fail until somebody repairs the key or the account."
    ]
    assert found.now[0].key_trouble


@pytest.mark.parametrize(
    ("written", "warned"),
    [
        (['app="chat"'], True),
        (['severity="page"'], True),
        (['alertname=~"Claude.*"'], True),
        (['environment="staging"', 'app=~"batch-.*"'], True),
        (['alertname="ClaudeErrorRate"'], False),
        (['severity="ticket"'], False),
        (['app="chat"', 'model="claude-sonnet-5"'], False),
        (['app="chat"', 'alertname!~"ClaudeAuthError|ClaudeAccountBlocked"'], False),
    ],
)
def test_it_warns_of_a_rejected_key_that_may_come_and_only_where_it_would_be_hidden(
    written: list[str], warned: bool
) -> None:
    found = preview(matchers(*written), firing=(), episodes=(), rules=DEFAULT_RULES)

    named = "ClaudeAccountBlocked and ClaudeAuthError"
    said = f"It would hide {named}: while it lasts, a rejected key or a blocked account wakes nobody."
    assert found.warnings == [said] * warned


def test_a_rule_of_ones_own_about_the_key_counts_too() -> None:
    mine = Rule(alert="KeyGone", condition=Any(), match=matchers('category="permission"'))
    other = Rule(alert="Slow", condition=ErrorRate(above=0.5, window_s=300), match=matchers('category="server"'))

    assert (is_key_trouble(mine), is_key_trouble(other), is_key_trouble(AUTH_ERROR)) == (True, False, True)


def test_a_rule_that_looks_at_one_app_alone_is_hidden_only_with_that_app() -> None:
    mine = Rule(alert="KeyGone", condition=Any(), match=matchers('category="permission"', 'app="chat"'))

    assert could_match(matchers('app="chat"'), mine)
    assert not could_match(matchers('app="shop"'), mine)


def test_who_was_told_is_read_from_the_ledger_alone_in_groups_and_by_escalation() -> None:
    rows = [
        Decision(at=4, what=What.NOTIFIED, note="all alerts resolved: pager, mail"),
        Decision(at=3, what=What.ESCALATED, note="nobody looks after it: lead"),
        Decision(at=2, what=What.NOTIFIED, note='new alerts added: chat, in the group {}:{app="x, y"}'),
        Decision(at=2, what=What.ACKNOWLEDGED, note="first notification: nobody"),
        Decision(at=1, what=What.NOTIFIED, note="first notification: pager, mail"),
    ]

    assert told_by(rows) == ["pager", "mail", "chat", "lead"]
