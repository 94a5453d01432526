"""docs/performance.md, its pictures, what they are measured with. `python -m docs.performance_figures` writes them."""

from __future__ import annotations

import re
import socket
import threading
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from alerts.default_rules import DEFAULT_RULES
from benchmarks.__main__ import WHAT
from benchmarks.bodies import json_requests, otlp_body
from benchmarks.drawing import Axis, Dot, Line, Panel, dots, number, panels
from benchmarks.logged import logged_events
from benchmarks.null_server import NullServer
from benchmarks.prefill import BATCH, fill
from benchmarks.records import make_events
from benchmarks.sending import Plan, latencies_ms, parse_answer, percentile, request, send
from docs.performance_figures import IMAGES, PAGE, PICTURES, TABLES, filled
from service.restart import Restart
from service.storage.database import open_database
from tests.support.repository import ROOT

# ── the page ──────────────────────────────────────────────────────────────────────────────────────


def test_the_page_says_what_was_measured() -> None:
    assert PAGE.read_text() == filled(PAGE.read_text())


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_was_measured(name: str) -> None:
    assert (IMAGES / name).read_text() == PICTURES[name]()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_stands_on_the_page_runs_nothing_and_reads_on_a_dark_one_too(name: str) -> None:
    text = (IMAGES / name).read_text()

    assert f"](images/{name})" in PAGE.read_text()
    assert not {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(text).iter()} & {"script", "image"}
    assert "prefers-color-scheme: dark" in text


def test_a_page_without_a_mark_is_not_filled() -> None:
    page = PAGE.read_text().replace("<!-- end of peers -->", "")

    with pytest.raises(ValueError, match="peers"):
        filled(page)


def test_every_table_of_the_page_is_made_of_results() -> None:
    """What is typed by hand goes stale."""
    generated = "".join(table() for table in TABLES.values())
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]

    assert rows
    assert [row for row in rows if row not in generated] == []


def test_the_page_names_every_benchmark_that_its_results_are_of() -> None:
    """A result nobody knows how to make again is worth nothing."""
    written = {path.stem for path in (ROOT / "benchmarks/results").glob("*.json")}
    named = set(re.findall(r"^python -m benchmarks\.(\w+)", PAGE.read_text(), re.MULTILINE))

    assert {name for name in named if not any(_is_of(result, name) for result in written)} == set()
    assert {result for result in written if not any(_is_of(result, name) for name in named)} == set()


def _is_of(result: str, benchmark: str) -> bool:
    """Return whether a result is a benchmark's: `growth` writes `growth_keys` and `growth_events`."""
    return result == benchmark or result.startswith(f"{benchmark}_")


def test_every_benchmark_is_offered_by_name() -> None:
    """`python -m benchmarks list` says each with a line."""
    runnable = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "\ndef main(" in path.read_text()}
    runnable |= {path.parent.name for path in (ROOT / "benchmarks").glob("*/__main__.py")}

    assert set(WHAT) == runnable - {"__main__"}


# ── pictures ──────────────────────────────────────────────────────────────────────────────────────


def _texts(picture: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(picture).iter() if node.tag.endswith("}text")]


def _picture(*ends: float) -> str:
    lines = tuple(Line(name=f"line {i}", points=[(1, 1), (100, end)]) for i, end in enumerate(ends))
    axes = {"x": Axis(label="events a batch", log=True), "y": Axis(label="ms")}
    return panels("A & B", [Panel(title="t < u", lines=lines, **axes)])


def test_a_picture_says_its_title_and_the_units_of_its_axes() -> None:
    assert {"t < u", "events a batch", "ms", "line 0", "line 1"} <= set(_texts(_picture(5, 6)))


def test_names_at_the_ends_of_lines_do_not_cover_each_other() -> None:
    root = ElementTree.fromstring(_picture(5.0, 5.0, 5.1))
    places = sorted(float(node.get("y", "")) for node in root.iter() if (node.text or "").startswith("line "))

    assert [b - a >= 13 for a, b in pairwise(places)] == [True, True]


def test_a_tenfold_value_is_one_mark_further_on_an_axis_of_powers() -> None:
    root = ElementTree.fromstring(dots("t", [Dot(name="a", value=10), Dot(name="b", value=1000)], axis="n"))
    a, b = (float(node.get("cx", "")) for node in root.iter() if node.tag.endswith("}circle"))
    marks = [float(node.get("x1", "")) for node in root.iter() if node.tag.endswith("}line")]

    assert [round(a, 1), round(b, 1)] == [marks[0], marks[2]]


