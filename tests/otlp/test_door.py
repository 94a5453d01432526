"""OTLP over HTTP to a service that runs: what is taken, what is answered, and what counts once."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam
import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from alerts.config import KeyConfig
from service.otlp.wire import Status
from service.settings import hash_key
from service.storage import event_log
from tests.otlp.capture import captured
from tests.otlp.sending import PROTOBUF, json_traces, logs, pairs, sdk_attributes, send, span, span_id, traces
from tests.support.running import Running

CANARY = "a-secret-question"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        yield running


def logged(service: Running) -> list[dict[str, Any]]:
    """Return the events that the log holds, as they are stored, without those that were left out."""

    def read() -> list[dict[str, Any]]:
        rows = event_log.read(service.service.core.connection, -1)
        batches = [(json.loads(row.body), row.skip) for row in rows if row.n]
        return [event for events, skip in batches for i, event in enumerate(events) if i not in skip]

    return service.core(read)


def refused(answer: tuple[int, Any, Any], *, kind: str = PROTOBUF) -> tuple[int, str]:
    """Return the status of an answer and the text of its google.rpc.Status."""
    status, body, headers = answer
    assert headers["content-type"] == kind
    return status, body["message"] if kind != PROTOBUF else Status.FromString(as_bytes(body)).message


def as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()


# ── what is taken ────────────────────────────────────────────────────────────────────────────────


def test_a_span_in_protobuf_becomes_an_event_and_the_answer_is_an_export_response(service: Running) -> None:
    failed = sdk_attributes(**{"http.response.status_code": 529, "error.type": "overloaded_error"})
    failed["http.request.resend_count"] = 2

    status, body, headers = send(service, traces(span(failed, status=2)))

    assert (status, headers["content-type"]) == (200, PROTOBUF)
    assert not ExportTraceServiceResponse.FromString(as_bytes(body)).HasField("partial_success")
    (event,) = logged(service)
    assert {name: event[name] for name in ("app", "environment", "model", "path", "attempt", "final")} == {
        "app": "shop",
        "environment": "test",
        "model": "claude-sonnet-5",
        "path": "/v1/messages",
        "attempt": 3,
        "final": True,
    }
    assert event["duration_ms"] == pytest.approx(100, abs=0.01)
    assert event["call_id"] == f"{event['trace_id']}:{event['span_id']}"


def test_the_same_span_in_json_is_the_same_event(service: Running) -> None:
    attributes = sdk_attributes(**{"gen_ai.usage.input_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 7})

    binary = send(service, traces(span(attributes)))
    attributes |= {"anthropic.request.id": "req_other", "gen_ai.response.id": "msg_other"}
    text = send(service, json_traces(attributes), kind="application/json; charset=utf-8")

    assert binary[0] == 200
    assert text[:2] == (200, {})
    first, second = logged(service)
    same = ("app", "model", "path", "status", "input_tokens", "cache_read_tokens", "final")
    assert [first.get(name) for name in same] == [second.get(name) for name in same]
    assert second["input_tokens"] == 13


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_compressed_body_is_taken(service: Running, encoding: str, compress: Any) -> None:
    status, _, _ = send(service, compress(traces(span(sdk_attributes()))), Content_Encoding=encoding)

    assert status == 200
    assert len(logged(service)) == 1


def test_a_large_body_is_taken_like_a_small_one(service: Running) -> None:
    spans = [span(sdk_attributes(**{"gen_ai.input.messages": CANARY * 50}), number=i) for i in range(1, 301)]

    assert send(service, traces(*spans))[0] == 200

    assert len(logged(service)) == 300
    assert CANARY not in json.dumps(logged(service))


def test_what_is_no_call_to_claude_is_accepted_counted_and_not_kept(service: Running) -> None:
    other = {"gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
    http = {"http.request.method": "POST", "http.response.status_code": 500, "url.path": "/v1/messages"}
    agent = {"gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "invoke_agent"}
    tool = {"gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "execute_tool"}
    chain = {"llm.provider": "anthropic", "openinference.span.kind": "CHAIN", "llm.model_name": "claude-sonnet-5"}
    server = span(http, kind=2)

    body = traces(*(span(found, status=2) for found in (other, http, agent, tool, chain)), server, scope="any")
    status, _, _ = send(service, body)

    assert status == 200
    assert logged(service) == []
    assert service.service.intake.not_ours == 6


@pytest.mark.parametrize(
    ("attributes", "model"),
    [
        (
            {"gen_ai.system": "Anthropic", "gen_ai.request.model": "claude-haiku-5", "llm.request.type": "chat"},
            "claude-haiku-5",
        ),
        (
            {
                "gen_ai.provider.name": "aws.bedrock",
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "eu.anthropic.claude-sonnet-5-v1:0",
            },
            "eu.anthropic.claude-sonnet-5-v1:0",
        ),
        (
            {
                "gen_ai.system": "gcp.vertex_ai",
                "gen_ai.operation.name": "generate_content",
                "gen_ai.request.model": "claude-sonnet-5@20260901",
            },
            "claude-sonnet-5@20260901",
        ),
        (
            {"llm.system": "anthropic", "openinference.span.kind": "LLM", "llm.model_name": "claude-opus-5"},
            "claude-opus-5",
        ),
    ],
)
def test_old_names_and_other_platforms_are_understood(service: Running, attributes: dict[str, Any], model: str) -> None:
    old = attributes | {"gen_ai.usage.prompt_tokens": 11, "gen_ai.usage.completion_tokens": 4}

    send(service, traces(span(old, kind=1 if "openinference.span.kind" in attributes else 3), scope="any"))

    (event,) = logged(service)
    assert (event["model"], event["input_tokens"], event["output_tokens"]) == (model, 11, 4)


def test_the_apis_own_spans_are_attempts_of_the_call_around_them(service: Running) -> None:
    """The API does not know which retry it sees, nor whether one follows: the SDK's span tells, whenever it comes."""
    failed = {"http.response.status_code": 529, "error.type": "overloaded_error"}
    api = [
        span(sdk_attributes(**failed), parent=7, kind=2, status=2, ago_s=2),
        span(sdk_attributes(**{"anthropic.request.id": "req_last"}), parent=7, kind=2, ago_s=1),
    ]
    call = sdk_attributes(**{"anthropic.request.id": "req_last", "http.request.resend_count": 1})

    send(service, traces(*api, scope="com.anthropic.claude-platform", service="claude-platform"))
    send(service, traces(span(call, number=7)))

    first, last = logged(service)
    assert (first["app"], first["call_id"]) == ("claude-platform", last["call_id"])
    assert "final" not in first
    assert last["request_id"] == "req_last"


