"""What holds of every body, whatever it is: for the short fuzz of the tests and the long one of `make fuzz`."""

from __future__ import annotations

import time

import msgspec
from claxon.event import complete, to_wire

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from service.decoding import BadBody, Batch, decode, decode_fast, decode_logged, decode_one, expand

from .bodies import CANARY

NOW = 1795600000.0
MAX_S = 1.0
"""CPU seconds: more than any input of this size may take; the usual one takes a millisecond."""


def check_body(encoding: str, sent: bytes, *, ndjson: bool) -> float:
    """Decode a body as it was sent; raise where a promise is broken. Return what CPU time the decoding took."""
    begun = time.thread_time()
    text, batch, refused = b"", None, ""
    try:
        text = expand(sent, encoding)
        batch = decode(text, ndjson=ndjson, received_at=NOW, app="default")
    except BadBody as fault:
        refused = str(fault)
    took = time.thread_time() - begun
    assert took < MAX_S, f"slow: {took:.2f} s"
    if batch is None:
        assert ": " in refused
        assert CANARY not in refused
        return took
    check_batch(batch)
    check_engine(batch)
    check_fast(text, batch)
    return took


def check_batch(batch: Batch) -> None:
    """What is logged is what was taken; what is kept of the rest tells nothing that it should not."""
    assert CANARY.encode() not in batch.body
    assert b"sk-ant-api03-secret" not in batch.body
    assert decode_logged(batch.body, received_at=NOW, app="default", skip=[]) == batch.events
    kept = msgspec.json.encode(batch.rejects)
    assert CANARY.encode() not in kept
    assert b"sk-ant-api03-secret" not in kept
    assert len(kept) < 100_000
    assert sum(batch.reasons.values()) == len(batch.refusals)
    for refusal in batch.refusals:
        assert refusal.error.count(": ") >= 2, refusal.error
    for event in batch.events:
        assert 0 <= event.at <= NOW
        to_wire(event)


def check_engine(batch: Batch) -> None:
    """What was taken can be counted."""
    engine = Engine(DEFAULT_RULES)
    engine.observe(batch.events, NOW)
    engine.tick(NOW + 90)


def check_fast(text: bytes, batch: Batch) -> None:
    """The fast way and the slow way find the same."""
    fast = decode_fast(text.strip(), NOW, "default")
    if fast is None:
        return
    slow = [
        complete(decode_one(bytes(raw)), received_at=NOW) for raw in msgspec.json.decode(text, type=list[msgspec.Raw])
    ]
    assert slow == fast.events == batch.events