@pytest.mark.parametrize(("value", "said"), [(250_000, "250k"), (1.5e6, "1.5M"), (0.2, "0.2"), (0, "0")])
def test_a_number_is_said_in_short(value: float, said: str) -> None:
    assert number(value) == said


# ── the load ──────────────────────────────────────────────────────────────────────────────────────


def test_every_request_is_answered_and_counted_once() -> None:
    with NullServer() as server:
        requests = json_requests(1000, 10, port=server.port)
        sent = send(Plan(port=server.port, requests=requests, connections=7, once=True))

    assert sent.statuses() == {202: 100}
    assert sent.per_second > 0


def test_an_open_loop_keeps_its_schedule() -> None:
    with NullServer() as server:
        requests = json_requests(10, 10, port=server.port)
        sent = send(Plan(port=server.port, requests=requests, connections=3, seconds=0.5, rate=200))
    due = sorted(answer.due for answer in sent.answers)

    assert len(due) == 100
    assert [b - a for a, b in pairwise(due)] == pytest.approx([0.005] * 99)
    assert all(answer.sent >= answer.due for answer in sent.answers)


PAUSE_S = 0.3


def test_a_service_that_stands_still_is_charged_for_all_that_it_delays() -> None:
    """A closed loop over one connection would report one slow answer and call the rest fast."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stalled = threading.Thread(target=_answer_after_a_pause, args=(listener,), daemon=True)
        stalled.start()
        port = listener.getsockname()[1]
        asked = [request("/", b"[]", {}, port=port)]
        sent = send(Plan(port=port, requests=asked, connections=1, seconds=PAUSE_S, rate=100))
    stalled.join()
    late = latencies_ms(sent.answers)

    # The first was due at 0, the tenth at 0.09: all that were due in the pause waited for its end.
    assert len(late) + sent.unsent == 30
    assert late[-1] >= PAUSE_S * 1000 - 1
    assert sent.unsent > 0


def _answer_after_a_pause(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1000)
        threading.Event().wait(PAUSE_S)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        while connection.recv(1000):
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")


def test_a_sender_ends_when_nobody_listens_any_more() -> None:
    with NullServer() as server:
        port = server.port
    sent = send(Plan(port=port, requests=[b""], seconds=60))

    assert sent.answers == []


@pytest.mark.parametrize(
    ("got", "parsed"),
    [
        (b"HTTP/1.1 202 Accepted\r\nContent-Len", None),
        (b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{", None),
        (b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}", (202, False, 46)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", (503, True, 56)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", (200, False, 59)),
    ],
)
def test_an_answer_is_read_to_its_end(got: bytes, parsed: tuple[int, bool, int] | None) -> None:
    assert parse_answer(bytearray(got)) == parsed


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile(range(1, 1001), share) for share in (0.5, 0.99, 0.999)] == [501, 991, 1000]
    assert percentile([], 0.5) == 0


# ── the records ───────────────────────────────────────────────────────────────────────────────────


def test_spans_carry_the_ids_and_the_failures_of_the_records() -> None:
    records = make_events(50, seed=3, failing=0.5)
    body = otlp_body(records)

    assert all(bytes.fromhex(record["trace_id"]) in body for record in records)
    assert body.count(b"error.type") == sum(record["status"] == 500 for record in records)
    assert _spans(body) == 50


def _spans(body: bytes) -> int:
    """Return how many spans a request holds, read by the wire format: all fields on the way are length-delimited."""
    (resource_spans,) = [value for field, value in _fields(body) if field == 1]
    (scope_spans,) = [value for field, value in _fields(resource_spans) if field == 2]
    return sum(field == 2 for field, _ in _fields(scope_spans))


def _fields(body: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(body):
        tag, at = _varint(body, at)
        assert tag & 7 == 2
        length, at = _varint(body, at)
        found.append((tag >> 3, body[at : at + length]))
        at += length
    return found


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (body[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if body[at - 1] < 128:
            return value, at


def test_a_start_goes_on_where_a_log_that_was_written_beforehand_ends(tmp_path: Path) -> None:
    """Else the restart of a hundred million events would be measured without its snapshot."""
    fill(tmp_path, 20 * BATCH)
    connection = open_database(tmp_path)
    restart = Restart(connection, DEFAULT_RULES)
    repeated = [step.n for step in restart.steps()]
    connection.close()

    assert logged_events(tmp_path) == 20 * BATCH
    assert (restart.snapshot, restart.agrees, sum(repeated)) == (True, True, 0)