# ── what counts once ─────────────────────────────────────────────────────────────────────────────


def test_a_request_that_is_sent_again_counts_once(service: Running) -> None:
    body = traces(*(span(sdk_attributes(), number=i) for i in range(1, 4)))

    assert [send(service, body)[0] for _ in range(3)] == [200, 200, 200]

    assert len(logged(service)) == 3


@pytest.mark.parametrize("sdk_first", [True, False])
def test_two_instrumentations_of_one_call_count_once_across_requests(service: Running, sdk_first: bool) -> None:
    """No id is common to the two: what joins them is that one is the other's parent."""
    inner = traces(span(sdk_attributes(**{"error.type": "connection_error"}), number=8, parent=9, status=2))
    around = {"gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat", "error.type": "APIConnectionError"}
    outer = traces(span(around | {"gen_ai.request.model": "claude-sonnet-5"}, number=9, status=2), scope="genai")

    for body in (inner, outer) if sdk_first else (outer, inner):
        assert send(service, body)[0] == 200

    assert len(logged(service)) == 1


def test_two_calls_inside_one_span_of_the_app_are_two(service: Running) -> None:
    for number in (8, 9):
        attributes = sdk_attributes(**{"error.type": "connection_error"})
        send(service, traces(span(attributes, number=number, parent=5, status=2)))

    assert len(logged(service)) == 2


@pytest.mark.parametrize("name", ["openllmetry-over-native", "genai-over-native", "openinference-over-native"])
def test_what_was_captured_counts_once_in_whichever_parts_it_comes(service: Running, name: str) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    whole = ExportTraceServiceRequest.FromString(captured(name))
    for group in whole.resource_spans:
        for scoped in group.scope_spans:
            part = ExportTraceServiceRequest()
            kept = part.resource_spans.add()
            kept.resource.CopyFrom(group.resource)
            kept.scope_spans.append(scoped)
            assert send(service, part.SerializeToString())[0] == 200

    # The one that OpenLLMetry traced beside the SDK's span, and that has no id: only in one request is it found.
    assert len(logged(service)) == 14 + (name == "openllmetry-over-native")


