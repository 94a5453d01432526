"""alerts/labels.py: the fingerprint of a label set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.labels import fingerprint

label_sets = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=5)


def fnv1a(octets: bytes) -> str:
    """The hash as its authors print it, kept apart from the code under test."""
    digest = 0xCBF29CE484222325
    for octet in octets:
        digest = (digest ^ octet) * 0x100000001B3 % 2**64
    return f"{digest:016x}"


@pytest.mark.parametrize(
    ("text", "digest"), [(b"", "cbf29ce484222325"), (b"a", "af63dc4c8601ec8c"), (b"foobar", "85944171f73967e8")]
)
def test_the_reference_here_is_fnv_1a(text: bytes, digest: str) -> None:
    assert fnv1a(text) == digest


def test_the_empty_set_has_the_fingerprint_that_prometheus_gives_it() -> None:
    assert fingerprint({}) == "cbf29ce484222325"


def test_names_and_values_are_hashed_in_the_order_of_names_each_closed_by_ff() -> None:
    octets = b"alertname\xffHigh\xffapp\xffchat\xff"

    assert fingerprint({"app": "chat", "alertname": "High"}) == fnv1a(octets)


@given(label_sets)
def test_the_order_of_labels_does_not_matter(labels: dict[str, str]) -> None:
    assert fingerprint(dict(reversed(labels.items()))) == fingerprint(labels)


def test_where_a_name_ends_matters() -> None:
    assert fingerprint({"ab": "c"}) != fingerprint({"a": "bc"})
