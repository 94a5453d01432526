"""Files of every form give the same events, and what cannot be read is named by file and line."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard
from claxon.event import Event
from hypothesis import given
from hypothesis import strategies as st

from service.backtest.ahead import read_ahead
from service.backtest.blocks import BLOCK, MAX_ITEM
from service.backtest.reading import SHOWN, EventFile, Refused
from service.backtest.sources import Source, SourceError
from service.decoding import BadBody, decode
from tests.support.events import NOON
from tests.support.logs import Wire, lines, traffic, wire, write


def read(path: Path) -> tuple[list[tuple[float, str | None]], Refused]:
    """Return (seconds after noon, request id) of the events of a file, and what was refused."""
    refused = Refused()
    events = [event for batch in EventFile(Source(path), refused).batches() for event in batch]
    return [(event.at - NOON, event.request_id) for event in events], refused


def numbered(n: int) -> list[Wire]:
    return [wire(i, request_id=f"req_{i}") for i in range(n)]


def expected(n: int) -> list[tuple[float, str]]:
    return [(i, f"req_{i}") for i in range(n)]


# ── forms ─────────────────────────────────────────────────────────────────────

MANY = 12_000
"""Events enough for several blocks, and for several pieces of what is decompressed."""

FORMS = {
    "lines": lines(numbered(MANY)),
    "lines without a last newline": lines(numbered(MANY)).rstrip(b"\n"),
    "lines that end as on Windows": lines(numbered(MANY)).replace(b"\n", b"\r\n"),
    "lines with empty ones between them": lines(numbered(MANY)).replace(b"\n", b"\n\n"),
    "lines behind a byte order mark": b"\xef\xbb\xbf" + lines(numbered(MANY)),
    "an array": json.dumps(numbered(MANY)).encode(),
    "an array over many lines": json.dumps(numbered(MANY), indent=2).encode() + b"\n",
    "objects over many lines": b"\n".join(json.dumps(event, indent=2).encode() for event in numbered(MANY)),
}


@pytest.mark.parametrize("name", ["log", "log.gz", "log.zst"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_events(tmp_path: Path, form: str, name: str) -> None:
    events, refused = read(write(tmp_path / name, FORMS[form]))

    assert events == expected(MANY)
    assert (refused.events, refused.broken) == (0, [])


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(gzip.compress(lines(numbered(3))))
    (tmp_path / "log.gz").write_bytes(lines(numbered(3)))

    assert read(tmp_path / "log.txt")[0] == read(tmp_path / "log.gz")[0] == expected(3)


def test_compressed_files_one_behind_the_other_are_one_log(tmp_path: Path) -> None:
    """What logrotate appends is several members; gzip pads them with zeros on some media."""
    first, second = lines(numbered(3)[:2]), lines(numbered(3)[2:])
    (tmp_path / "log.gz").write_bytes(gzip.compress(first) + bytes(7) + gzip.compress(second) + bytes(500_000))
    (tmp_path / "log.zst").write_bytes(zstandard.compress(first) + zstandard.compress(second))

    assert read(tmp_path / "log.gz") == (expected(3), Refused())
    assert read(tmp_path / "log.zst") == (expected(3), Refused())


@pytest.mark.parametrize("content", [b"", b"\n \n", b"[]", b"[ ]\n"])
@pytest.mark.parametrize("name", ["log", "log.gz", "log.zst"])
def test_an_empty_log_has_no_events(tmp_path: Path, content: bytes, name: str) -> None:
    assert read(write(tmp_path / name, content)) == ([], Refused())


def test_what_looks_like_the_end_of_an_item_inside_a_text_is_none(tmp_path: Path) -> None:
    """Such texts are in every item, at the end of each block too."""
    events = [event | {"error_message": "}, {}, {" * 20} for event in numbered(4000)]

    for form in (json.dumps(events), "\n".join(json.dumps(event, indent=1) for event in events)):
        assert read(write(tmp_path / "log", form.encode())) == (expected(4000), Refused())


def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(lines(numbered(5000))),))
    writer.start()
    events, _ = read(pipe)
    writer.join()

    assert events == expected(5000)


# ── as the service takes them ─────────────────────────────────────────────────


def test_unknown_fields_and_nulls_are_passed_over(tmp_path: Path) -> None:
    log = write(tmp_path / "log", [wire(0, colour="red"), wire(1, attempt=None, path=None), wire(2, ratelimit={})])

    events, refused = read(log)

    assert [at for at, _ in events] == [0, 1, 2]
    assert refused == Refused()


def test_an_event_without_a_time_happened_at_the_latest_time_before_it(tmp_path: Path) -> None:
    bare = {"model": "m", "status": 200}
    log = write(tmp_path / "log", [wire(5), wire(3), bare, wire(7), bare | {"time": None}])

    assert [at for at, _ in read(log)[0]] == [5, 3, 5, 7, 7]


def test_a_time_in_words_is_the_same_instant(tmp_path: Path) -> None:
    log = write(tmp_path / "log", [wire(0) | {"time": "2026-09-21T16:13:20.250+02:00"}])

    assert [at for at, _ in read(log)[0]] == [0.25]


# ── what is refused ───────────────────────────────────────────────────────────

BAD = {
    b"{": "log:2: event: {: not valid JSON: it ends too early, or holds half a surrogate pair",
    b"7": "log:2: event: 7: a JSON object",
    b'{"time": 5}': "log:2: model: missing: a string of 1 to 128 characters; it is required",
    b'{"model": "m", "time": 5, "tokens": -1}': "log:2: tokens: -1: an integer from 0: the tokens requested",
    b'{"model": "m", "time": 5, "trace_id": 7}': "log:2: trace_id: 7: a string of at most 128 characters",
    b'{"model": "m", "time": "2026-09-21T16:13:20"}': (
        "log:2: time: 2026-09-21T16:13:20: an RFC 3339 string with a time zone, or Unix seconds"
    ),
    b'{"model": "m", "time": 1790000000000}': (
        "log:2: time: 1790000000000.0: at most 5 minutes ahead of the receiver's clock; Unix seconds, not milliseconds"
    ),
    b'{"model": "m", "time": 5, "attempt": 3, "max_attempts": 2}': (
        "log:2: max_attempts: 2: at least attempt, which is 3"
    ),
    b'{"model": "m", "time": 5, "status": "sk-ant-abc-def"}': ("log:2: status: sk-ant-***: an integer from 100 to 599"),
    b'{"model": "\xff", "time": 5}': "log:2: event: ",
}


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_is_named_and_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    first, last = lines(numbered(1)), lines(numbered(2)[1:])
    Path("log").write_bytes(first + line + b"\n" + last)

    events, refused = read(Path("log"))

    assert events == expected(2)
    assert refused.events == 1
    assert refused.shown[0].startswith(BAD[line])


def test_an_event_without_a_time_needs_one_before_it(tmp_path: Path) -> None:
    log = write(tmp_path / "log", [{"model": "m"}, wire(1)])

    events, refused = read(log)

    assert [at for at, _ in events] == [1]
    assert refused.shown == [f"{log}:1: time: missing: an RFC 3339 string or Unix seconds, in the first event at least"]


@pytest.mark.parametrize("name", ["log", "log.gz", "log.zst"])
def test_a_line_is_named_right_however_far_down_it_is(tmp_path: Path, name: str) -> None:
    """Lines are not counted before there is something to name; then those before are, the empty ones too."""
    good = lines(numbered(MANY))
    log = write(tmp_path / name, b"\n\n" + good + b"oops\n" + good + b"\noops\n")

    events, refused = read(log)

    assert len(events) == 2 * MANY
    assert [line.partition(" ")[0] for line in refused.shown] == [f"{log}:{MANY + 3}:", f"{log}:{2 * MANY + 5}:"]


def test_an_item_of_an_array_is_named_by_its_number(tmp_path: Path) -> None:
    events = [*numbered(MANY), {"model": "m", "time": 5, "status": 7}, *numbered(3)]
    log = write(tmp_path / "log", json.dumps(events).encode())

    assert read(log)[1].shown == [f"{log}: item {MANY + 1}: status: 7: an integer from 100 to 599"]


def test_all_are_counted_and_the_first_few_shown(tmp_path: Path) -> None:
    log = write(tmp_path / "log", b"oops\n" * 5000 + lines(numbered(1)))

    events, refused = read(log)

    assert events == expected(1)
    assert (refused.events, len(refused.shown)) == (5000, SHOWN)


# ── files that break ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "kind"), [("log.gz", "gzip"), ("log.zst", "zstd")])
def test_a_compressed_file_that_was_cut_says_so_and_gives_what_it_has(tmp_path: Path, name: str, kind: str) -> None:
    events = [event | {"trace_id": f"{random.Random(i).getrandbits(128):x}"} for i, event in enumerate(numbered(MANY))]
    log = write(tmp_path / name, events)
    whole = log.read_bytes()

    for keep in (len(whole) * 9 // 10, len(whole) - 1):
        log.write_bytes(whole[:keep])
        found, refused = read(log)

        assert expected(MANY)[: len(found)] == found
        assert len(found) > MANY // 2
        assert refused.broken == [f"{log}: the {kind} data end too early: copy the whole file"]


def test_a_compressed_file_that_is_damaged_says_so(tmp_path: Path) -> None:
    for name, cut in (("log.gz", 2000), ("log.zst", 2000)):
        log = write(tmp_path / name, [event | {"call_id": os.urandom(16).hex()} for event in numbered(2000)])
        whole = log.read_bytes()
        log.write_bytes(whole[:-cut] + bytes(cut))

        _, refused = read(log)

        assert len(refused.broken) == 1
        assert refused.broken[0].startswith(f"{log}: ")


@pytest.mark.parametrize("ending", [b"", b", {", b"] []", b"}"])
def test_an_array_that_breaks_gives_the_items_before(tmp_path: Path, ending: bytes) -> None:
    log = write(tmp_path / "log", json.dumps(numbered(MANY)).encode().removesuffix(b"]") + ending)

    events, refused = read(log)

    assert len(events) > MANY - BLOCK // 60
    assert len(refused.broken) == 1


def test_what_never_ends_is_no_log_of_events(tmp_path: Path) -> None:
    log = write(tmp_path / "log.zst", b"x" * (MAX_ITEM + 3_000_000))

    assert read(log)[1].broken == [f"{log}: over 16 MiB without an end of an event: one JSON object a line"]


def test_a_missing_file_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SourceError, match=str(path)):
            Source(path)


# ── the thread ────────────────────────────────────────────────────────────────


def test_reading_ahead_changes_nothing() -> None:
    assert list(read_ahead(iter(range(1000)))) == list(range(1000))


def test_what_fails_in_the_thread_fails_for_the_reader() -> None:
    def pieces():
        yield 1
        raise SourceError("log: broken")

    ahead = read_ahead(pieces())

    assert next(ahead) == 1
    with pytest.raises(SourceError, match="log: broken"):
        next(ahead)


def test_a_reader_that_stops_ends_the_thread() -> None:
    before = threading.active_count()
    ahead = read_ahead(iter(range(1000)))
    next(ahead)
    ahead.close()

    assert threading.active_count() == before


def test_a_first_look_takes_nothing(tmp_path: Path) -> None:
    refused = Refused()
    file = EventFile(Source(write(tmp_path / "log", b"oops\n" + lines(traffic(3, 6)))), refused)

    assert file.first_time() == NOON + 3
    assert refused == Refused()
    assert [event.at - NOON for batch in file.batches() for event in batch] == [3, 4, 5]


# ── the fast way ──────────────────────────────────────────────────────────────

Fields = dict[str, Any]
SOME: st.SearchStrategy[Fields] = st.fixed_dictionaries(
    {"time": st.sampled_from([NOON, NOON + 0.5, "2026-09-21T14:13:25Z", 2e11]), "model": st.sampled_from(["m", ""])},
    optional={
        "app": st.sampled_from(["shop", "", None]),
        "status": st.sampled_from([200, 201, 429, 500, 401, 99, None]),
        "error_type": st.sampled_from([None, "api_error", "rate_limit_error"]),
        "error_code": st.sampled_from([None, "credit_balance_too_low"]),
        "stream_end": st.sampled_from([None, "complete", "truncated", "closed", "error_event"]),
        "attempt": st.sampled_from([1, 2, 0]),
        "max_attempts": st.sampled_from([None, 1, 2]),
        "final": st.booleans(),
        "call_id": st.sampled_from([None, "c"]),
        "event_id": st.sampled_from([None, "e", 7]),
        "tokens": st.sampled_from([1, -1]),
        "error_message": st.sampled_from(["oh", "sk-ant-key"]),
        "other": st.just([1]),
    },
)
DERIVED = (
    "at",
    "app",
    "category",
    "provisional",
    "environment",
    "path",
    "attempt",
    "error_type",
    "call_id",
    "event_id",
)
OF_FAILURES = ("final", "exhausted", "status", "error_code", "error_message", "stream_end")


@given(events=st.lists(SOME, max_size=6))
def test_a_log_gives_what_the_service_takes(tmp_path_factory: pytest.TempPathFactory, events: list[Fields]) -> None:
    """The fast ways, and each way to fall back from them, end with the same events and refusals."""
    log = write(tmp_path_factory.mktemp("log") / "log", events)
    refused = Refused()
    found = [event for batch in EventFile(Source(log), refused).batches() for event in batch]

    try:
        taken = decode(log.read_bytes(), ndjson=True, received_at=1e11, app="default")
    except BadBody:
        assert (found, events) == ([], [])
        return
    assert [line.partition(": ")[2] for line in refused.shown] == [refusal.error for refusal in taken.refusals]
    assert [told(event) for event in found] == [told(event) for event in taken.events]


def told(event: Event) -> dict[str, Any]:
    """Return what decides."""
    names = DERIVED if event.category == "ok" else DERIVED + OF_FAILURES
    return {name: getattr(event, name) for name in names}