def test_an_event_of_the_client_and_the_span_of_its_call_count_once(service: Running) -> None:
    """The client tells of each attempt, the span of the call: its last attempt is the one they share."""
    send(service, traces(span(sdk_attributes())))
    ids = {"trace_id": "0" * 32, "span_id": f"{77:016x}", "model": "claude-sonnet-5"}
    attempts = [
        {"attempt": 1, "status": 500, "final": False, "request_id": "req_a", **ids},
        {"attempt": 2, "status": 200, "request_id": "req_b", **ids},
    ]
    service.post(attempts)
    ended = sdk_attributes(**{"anthropic.request.id": "req_b", "http.request.resend_count": 1})

    send(service, traces(span(ended)))

    assert [event.get("request_id") for event in logged(service)[1:]] == ["req_a", "req_b"]


def test_a_span_that_came_first_leaves_the_clients_last_attempt_out(service: Running) -> None:
    ended = sdk_attributes(**{"anthropic.request.id": "req_b", "http.request.resend_count": 1})
    send(service, traces(span(ended)))

    base = {"model": "claude-sonnet-5"}
    service.post([{"attempt": 1, "status": 500, "final": False, "request_id": "req_a"} | base])
    service.post([{"attempt": 2, "status": 200, "request_id": "req_b"} | base])

    assert [event["request_id"] for event in logged(service)] == ["req_b", "req_a"]


def test_a_call_without_any_answer_counts_once_by_the_span_it_was_made_in(service: Running) -> None:
    send(service, traces(span(sdk_attributes())))
    failed = {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-5"}
    body = traces(span(failed | {"error.type": "connection_error"}, number=5, trace=3, status=2))
    event = {
        "model": "claude-sonnet-5",
        "error_type": "APIConnectionError",
        "final": True,
        "trace_id": (span_id(3) * 2).hex(),
        "span_id": span_id(5).hex(),
    }

    service.post(event)
    send(service, body)
    service.post(event | {"span_id": span_id(6).hex()})

    assert len(logged(service)) == 3


def test_events_of_the_last_minutes_are_known_when_the_first_spans_come(service: Running) -> None:
    service.post([{"model": "claude-sonnet-5", "status": 401, "request_id": f"req_{i}"} for i in range(2500)])
    assert service.core(lambda: service.service.core.overlap.names_of([], time.time())) == {}

    send(service, traces(*(span(sdk_attributes(**{"anthropic.request.id": f"req_{i}"})) for i in (0, 2499, 9999))))

    assert len(logged(service)) == 2501


def test_events_are_asked_for_nothing_while_no_spans_come(service: Running) -> None:
    for _ in range(2):
        service.post({"model": "claude-sonnet-5", "status": 401, "request_id": "req_same"})

    assert len(logged(service)) == 2
    assert service.core(
        lambda: service.service.core.connection.execute("SELECT count(*) FROM event_ids").fetchone()
    ) == (0,)


def test_that_spans_come_is_remembered_over_a_restart(tmp_path: Path) -> None:
    with Running(tmp_path) as service:
        send(service, traces(span(sdk_attributes(**{"anthropic.request.id": "req_b"}))))

    with Running(tmp_path) as again:
        again.post({"model": "claude-sonnet-5", "status": 401, "request_id": "req_b"})

        assert len(logged(again)) == 1


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


def test_a_span_of_the_future_is_refused_alone_and_the_answer_counts_it(service: Running) -> None:
    ahead = span(sdk_attributes(), ago_s=-4000)

    status, body, _ = send(service, traces(span(sdk_attributes()), ahead, span(sdk_attributes())))

    partial = ExportTraceServiceResponse.FromString(as_bytes(body)).partial_success
    assert (status, partial.rejected_spans) == (200, 1)
    assert partial.error_message.startswith("Spans 1: time: ")
    assert len(logged(service)) == 2


def test_a_refusal_in_json_is_a_partial_success_in_json(service: Running) -> None:
    body = json_traces(sdk_attributes()).replace(b'"endTimeUnixNano": "1', b'"endTimeUnixNano": "9')

    status, said, _ = send(service, body, kind="application/json")

    assert (status, said["partialSuccess"]["rejectedSpans"]) == (200, "1")


DEEP = b'{"resourceSpans":' + b"[" * 100_000
WRONG = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":{}}]}]}]}'


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"\xff\xff\xff", PROTOBUF, "not valid protobuf"),
        (b"\x0a\x05\x12\x03\x12\x01\x0a", PROTOBUF, "not valid protobuf"),
        (b"", "application/json", "not OTLP in JSON"),
        (b"[]", "application/json", "not OTLP in JSON"),
        (DEEP, "application/json", "body: "),
        (WRONG, "application/json", "not OTLP in JSON"),
        (
            json_traces({"gen_ai.request.max_tokens": 1}).replace(b'"intValue": "1"', b'"intValue": "1e9"'),
            "application/json",
            "64-bit",
        ),
        (
            json_traces({"gen_ai.request.max_tokens": 1}).replace(b'"intValue": "1"', b'"intValue": ' + b"9" * 400),
            "application/json",
            "body: ",
        ),
        (
            json_traces({"gen_ai.request.max_tokens": 1}).replace(b'"intValue": "1"', b'"doubleValue": NaN'),
            "application/json",
            "not OTLP in JSON",
        ),
    ],
)
def test_what_is_no_otlp_is_a_bad_request_with_a_status_that_says_why(
    service: Running, body: bytes, kind: str, said: str
) -> None:
    status, text = refused(send(service, body, kind=kind), kind=kind)

    assert status == 400
    assert said in text


