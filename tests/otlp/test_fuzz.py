"""Whatever bytes come, the decoders answer with a batch or with a refusal that says why; nothing else leaves them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import loki
from service.decoding import BadBody
from service.otlp.span import BadOtlp
from service.otlp.taking import take_lines, take_records, take_spans
from tests.otlp.capture import captured
from tests.otlp.sending import json_traces, logs, sdk_attributes, span, traces

NOW = 1_790_000_000.0
TAKES: list[Any] = [take_spans, take_records]
SEEDS = (captured("native"), captured("openllmetry"), captured("genai", "logs"), traces(span(sdk_attributes())))
JSON_SEEDS = (json.loads(json_traces(sdk_attributes(), sdk_attributes(), status=2)),)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _take(body: bytes, *, json: bool) -> None:
    for take in TAKES:
        with contextlib.suppress(BadOtlp, BadBody):
            taken = take(body, json=json, received_at=NOW, app="default")
            assert set(taken.batch.claims) == set(range(len(taken.batch.events)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    for as_json in (False, True):
        _take(body, json=as_json)
    for read in (loki.from_json, loki.from_protobuf):
        with contextlib.suppress(BadOtlp, BadBody):
            take_lines(loki.events(read(body)), received_at=NOW, app="default")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_a_real_body_with_broken_bytes_is_taken_or_refused(seed: bytes, data: st.DataObject) -> None:
    broken = bytearray(seed)
    for place in data.draw(st.lists(st.integers(0, len(seed) - 1), min_size=1, max_size=8)):
        broken[place] = data.draw(st.integers(0, 255))
    _take(bytes(broken[: data.draw(st.integers(1, len(broken)))]), json=False)


def _places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [at, *(place for key, part in inner for place in _places(part, (*at, key)))]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(JSON_SEEDS), st.data())
def test_a_real_json_body_with_a_wrong_value_is_taken_or_refused(seed: Any, data: st.DataObject) -> None:
    tree = json.loads(json.dumps(seed))
    *way, last = data.draw(st.sampled_from(_places(tree)[1:]))
    holder = tree
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(anything)
    _take(json.dumps(tree).encode("utf-8", "surrogatepass"), json=True)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(sdk_attributes())), anything, max_size=4))
def test_attributes_of_any_kind_never_cost_the_event(odd: dict[str, Any]) -> None:
    """A span that is ours stays one, whatever its other attributes hold."""
    plain = {name: value for name, value in odd.items() if isinstance(value, (str, bool, float))}
    kept = sdk_attributes() | plain | {"gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat"}

    taken = take_spans(traces(span(kept, ago_s=1)), json=False, received_at=4e9, app="default")

    assert (len(taken.batch.events), taken.batch.refusals) == (1, [])


@pytest.mark.parametrize(
    "body", [logs({"body": {"model": "claude-x", "status": value}}) for value in (-1, 1e300, "x", True)]
)
def test_an_event_with_a_wrong_field_is_refused_by_its_place(body: bytes) -> None:
    batch = take_records(body, json=False, received_at=4e9, app="default").batch

    assert [refusal.index for refusal in batch.refusals] == [0]
    assert batch.refusals[0].error.startswith("status: ")
