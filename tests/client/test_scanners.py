"""Scanners, fed bytes in any slices."""

from __future__ import annotations

import pytest
from claxon.eventstream import EventStreamScanner
from claxon.scanners import BOUND, BodyScanner, Frames, SSEScanner, read_answer

from service.demo.claude_wire import aws_frame, error_event, sse, stream_events

EVENTS = list(stream_events("claude-test"))
SSE = b"".join(sse(event) for event in EVENTS)
AWS = b"".join(aws_frame(event) for event in EVENTS)
KINDS: dict[str, tuple[type[SSEScanner | EventStreamScanner], bytes]] = {
    "sse": (SSEScanner, SSE),
    "sse with carriage returns": (SSEScanner, SSE.replace(b"\n", b"\r\n")),
    "sse without spaces": (SSEScanner, SSE.replace(b"event: ", b"event:").replace(b"data: ", b"data:")),
    "sse with comments": (SSEScanner, SSE.replace(b"event: ", b": keep alive\nevent: ")),
    "aws": (EventStreamScanner, AWS),
}


def feed(scanner: Frames, body: bytes, size: int) -> None:
    for start in range(0, len(body), size):
        scanner.feed(body[start : start + size])  # type: ignore[attr-defined]
    scanner.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize(("kind", "body"), KINDS.values(), ids=KINDS)
def test_however_a_stream_is_cut_into_chunks_the_same_is_read(
    kind: type[SSEScanner | EventStreamScanner], body: bytes, size: int
) -> None:
    scanner = kind()
    feed(scanner, body, size)

    assert (scanner.done, scanner.off, scanner.failure) == (True, False, None)
    assert (scanner.usage.input_tokens, scanner.usage.output_tokens) == (10, 12)
    assert scanner.usage.cache_read_input_tokens == 7
    assert scanner.stop_reason == "end_turn"
    assert scanner.first_token is not None


@pytest.mark.parametrize("frame", [sse, aws_frame])
def test_an_error_inside_a_stream_is_read(frame: object) -> None:
    assert callable(frame)
    scanner: Frames = SSEScanner() if frame is sse else EventStreamScanner()
    for event in (*EVENTS[:4], error_event("overloaded_error", "Overloaded")):
        scanner.feed(frame(event))  # type: ignore[attr-defined]

    assert scanner.failure is not None
    assert scanner.failure.type == ("overloaded_error" if frame is sse else "throttlingException")
    assert scanner.failure.text == "Overloaded"
    assert not scanner.done


def test_a_cut_stream_has_no_count_of_output() -> None:
    """`message_start` counts 1 before there is any."""
    scanner = SSEScanner()
    feed(scanner, SSE[: SSE.index(b"event: message_stop")], 50)

    assert (scanner.usage.input_tokens, scanner.usage.output_tokens) == (10, None)


@pytest.mark.parametrize(("kind", "frame"), [(SSEScanner, sse), (EventStreamScanner, aws_frame)], ids=["sse", "aws"])
def test_content_is_never_kept_however_long_it_is(kind: type[SSEScanner | EventStreamScanner], frame: object) -> None:
    """A text of a megabyte passes, and what follows it is read."""
    assert callable(frame)
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 2**20}}
    scanner, kept = kind(), 0
    scanner.feed(frame(EVENTS[0]))
    body = frame(text)
    for start in range(0, len(body), 4096):
        scanner.feed(body[start : start + 4096])
        kept = max(kept, len(scanner._rest))
    for event in EVENTS[5:]:
        scanner.feed(frame(event))

    assert kept <= (200 if kind is SSEScanner else BOUND)
    assert (scanner.done, scanner.off) == (True, False)
    assert scanner.usage.output_tokens == 12


@pytest.mark.parametrize("kind", [SSEScanner, EventStreamScanner])
def test_what_is_no_stream_turns_the_scanner_off_before_it_fills_the_memory(
    kind: type[SSEScanner | EventStreamScanner],
) -> None:
    scanner = kind()
    for _ in range(20):
        scanner.feed(b"\xff" * 65536)

    assert scanner.off
    assert scanner._rest == b""


def test_a_body_is_read_at_its_end_and_let_go() -> None:
    scanner = BodyScanner()
    scanner.feed(b'{"usage": {"input_tokens": 3,')
    scanner.feed(b' "output_tokens": 4}, "stop_reason": "end_turn"}')
    scanner.finish()

    assert (scanner.usage.input_tokens, scanner.usage.output_tokens) == (3, 4)
    assert (scanner.stop_reason, scanner.json) == ("end_turn", True)
    assert not scanner._kept


@pytest.mark.parametrize(
    ("body", "is_json"),
    [
        (b"{}", True),
        (b'{"usage": 7}', True),
        (b"<html></html>", False),
        (b"", False),
        (b'"text"', False),
        (b"[1]", False),
        (b"\xff\xfe", False),
    ],
)
def test_only_a_json_object_is_an_answer(body: bytes, is_json: bool) -> None:
    assert read_answer(body)[0] is is_json
