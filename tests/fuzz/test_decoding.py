"""Bodies of every kind, briefly; `make fuzz` does the same for minutes."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .bodies import odd_events, packed_bodies, plain_bodies
from .decoding import check_body

# The same examples each time: what is new is for `make fuzz` to find.
briefly = settings(
    max_examples=250, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@briefly
@given(plain_bodies, st.booleans())
def test_whatever_the_body_the_promises_hold(body: bytes, ndjson: bool) -> None:
    check_body("", body, ndjson=ndjson)


@briefly
@given(packed_bodies)
def test_whatever_is_compressed_however_the_promises_hold(packed: tuple[str, bytes]) -> None:
    check_body(*packed, ndjson=False)


@briefly
@given(st.lists(odd_events, min_size=1, max_size=4))
def test_whatever_the_fields_of_events_the_promises_hold(events: list[object]) -> None:
    check_body("", json.dumps(events).encode(), ndjson=False)
