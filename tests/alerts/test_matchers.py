"""alerts/matchers.py: Alertmanager's four operators."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import MatcherError
from alerts.matchers import all_match, make_matcher, parse_matcher


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ('app="chat"', "chat", True),
        ('app="chat"', "chats", False),
        ('app!="chat"', "chat", False),
        ('app!="chat"', "", True),
        ('app=~"chat|batch"', "batch", True),
        ('app=~"chat"', "chats", False),
        ('app=~"chat.*"', "chats", True),
        ('app!~"chat.*"', "chats", False),
        ('app!~"chat.*"', "batch", True),
        ('app=""', "", True),
        ('app=~".+"', "", False),
        ("app=chat", "chat", True),
        (' app = "chat" ', "chat", True),
        (r'app="a\"b\\c\nd"', 'a"b\\c\nd', True),
    ],
)
def test_a_matcher_matches_the_whole_value(text: str, value: str, matches: bool) -> None:
    assert parse_matcher(text).matches(value) is matches


@pytest.mark.parametrize("text", ["", "app", "app=", '="x"', 'app=="x"', 'app="x', 'app=x"', '1app="x"', 'app~"x"'])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(MatcherError):
        parse_matcher(text)


def test_a_regular_expression_that_is_none_is_refused_with_the_reason() -> None:
    with pytest.raises(MatcherError, match="not a regular expression"):
        parse_matcher('app=~"("')


def test_an_absent_label_counts_as_empty() -> None:
    matchers = (parse_matcher('environment=""'), parse_matcher('app!="x"'))

    assert all_match(matchers, {})
    assert not all_match(matchers, {"app": "x"})


def test_no_matchers_match_everything() -> None:
    assert all_match((), {"app": "chat"})


@given(st.sampled_from(["=", "!=", "=~", "!~"]), st.text())
def test_what_was_written_is_read_back(operator: str, value: str) -> None:
    try:
        matcher = make_matcher("app", operator, value)
    except MatcherError:
        return

    assert parse_matcher(str(matcher)) == matcher
