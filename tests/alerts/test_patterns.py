"""alerts/patterns.py: RE2's expressions, and what Python's `re` would have made of them."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.automata import Automaton, Either, Many, Node, One, Times, python_pattern
from alerts.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("", [""], ["a"]),
        ("a|b", ["a", "b"], ["ab", ""]),
        ("a|", ["a", ""], ["b"]),
        ("(a|b)c", ["ac", "bc"], ["c"]),
        ("a*b+c?", ["b", "aabbc"], ["ac"]),
        ("a{2}", ["aa"], ["a", "aaa"]),
        ("a{2,}", ["aa", "aaaa"], ["a"]),
        ("a{1,2}?", ["a", "aa"], ["aaa"]),
        # Python: up to two.
        ("a{,2}", ["a{,2}"], ["", "a", "aa"]),
        ("a{", ["a{"], ["a"]),
        (".", ["a", "é", "\r"], ["\n", ""]),
        ("(?s).", ["a", "\n"], []),
        ("(?s:.)(?-s:.)", ["\na"], ["a\n"]),
        # Python: a letter or digit of any script.
        (r"\w", ["a", "_", "9"], ["é", "٣"]),
        (r"\d", ["3"], ["٣", "a"]),
        (r"\D", ["٣", "a", "\n"], ["3"]),
        (r"\W", ["é", "-"], ["a"]),
        (r"\s", [" ", "\t"], ["\v", "\u00a0"]),
        (r"\S", ["\v", "a"], [" "]),
        (r"[\d-z]", ["3", "-", "z"], ["a"]),
        (r"[^\D]", ["3"], ["a", "٣"]),
        (r"[\S]", ["\v", "é"], [" "]),
        (r"a\b-", ["a-"], ["a"]),
        (r"a\Bé", [], ["aé"]),
        (r"é\Bé", ["éé"], []),
        (r"\B", [""], []),
        # Python: also before a line feed at the end.
        ("a$\n?", ["a"], ["a\n"]),
        ("(?m)a$\n^b", ["a\nb"], ["ab"]),
        ("^a$", ["a"], ["a\n"]),
        ("^*a", ["a"], ["^a"]),
        (r"\Aa\z", ["a"], ["a\n"]),
        ("(?i)Ab", ["ab", "AB"], ["b"]),
        # Python: no flag in the middle.
        ("a(?i)b|c", ["ab", "aB", "C"], ["Ab", "A"]),
        ("(a(?i)b)c", ["aBc"], ["abC", "abc ".strip().upper()]),
        ("(?i:a)b", ["Ab"], ["AB"]),
        ("(?i)(?-i:a)b", ["aB"], ["Ab"]),
        ("(?i)[^a]", ["b"], ["A"]),
        ("a(?i)+", ["aa"], ["A"]),
        ("a(?)", ["a"], ["b"]),
        ("(?U)a+?", ["a", "aa"], [""]),
        ("(?P<name>a)", ["a"], ["name"]),
        ("(?<name>a)", ["a"], ["name"]),
        ("(?:a)", ["a"], [":a"]),
        # Python: a set of "[:alph", then "]".
        ("[[:alpha:]]", ["a"], ["a]", ":]", "é"]),
        ("[[:^alpha:]1]", ["1", "é"], ["a"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[^]a]", ["b", "\n"], ["]"]),
        ("[a-c-]", ["b", "-"], ["d"]),
        (r"[\]\-\x41]", ["]", "-", "A"], ["\\"]),
        ("[&&a~~|]", ["&", "a", "~"], ["b"]),
        ("[a[]", ["["], ["]"]),
        (r"\.\-\_\{", [".-_{"], ["a-_{"]),
        (r"\x41\x{1F642}\101\0\12", ["A🙂A\0\n"], []),
        (r"\a\f\n\r\t\v", ["\a\f\n\r\t\v"], []),
        (r"\Qa.b*\E+", ["a.b*", "a.b**"], ["aXb*"]),
        (r"\Qa.", ["a."], ["ab"]),
        (r"a\Q\E+", ["aa"], [""]),
    ],
)
def test_a_pattern_matches_whole_values_as_re2_does(pattern: str, matching: list[str], others: list[str]) -> None:
    compiled = compile_pattern(pattern)

    assert [value for value in matching if not compiled.matches(value)] == []
    assert [value for value in others if compiled.matches(value)] == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", r"missing \)"),
        ("a)", r"unexpected \)"),
        ("[a", "missing ]"),
        ("[a-", "missing ]"),
        ("[", "missing ]"),
        ("[a-\\", "no escape of RE2"),
        ("*a", "a repetition of a repetition, or of nothing"),
        ("a|*", "or of nothing"),
        ("a**", "a repetition of a repetition"),
        ("a{2}{3}", "a repetition of a repetition"),
        ("a*+", "a repetition of a repetition"),
        ("a{1001}", "repeats at most 1000 times"),
        ("a{1,1001}", "repeats at most 1000 times"),
        ("a{3,2}", "the smaller number first"),
        ("(?=a)", r"\(\?=a: not in RE2"),
        ("(?!a)", "not in RE2"),
        ("(?<=a)", "not in RE2"),
        ("(?>a)", "not in RE2"),
        ("(?x)a", "not in RE2"),
        ("(?P=n)", "not in RE2"),
        ("(?-)", "not in RE2"),
        (r"\1", "no escape of RE2"),
        (r"\Z", "no escape of RE2"),
        (r"\é", "no escape of RE2"),
        ("\\", "no escape of RE2"),
        (r"[a-\d]", "no escape of RE2"),
        (r"[\b]", "no escape of RE2"),
        (r"\pL", "Unicode classes are not supported"),
        (r"[\P{Greek}]", "Unicode classes are not supported"),
        (r"\x{110000}", "no character has this number"),
        ("[b-a]", "ends before it begins"),
        ("[[:foo:]]", "no such class"),
        ("(" * 51 + ")" * 51, "more than 50 groups"),
        ("a*(?i)*", "a repetition of a repetition"),
    ],
)
def test_what_re2_does_not_read_is_refused_with_the_reason(pattern: str, said: str) -> None:
    with pytest.raises(PatternError, match=said):
        compile_pattern(pattern)


@given(st.text(alphabet="ab.-[]^{}()|*+?\\dwQE,12", max_size=12), st.text(alphabet="ab.1", max_size=6))
def test_where_python_reads_a_plain_pattern_it_reads_the_same(pattern: str, value: str) -> None:
    """Nothing of what both read alike is lost in saying it again."""
    try:
        ours = compile_pattern(pattern)
    except PatternError:
        return
    if re.search(r"\{,|\[.*\[|\\[QE12]|\(\?|[-\[&|~]{2}", pattern):
        return
    try:
        theirs = re.compile(pattern)
    except re.error:
        # Such as a repetition of a place, which is one to RE2.
        return

    assert ours.matches(value) == bool(theirs.fullmatch(value))


@given(st.text())
def test_what_is_quoted_matches_itself(value: str) -> None:
    if r"\E" not in value:
        assert compile_pattern(rf"\Q{value}\E").matches(value)


@given(st.text(alphabet=st.sampled_from("ab.-[]^{}()|*+?\\dbBQEpUims,12:$&~é\n"), max_size=12))
def test_whatever_is_read_is_an_expression_of_python_too(pattern: str) -> None:
    with suppress(PatternError):
        assert compile_pattern(pattern).matches(pattern) in (True, False)


# ── patterns that Python would try for ever ───────────────────────────────────


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(a|aa)+b",
        "(.*a){20}b",
        "(a*)*b",
        "a*a*a*a*a*a*b",
        "a?" * 200 + "a" * 200 + "b",
    ],
)
def test_a_pattern_with_many_ways_ends_in_the_time_of_one(pattern: str) -> None:
    """Python has 2^n ways to try, or n^6: this test would never end."""
    compiled = compile_pattern(pattern)

    assert not compiled.matches("a" * 1000)
    assert compiled.matches("a" * 200 + "b")


def test_repetitions_that_would_fill_the_memory_are_refused() -> None:
    for pattern in ("((a+){1000}){1000}", "(a{1,50}){1,50}"):
        with pytest.raises(PatternError, match="write smaller numbers"):
            compile_pattern(pattern)


_ONES = st.sampled_from([One("a"), One("b"), One("[^a]"), One(r"\A", takes=False), One("(?m:$)", takes=False)])
_NODES = st.recursive(
    _ONES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: Many(tuple(parts)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda options: Either(tuple(options)))
        | st.builds(Times, inner, st.integers(0, 1), st.sampled_from([None, 1, 2]))
    ),
    max_leaves=5,
)


@given(_NODES, st.text(alphabet="ab\n", max_size=6))
def test_an_automaton_matches_what_python_matches(node: Node, value: str) -> None:
    assert Automaton(node).matches(value) == bool(re.fullmatch(python_pattern(node), value))
