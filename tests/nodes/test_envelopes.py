"""A batch is cut by app and environment: nothing of it is lost, doubled, or put into another order."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import known
from service.decoding import Batch, decode, decode_logged
from service.known import Asked
from service.nodes import envelopes as cutting
from service.nodes.envelopes import envelopes, partition_key
from service.storage import event_log
from service.storage.envelope import Envelope
from service.unpacking import Unpacked, unpack
from service.work import Ingest, Posted

NOW = 1_790_000_000.0


def cut(events: list[dict[str, object]], *, key: str | None = None, dropped: int = 0) -> list[Envelope]:
    body = msgspec.json.encode(events)
    posted = Posted(body, event_log.compress(body))
    work = Ingest(batch=posted, received_at=NOW, app="by key", key=key, client_dropped=dropped)
    unpacked = unpack(work)
    assert unpacked is not None
    return envelopes(work, unpacked.batch, unpacked.stored, node="n")


def ids(envelope: Envelope) -> list[str | None]:
    body = event_log.expanded(envelope.body)
    assert body is not None
    events = decode_logged(body, received_at=envelope.received_at, app=envelope.app, skip=[])
    assert len(events) == envelope.n
    assert {(event.app, event.environment) for event in events} == {(envelope.app, envelope.environment)}
    return [event.event_id for event in events]


def event(number: int, **fields: object) -> dict[str, object]:
    return {"model": "m", "event_id": str(number), **fields}


def test_a_batch_of_one_app_is_sent_as_it_is_stored() -> None:
    body = b'[{"model": "m", "event_id": "1"} , {"event_id":"2","model":"m"}]'
    stored = event_log.compress(body)
    work = Ingest(batch=Posted(body, stored), received_at=NOW, app="by key", key=None)
    unpacked = unpack(work)
    assert unpacked is not None

    [found] = envelopes(work, unpacked.batch, stored, node="n")

    assert found.body is stored
    assert (found.app, found.environment, found.n, found.node) == ("by key", "", 2, "n")


keys = st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["", "prod", "dev"]))


@given(st.lists(keys, min_size=1, max_size=30))
def test_each_event_is_in_one_envelope_in_its_order(of: list[tuple[str, str]]) -> None:
    events = [
        event(n, **({"app": app} if app else {}), environment=environment) for n, (app, environment) in enumerate(of)
    ]
    found = cut(events)
    assert len({(one.app, one.environment) for one in found}) == len(found)
    assert sorted(int(id_ or "") for one in found for id_ in ids(one)) == list(range(len(of)))
    assert all(ids(one) == sorted(ids(one), key=lambda id_: int(id_ or "")) for one in found)


def test_a_key_becomes_one_for_each_part_and_the_same_again() -> None:
    events = [event(1, app="a"), event(2, app="b"), event(3, app="a", environment="dev")]
    first, again = cut(events, key="k"), cut(events, key="k")
    assert first == again
    assert len({one.key for one in first}) == 3
    assert None not in {one.key for one in first}
    assert {one.key for one in cut(events, key="other")}.isdisjoint({one.key for one in first})


def test_what_the_sender_gave_up_is_said_once() -> None:
    found = cut([event(1, app="a"), event(2, app="b")], dropped=7)
    assert [one.client_dropped for one in found] == [7, 0]


def test_claims_go_with_their_events() -> None:
    batch: Batch = decode(
        msgspec.json.encode([event(0, app="a"), event(1, app="b"), event(2, app="a")]),
        ndjson=False,
        received_at=NOW,
        app="x",
    )
    batch.claims = {1: ("one",), 2: (Asked("two"), "2")}
    work = Ingest(batch=batch, received_at=NOW, app="x", key=None)
    unpacked = unpack(work)
    assert isinstance(unpacked, Unpacked)

    first, second = envelopes(work, batch, unpacked.stored, node="n")

    assert known.from_text(first.claims) == {1: ("two", "2")}
    assert [name.__class__ for name in known.from_text(first.claims)[1]] == [Asked, str]
    assert known.from_text(second.claims) == {0: ("one",)}


def test_a_body_that_is_too_large_for_a_message_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_BYTES", 200)
    events = [event(n, error_message=f"{n * 2654435761 % 2**32:x}" * 4, status=500) for n in range(50)]

    found = cut(events, key="k", dropped=3)

    assert all(len(one.body) <= 200 for one in found)
    assert [id_ for one in found for id_ in ids(one)] == [str(n) for n in range(50)]
    assert len({one.key for one in found}) == len(found) > 2
    assert sum(one.client_dropped for one in found) == 3


def test_events_of_one_app_and_environment_are_in_one_partition() -> None:
    one, other = cut([event(1, app="a", environment="b"), event(2, app="ab")])
    assert partition_key(one) == b"a\0b"
    assert partition_key(other) == b"ab\0"