def test_an_unknown_type_or_compression_is_unsupported(service: Running) -> None:
    assert refused(send(service, b"x", kind="text/html"))[0] == 415
    assert refused(send(service, b"x", Content_Encoding="br"))[0] == 415
    assert refused(send(service, b"x", Content_Encoding="gzip"))[0] == 400


def test_an_empty_request_is_fine(service: Running) -> None:
    assert send(service, b"")[0] == 200
    assert send(service, b"{}", kind="application/json")[:2] == (200, {})


def test_a_wrong_key_is_told_in_the_encoding_of_the_request(tmp_path: Path) -> None:
    key = KeyConfig(name="k", sha256=hash_key("right"), scope="ingest")
    with Running(tmp_path, keys=(key,)) as service:
        assert refused(send(service, b"", Authorization="Bearer wrong"))[0] == 401
        assert refused(send(service, b"{}", kind="application/json"), kind="application/json")[0] == 401
        assert send(service, b"", Authorization="Bearer right")[0] == 200


def test_odd_values_cost_an_event_its_field_and_nothing_else(service: Running) -> None:
    odd = sdk_attributes(
        **{
            "gen_ai.request.max_tokens": -5,
            "gen_ai.usage.input_tokens": 2**62,
            "gen_ai.usage.output_tokens": float("nan"),
            "http.response.status_code": 200,
            "gen_ai.response.time_to_first_chunk": float("inf"),
            "anthropic.message.stop_reason": {"a": [1]},
            "anthropic.request.id": "two words",
            "http.request.resend_count": "many",
        }
    )

    assert send(service, traces(span(odd, number=3, lasted_s=-5)))[0] == 200

    (event,) = logged(service)
    assert set(event) == {"model", "path", "app", "environment", "time", "trace_id", "span_id", "call_id", "status"}


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────

LINE = {"event": "claude.attempt", "model": "claude-sonnet-5", "status": 401, "error_type": "authentication_error"}


@pytest.mark.parametrize(
    "record",
    [
        {"body": LINE},
        {"body": json.dumps(LINE)},
        {"body": "claude.attempt", "attributes": {"model": "claude-sonnet-5", "status": 401}},
        {"body": "the call failed", "attributes": {"model": "claude-sonnet-5", "status": 401, "attempt": 2}},
        {"event_name": "claude.attempt", "body": {"model": "my-alias", "status": 401}},
    ],
)
def test_a_record_that_is_an_event_is_taken(service: Running, record: dict[str, Any]) -> None:
    at = time.time_ns() - 5 * 10**9

    status, _, _ = send(service, logs(record | {"time": at, "span_id": span_id(4)}), path="/v1/logs")

    assert status == 200
    (event,) = logged(service)
    assert (event["app"], event["environment"], event["status"]) == ("shop", "test", 401)
    assert (event["time"], event["span_id"]) == (at / 1e9, span_id(4).hex())


