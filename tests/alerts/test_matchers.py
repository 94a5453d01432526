"""alerts/matchers.py: Alertmanager's four operators, in both of its grammars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import MatcherError
from alerts.matchers import Matcher, all_match, make_matcher, matchers_text, parse_matcher, parse_matchers


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
        ("app=", "", True),
        ('app=~".+"', "", False),
        ("app=chat", "chat", True),
        (' app = "chat" ', "chat", True),
        (r'app="a\"b\\c\nd"', 'a"b\\c\nd', True),
        (r'app=~"\d+"', "12", True),
        (r'app="a\tb"', r"a\tb", True),
        (r"app=a\\", "a\\", True),
        ("app=a\\", "a\\", True),
        ('app="a,b"', "a,b", True),
    ],
)
def test_a_matcher_matches_the_whole_value(text: str, value: str, matches: bool) -> None:
    assert parse_matcher(text).matches(value) is matches


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('"my label"="x"', "my label", "x"),
        ('1app="x"', "1app", "x"),
        ("größe=x", "größe", "x"),
        (r'"a\tb"="\x41é\101\u00e9\U0001f642\""', "a\tb", 'AéAé🙂"'),
        (r'"\xf0\x9f\x99\x82"=x', "🙂", "x"),
        ('""="x"', "", "x"),
    ],
)
def test_a_name_that_is_no_identifier_is_read_by_the_new_grammar(text: str, name: str, value: str) -> None:
    assert parse_matcher(text) == Matcher(name, "=", value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app",
        '="x"',
        'app=="x"',
        'app="x',
        'app=x"',
        'app="x"y',
        'app="x"y"',
        'app~"x"',
        '{app="x"}',
        'app="x"}',
        'app="x",b="y"',
        '"a"="x","b"="y"',
        r'"a\w"="x"',
        r'"\xf0\x9f"="x"',
        r'"\ud800"="x"',
        r'"\777"="x"',
        '"a\nb"="x"',
        '"a"="x" "b"="y"',
        '"a',
    ],
)
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(MatcherError):
        parse_matcher(text)


@pytest.mark.parametrize("text", ['app=~"("', '"my app"=~"("'])
def test_a_regular_expression_that_is_none_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(MatcherError, match="not a regular expression"):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "{}"),
        ("{}", "{}"),
        ("{", "{}"),
        (" ", "{}"),
        ('a="b"', '{a="b"}'),
        ('c=~"d",a="b"', '{a="b",c=~"d"}'),
        ('{a="b", c!="d", }', '{a="b",c!="d"}'),
        ('{a="x,}"}', '{a="x,}"}'),
        (r'a="x\",y",b=z', r'{a="x\",y",b="z"}'),
        ('{"my label"="b",a=~"c|d"}', '{a=~"c|d","my label"="b"}'),
        ('"a b"="c",', '{"a b"="c"}'),
        ('a="1",a!="1",a=~"1",a!~"1",a="0"', '{a="0",a="1",a!="1",a=~"1",a!~"1"}'),
    ],
)
def test_a_text_may_hold_several_matchers(text: str, said: str) -> None:
    assert matchers_text(parse_matchers(text)) == said


@pytest.mark.parametrize("text", [",", "{,}", "a=b,,c=d", '{"a"="b"', '"a"="b"}', '"a"=b"c"', 'a=~"(",b=c'])
def test_a_text_of_several_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(MatcherError):
        parse_matchers(text)


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


@given(st.text(), st.text())
def test_any_name_is_read_back(name: str, value: str) -> None:
    """A name with spaces, quotes or braces is written in quotes, as Go writes it."""
    matcher = Matcher(f"{name} ", "=", value)

    assert parse_matchers(str(matcher)) == (matcher,)
