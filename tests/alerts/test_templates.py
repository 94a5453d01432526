"""alerts/templates.py: what an annotation may say, and that saying it never fails."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.templates import (
    FILTERS,
    MAX_RENDERED,
    MAX_TEMPLATE,
    TemplateError,
    compile_template,
    fill_in,
)
from tests.support.rules import UNHURRIED

LABELS = {"app": "shop", "items": "a label", "empty": "", "long": "x" * 200}
VALUE = {
    "failed": 9.0,
    "calls": 61.0,
    "share": 0.147541,
    "age_s": 3725.0,
    "limit_kind": "input tokens",
    "no": float("nan"),
}
ALERT = {"status": "firing", "url": "http://127.0.0.1:5290/alerts/1"}


def filled(text: str) -> str:
    return compile_template(text).render(labels=LABELS, value=VALUE, alert=ALERT)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain", "plain"),
        ("{{ labels.app }}: {{ value.failed }} of {{ value.calls }} failed", "shop: 9 of 61 failed"),
        ("{{ labels['app'] }} {{ alert.status }} {{ alert.url }}", "shop firing http://127.0.0.1:5290/alerts/1"),
        ("{{ value.share }} {{ value.share | percent }} {{ value.age_s | duration }}", "0.148 14.8 % 1h2m5s"),
        ("{{ value.age_s | count }} {{ value.share | round(1) }} {{ value.share | round }}", "3,725 0.1 0"),
        ("{{ 12.345 }} {{ 12.5 }} {{ 3 }} {{ 1e999 }} {{ value.no }} {{ value.no | percent }}", "12.35 12.5 3 ? ? ?"),
        ("{{ labels.app | upper }} {{ 'B' | lower }} {{ ' c ' | trim }} {{ value.failed | upper }}", "SHOP b c 9"),
        ("{{ labels.long | truncate(5) }} {{ labels.app | truncate }} {{ 'ab' | truncate(0) }}", "xxxx… shop ab"),
        ("{{ value.failed | default(3) }}/{{ labels.gone | default(value.failed) }}", "9/9"),
        ("{{ labels.items }}", "a label"),
        (
            "{{ labels.empty | default('nowhere') }} {{ value.gone | default('none') }} {{ labels.app | default }}",
            "nowhere none shop",
        ),
        ("{{ value.gone }} {{ value.gone | percent }} {{ value.gone | upper }} {{ labels.app | percent }}", "? ? ? ?"),
        (
            "{% if value.gone > 5 %}over{% else %}not{% endif %} {{ 'yes' if value.gone is defined else 'no' }}",
            "not no",
        ),
        (
            "{% if value.failed >= 9 and not labels.app == 'pay' %}a{% elif value.failed < 2 or 1 %}b{% endif %}",
            "a",
        ),
        ("{{ value.limit_kind }}", "input tokens"),
        ("{# said to nobody #}{% raw %}{{ }}{% endraw %}", "{{ }}"),
        ("{{ true }} {{ none }}", "True None"),
        (r"{{ '\ud800' }}", "?"),
    ],
)
def test_a_template_says_what_it_is_filled_with(text: str, said: str) -> None:
    assert filled(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ labels }}", "labels: not something to show: write labels.NAME"),
        ("{{ app }}", "app: not something to show: one of labels, value, alert, such as labels.app"),
        ("{{ host.name }}", "host: not something to show: one of labels, value, alert, such as labels.app"),
        ("{{ self }}", "self: not something to show"),
        ("{% for a in labels %}{% endfor %}", "a loop: a template has none; write what it says once"),
        ("{{ labels.get('app') }}", "a call: a template has none; filters do what is needed, such as | upper"),
        ("{{ range(10) }}", "a call: a template has none"),
        ("{{ value.share * 100 }}", "arithmetic: a template has none; write | percent, | duration or | round"),
        ("{{ 9 ** 9 ** 9 }}", "arithmetic: a template has none"),
        ("{{ 'x' * 999999999 }}", "arithmetic: a template has none"),
        ("{{ '%9999999d' % 1 }}", "arithmetic: a template has none"),
        ("{{ labels.app.upper }}", "a part of a part: write ROOT.NAME, such as labels.app"),
        ("{{ labels[value.x] }}", "a part of a part"),
        ("{{ labels[0:1] }}", "a part of a part"),
        ("{{ labels.app ~ 'x' }}", "~: write one after the other, as in {{ labels.app }}/{{ labels.model }}"),
        ("{{ [1] }}", "list: not in a template: write {{ labels.app }}, a filter or {% if %}"),
        ("{% set x = 1 %}", "set: a template has no names of its own; leave it out"),
        ("{% include 'x' %}", "another template: write everything in this one"),
        ("{% extends 'x' %}", "another template: write everything in this one"),
        ("{% macro m() %}{% endmacro %}", "macro: not in a template"),
        ("{{ -value.x }}", "neg: not in a template"),
        ("{{ labels.app | tojson }}", "tojson: not a filter: one of percent, duration, count"),
        ("{{ labels.app | uper }}", "uper: not a filter: did you mean upper?"),
        ("{{ labels.app | upper(1) }}", "upper: too many arguments: none"),
        ("{{ value.x | round(1, 2) }}", "round: too many arguments: at most one, as in (2)"),
        ("{{ value.x | default('a', 'b') }}", 'default: too many arguments: at most one, as in ("none")'),
        ("{{ value.x | default(*labels.app) }}", "default: too many arguments"),
        ("{{ value.x | default(**labels.app) }}", "default: too many arguments"),
        ("{{ value.x | default(value=1) }}", "default: too many arguments"),
        ("{{ value.x | round(value.y) }}", "round: its argument is a whole number, as in round(2)"),
        ("{{ labels.app | truncate(true) }}", "truncate: its argument is a whole number"),
        ("{{ 'a' if value.x }}", "an if without else: write else and a text"),
        ("{{ value.x is odd }}", "is odd: not a test: is defined, or a comparison such as > 5"),
        ("{{ labels.app", "line 1: unexpected end of template, expected 'end of print statement'"),
        ("a\n{% if %}", "line 2: Expected an expression"),
        ("{{ not " + "not " * 30 + "1 }}", "too deeply nested: make it simpler"),
        ("{{" + "(" * 1900 + "1" + ")" * 1900 + "}}", "cannot be read (RecursionError): make it simpler"),
        ("x" * (MAX_TEMPLATE + 1), "4001 characters: at most 4000"),
    ],
)
def test_what_no_template_may_do_is_refused_with_a_remedy(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as refused:
        compile_template(text)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ labels.ap }}", "labels.ap: no alert of this rule has it: did you mean app?"),
        ("{{ value.bound }}", "value.bound: no alert of this rule has it: one of failed"),
        ("{{ alert.colour }}", "alert.colour: no alert of this rule has it: one of name, severity"),
        ("{{ labels.__class__ }}", "labels.__class__: no alert of this rule has it"),
        ("{{ labels.app > 3 }}", "fails when it is filled in ("),
        (
            "{{ 1 in 2 }}",
            "fails when it is filled in (argument of type 'int' is not iterable): compare labels with texts",
        ),
        ("{{ " + "1" * 400 + " }}", "fails when it is filled in (int too large to convert to float)"),
    ],
)
def test_a_name_that_no_alert_of_the_rule_has_is_refused_with_a_remedy(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as refused:
        compile_template(text).check_names(labels=["app"], value=["failed"])

    assert str(refused.value).startswith(said)


def test_the_names_an_alert_of_the_rule_has_are_taken() -> None:
    text = "{{ labels.app }} {{ value.failed > 3 }} {{ value.limit_kind == 'tokens' }} {{ alert.advice }}"

    compile_template(text).check_names(labels=["app"], value=["failed", "limit_kind"])

    assert compile_template(text).names == {
        ("labels", "app"),
        ("value", "failed"),
        ("value", "limit_kind"),
        ("alert", "advice"),
    }


def test_what_fails_when_it_is_filled_in_leaves_a_mark_and_the_text() -> None:
    assert filled("{{ labels.app > 3 }}") == "[not filled in: TypeError] {{ labels.app > 3 }}"


def test_an_annotation_that_is_no_template_leaves_a_mark_and_the_text() -> None:
    """A rule that was never checked must be able to page."""
    said = fill_in("{{ labels.app.x }} down", labels=LABELS, value=VALUE, alert=ALERT)

    assert said == "[not filled in: a part of a part: write ROOT.NAME, such as labels.app] {{ labels.app.x }} down"


@pytest.mark.parametrize(
    "text", ["x" * 2000, "{{ labels.long }}" * 10, "{{ labels.app > 3 }}" + "x" * 2000, "{{ x }}" + "x" * 2000]
)
def test_what_comes_out_is_bounded(text: str) -> None:
    assert len(fill_in(text, labels=LABELS, value=VALUE, alert=ALERT)) == MAX_RENDERED


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "labels",
        ".app",
        "value.failed",
        ".x",
        "|",
        "percent",
        "default",
        "('a')",
        "if",
        "else",
        "endif",
        "for a in",
        "endfor",
        "set x =",
        "(",
        ")",
        "[",
        "]",
        "~",
        "*",
        "**",
        "<",
        "==",
        "'t'",
        "1",
        "9.5",
        "not",
        "and",
        "is",
        "{#",
        "#}",
        "defined",
        "loop",
        "range(9)",
        "\n",
        "\\",
        "raw",
        "endraw",
        "-",
        "�",
        "\x00",
        ",",
        ":",
        "{",
        "}",
        "cycler",
        "__class__",
    ]
)


@UNHURRIED
@given(st.lists(PIECES, max_size=14).map(" ".join) | st.text(max_size=60))
@example("{{ labels.app | default(value.failed) }}")
@example("{{ 1 if }}")
def test_any_text_is_refused_or_filled_in_and_never_raises(text: str) -> None:
    said = fill_in(text, labels=LABELS, value=VALUE, alert=ALERT)

    assert len(said) <= MAX_RENDERED
    with suppress(TemplateError):
        compile_template(text).check_names(labels=LABELS, value=VALUE)


ANY_VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@UNHURRIED
@given(
    st.lists(st.sampled_from(["labels.app", "value.x", "alert.y", "'t'", "1", "none"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(sorted(FILTERS)), max_size=3),
    st.sampled_from(["<", "==", "and", "or"]),
    st.dictionaries(st.sampled_from(["app", "x", "y"]), ANY_VALUE),
)
def test_a_good_template_never_raises_whatever_the_alert_holds(
    terms: list[str], filters: list[str], operator: str, held: dict[str, Any]
) -> None:
    text = "{{ (" + f" {operator} ".join(terms) + ")" + "".join(f" | {name}" for name in filters) + " }}"

    compile_template(text).render(labels=held, value=held, alert=held).encode()