def test_other_records_are_left_alone(service: Running) -> None:
    records = [
        {"body": "GET /health 200"},
        {"body": {"model": "iPhone 30", "status": 200}},
        {"body": '{"model": "claude-sonnet-5"}'},
        {"body": "{" * 10_000},
        {
            "event_name": "gen_ai.user.message",
            "body": {"content": CANARY},
            "attributes": {"gen_ai.system": "anthropic"},
        },
        {},
    ]

    status, _, _ = send(service, logs(*records), path="/v1/logs")

    assert status == 200
    assert logged(service) == []
    assert service.service.intake.not_ours == len(records)


def test_the_clients_line_and_the_event_it_posted_count_once(service: Running) -> None:
    event = {"model": "claude-sonnet-5", "status": 401, "request_id": "req_1"}

    service.post(event)
    send(service, logs({"body": LINE | event}), path="/v1/logs")
    send(service, traces(span(sdk_attributes(**{"anthropic.request.id": "req_1"}))))

    assert len(logged(service)) == 1


def test_the_conventions_event_and_its_span_count_once(service: Running) -> None:
    send(service, captured("genai", "logs"), path="/v1/logs")
    send(service, captured("genai"))

    assert len(logged(service)) == 14


# ── Loki ─────────────────────────────────────────────────────────────────────────────────────────


def loki(*lines: str, at: int, labels: dict[str, str]) -> bytes:
    return json.dumps({"streams": [{"stream": labels, "values": [[str(at), line] for line in lines]}]}).encode()


def loki_protobuf(*lines: str, at: int, labels: str) -> bytes:
    from service.loki import _PushRequest

    request = _PushRequest()
    stream = request.streams.add(labels=labels)
    for line in lines:
        entry = stream.entries.add(line=line)
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(at, 10**9)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def test_lines_pushed_as_loki_takes_them_are_events(service: Running) -> None:
    at = time.time_ns() - 10**9
    lines = (json.dumps(LINE), "GET / 200", json.dumps(LINE | {"status": 500, "error_type": "api_error"}))

    text = send(service, loki(*lines, at=at, labels={"app": "shop", "env": "test"}), path=PUSH, kind="application/json")
    binary = send(service, loki_protobuf(*lines, at=at, labels='{app="shop", env="test"}'), path=PUSH)

    assert (text[0], binary[0]) == (204, 204)
    events = logged(service)
    assert [(e["app"], e["environment"], e["status"], e["time"]) for e in events] == [
        ("shop", "test", status, at / 1e9) for status in (401, 500, 401, 500)
    ]
    assert service.service.intake.not_ours == 2


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"streams": [{"values": [[1, 2]]}]}', "application/json", 400),
        (b"\xff" * 20, PROTOBUF, 400),
        (b"", PROTOBUF, 400),
        (b"\x05\x10hello", PROTOBUF, 400),
        (b"\xff\xff\xff\xff\x07", PROTOBUF, 413),
    ],
)
def test_what_is_no_push_is_refused(service: Running, body: bytes, kind: str, status: int) -> None:
    assert send(service, body, path=PUSH, kind=kind)[0] == status


PUSH = "/loki/api/v1/push"


def test_attributes_are_read_as_protobuf_reads_them() -> None:
    """The way by hand and the way by protobuf agree, whatever form an attribute has."""
    from service.otlp import attributes, names

    for said in ("", "x", "é" * 70, "y" * 300, 0, 1, 127, 128, 300, 2**31, 2**62, -1, True, 0.5):
        for name in ("gen_ai.request.model", "gen_ai.request.max_tokens", "gen_ai.usage.input_tokens"):
            (pair,) = pairs({name: said})

            read = [attributes.read([pair.SerializeToString()]) for _ in range(2)]

            reading = names.READ[name]
            kept = reading.kept(said)
            assert read == [{reading.field: kept} if kept is not None else {}] * 2
