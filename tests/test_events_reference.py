"""docs/reference/events.md: its tables are what the code says, and its examples are events."""

from __future__ import annotations

import json
import re
import zlib

import pytest
from claxon.event import FIELDS, Circuit, StreamEnd
from claxon.taxonomy import Category

from docs import events_reference
from docs.marked import renewed, stale
from service.decoding import decode
from service.event_fields import MEANINGS
from service.expanding import ENCODINGS, BadBody, UnknownEncoding, expand
from tests.support.repository import ROOT

PAGE = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
RENEW = "the page is stale: python -m docs.events_reference"
NOW = 1_795_600_000.0


def test_the_page_is_what_the_code_says() -> None:
    assert stale(events_reference.PAGE, events_reference.parts()) == [], RENEW


def test_every_field_of_the_code_has_its_meaning_and_none_is_left_over() -> None:
    assert set(MEANINGS) == set(FIELDS), "service/event_fields.py: say what the field means"


def test_every_category_and_end_of_a_stream_is_explained() -> None:
    assert set(events_reference.CATEGORIES) == set(Category), "docs/events_reference.py: CATEGORIES"
    assert set(events_reference.STREAM_ENDS) == set(StreamEnd), "docs/events_reference.py: STREAM_ENDS"


@pytest.mark.parametrize("name", FIELDS)
def test_a_refusal_names_the_bounds_that_the_page_has(name: str) -> None:
    """The page's are derived from the type, those of a refusal are written by hand."""
    said, remedy = events_reference.takes(name).replace(",", ""), FIELDS[name]

    # What is cut is not refused for its length.
    bounds = re.findall(r"\d+", said.partition("cut at")[0].partition("; names")[0])
    assert set(re.findall(r"\d+", remedy)) == set(bounds), (said, remedy)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"app": "x" * 64}, False),
        ({"app": "x" * 65}, True),
        ({"app": ""}, True),
        ({"attempt": 1_000_000}, False),
        ({"attempt": 1_000_001}, True),
        ({"stopped_by": "x" * 200}, False),
        ({"stopped_by": "x" * 201}, True),
        ({"error_type": "x" * 201}, False),
        ({"attributes": {"n" * 65: "v" * 501}}, False),
        ({"attributes": {str(n): "" for n in range(17)}}, True),
        ({"circuit": Circuit.HALF_OPEN}, False),
        ({"stream_end": "gone"}, True),
    ],
)
def test_a_bound_of_the_page_is_where_events_begin_to_be_refused(fields: dict[str, object], refused: bool) -> None:
    batch = decode(json.dumps({"model": "m", **fields}).encode(), ndjson=False, received_at=NOW, app="default")

    assert bool(batch.refusals) is refused


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_of_the_page_is_known(encoding: str) -> None:
    try:
        expand(zlib.compress(b"{}"), encoding)
    except UnknownEncoding:
        pytest.fail(f"{encoding}: not known")
    except BadBody:
        pass


def test_no_other_encoding_is_known() -> None:
    with pytest.raises(UnknownEncoding):
        expand(b"", "br")


def test_each_example_is_an_event() -> None:
    examples = re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

    assert examples
    for example in examples:
        batch = decode(example.encode(), ndjson=False, received_at=NOW, app="default")
        assert (batch.refusals, len(batch.events)) == ([], 1)


def test_a_part_without_a_place_on_the_page_is_said() -> None:
    with pytest.raises(ValueError, match="the page has places for"):
        renewed("# A page\n", {"fields": ""})
