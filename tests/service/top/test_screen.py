"""The screen of `claxon top`, without a terminal: it fits whatever there is, and the gravest is seen first."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from service.telling_views import AckView, SilencedBy
from service.top.cells import cut, harmless, painted, width, wrapped, written
from service.top.screen import UNCUT, frame, snapshot
from service.top.shown import Part, Shown
from service.top.terminal import Key, keys_of
from service.top.view import AlertRow, ClaxonView, Counts, ModelRow, Top
from service.top.words import errors, few, held, left, pace, state

NOON = 1_790_000_000.0
WIDE = "日本語アプリ" * 5


def alert(i: int = 0, **more: Any) -> AlertRow:
    found: dict[str, Any] = {
        "fingerprint": f"{i:016x}",
        "state": "firing",
        "alertname": "ClaudeConsecutiveServerErrors",
        "severity": "page",
        "app": f"app-{i}",
        "environment": "prod",
        "labels": {"app": f"app-{i}", "alertname": "ClaudeConsecutiveServerErrors"},
        "summary": "search (prod): 13 % of Claude calls fail",
        "since": NOON - 200,
        "measured": "9 of 61 calls failed in 5m (14.8 %)",
        "errors": "overloaded (529) × 9",
        "blame": "provider",
        "advice": "Shed load.",
        "request_ids": ["req_1"],
        "url": "https://claxon.example/alerts/1",
        "held_back": "",
        "ack": None,
        "silences": [],
    }
    return AlertRow(**(found | more))


def model(i: int = 0, **more: Any) -> ModelRow:
    found: dict[str, Any] = {
        "app": f"app-{i}",
        "environment": "prod",
        "model": "claude-sonnet-5",
        "attempts": 100,
        "per_s": 12.5,
        "errors": {"overloaded": 9, "server": 2},
        "failed": 11,
        "absorbed": 4,
        "exhausted": 3,
        "throttled_s": 12.0,
        "budget_left": 0.42,
        "firing": 1,
    }
    return ModelRow(**(found | more))


def shown(alerts: list[AlertRow], models: list[ModelRow], **more: Any) -> Shown:
    claxon = ClaxonView(
        version="0.1.0",
        started_at=NOON - 12_000,
        ready=True,
        fault="",
        blind=False,
        lag_s=0.4,
        events_per_s=1204.0,
        queue=2,
        outbox=0,
        failing=[],
        silences=0,
    )
    firing = sum(one.state == "firing" for one in alerts)
    counts = Counts(firing=firing, pages=firing, pending=len(alerts) - firing, acknowledged=0)
    found = Shown(url="http://127.0.0.1:5290", name="anna")
    found.hear(
        Top(
            at=NOON,
            window_s=300.0,
            claxon=more.pop("claxon", claxon),
            counts=counts,
            alerts=alerts,
            more_alerts=more.pop("more_alerts", 0),
            models=models,
            more_models=0,
            quiet_models=0,
        ),
        now=1000.0,
    )
    for name, value in more.items():
        setattr(found, name, value)
    return found


def text(what: Shown, cells: int = 80, lines: int = 24, now: float = 1000.0) -> list[str]:
    return written(frame(what, cells=cells, lines=lines, now=now))


FULL = [alert(i, app=WIDE if i % 2 else "x", severity="page" if i % 3 else "ticket") for i in range(30)]
CROWD = [model(i, app=WIDE, environment="e" * 40, model=WIDE) for i in range(50)]


@pytest.mark.parametrize("cells", [40, 59, 60, 72, 79, 80, 100, 110, 120, 139, 140, 200])
@pytest.mark.parametrize("lines", [8, 9, 12, 24, 40, 120])
def test_every_line_fills_the_window_exactly(cells: int, lines: int) -> None:
    """A line that is longer would push the others down; one that is shorter leaves something of before behind it."""
    for part in Part:
        for rows in ([], FULL[:1], FULL):
            for many in ([], CROWD[:2], CROWD):
                found = frame(shown(rows, many, part=part), cells=cells, lines=lines, now=1000.0)

                assert len(found) == lines
                assert {width(painted(line, cells, colour=False).replace("\x1b[0m", "")) for line in plain(found)} == {
                    cells
                }


def plain(lines: list[Any]) -> list[Any]:
    from service.top.cells import Line, Style

    return [Line([(piece, Style.PLAIN) for piece, _ in line.pieces]) for line in lines]


def test_what_is_wide_takes_two_cells_and_what_is_not_seen_none() -> None:
    assert [width(one) for one in ("abc", "日本", "é", unicodedata.normalize("NFD", "é"), "a\u200db")] == [
        3,
        4,
        1,
        1,
        2,
    ]
    assert [cut("日本語", n) for n in (6, 5, 4, 1, 0)] == ["日本語", "日本…", "日…", "…", ""]
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("abcdefghij k", 4) == ["abcd", "efgh", "ij k"]
    assert wrapped("", 4) == [""]


def test_foreign_text_stays_on_its_line_and_is_seen() -> None:
    assert harmless("a\n\tb\x1b[2J\x9bc\u202e") == "a b\ufffd[2J\ufffdc\ufffd"


def test_numbers_stand_beside_an_alert_below_it_or_wait_for_the_details() -> None:
    """In that order, as there is room."""
    rows = [alert(i) for i in range(3)]
    measured = "9 of 61 calls failed in 5m (14.8 %)"

    assert sum(f"Errors {' ' * 9}{measured}" in line for line in text(shown(rows, []), cells=160)) == 0
    assert sum(line.startswith(f"{'':<20}{measured}") for line in text(shown(rows, []))) == 3
    assert sum(measured in line for line in text(shown(rows, []), cells=160)) == 3
    tight = text(shown(rows, [model(i) for i in range(9)]), lines=14)
    assert [line[:2] for line in tight if "ClaudeConsecutive" in line] == ["> ", "  ", "  "]
    assert sum(measured in line for line in tight) == 1


def test_the_alert_that_is_chosen_is_always_seen() -> None:
    what = shown([alert(i) for i in range(30)], [model()])
    for down in range(31):
        assert any(line.startswith("> ") and f"app-{min(down, 29)}/" in line for line in text(what)), down
        what.move(1)
    assert any(line == "  and 17 more alerts" for line in text(what))


def test_in_little_room_a_row_says_more_than_that_there_are_others() -> None:
    """The titles have the numbers of all."""
    found = text(shown([alert(i) for i in range(5)], [model(i) for i in range(5)]), lines=12)

    assert found[3].startswith("ALERTS  5 firing")
    assert [line[:2] for line in found[5:8]] == ["> ", "  ", ""]
    assert found[8].startswith("MODELS  5 with attempts")
    assert found[10].startswith("! app-0/")
    assert not any("more" in line for line in found)
    left_out = text(shown([alert(i) for i in range(5)], [], more_alerts=7), lines=40)
    assert "  and 7 more alerts" in left_out


def test_a_models_version_is_seen_where_there_is_little_room() -> None:
    assert "app-0/prod       sonnet-4-5" in "\n".join(text(shown([], [model(model="claude-sonnet-4-5")])))
    assert " claude-sonnet-4-5 " in "\n".join(text(shown([], [model(model="claude-sonnet-4-5")]), cells=120))


def test_an_alert_that_has_resolved_leaves_its_place_to_the_next_one() -> None:
    what = shown([alert(0), alert(1), alert(2)], [])
    what.move(1)
    assert what.top is not None
    what.part = Part.ALERT

    what.hear(shown([alert(0), alert(2)], []).top or what.top, now=1001.0)

    assert (what.chosen, what.part) == (alert(2).fingerprint, Part.ALL)
    assert text(what)[-1] == "the alert that was shown has resolved"
    what.hear(shown([], []).top or what.top, now=1002.0)
    assert (what.chosen, what.alert) == ("", None)


def test_what_became_of_an_alert_stands_before_its_numbers() -> None:
    silence = SilencedBy(id="s", by="bo", until=NOON + 60, comment="known")
    acked = alert(ack=AckView(by="bo\x1b", at=NOON, until=None), silences=[silence], held_back="silenced s")

    assert state(acked) == "acked by bo\ufffd, silenced"
    assert state(alert(state="pending")) == "pending"
    assert state(alert(held_back="inhibited 0123")) == "held back"
    assert state(alert(held_back="muted night")) == "muted"
    assert "[acked by bo\ufffd, silenced] 9 of 61" in "\n".join(text(shown([acked], [])))


def test_the_clock_is_the_services_and_goes_on_between_two_answers() -> None:
    assert text(shown([alert()], []), now=1000.0)[0].endswith(" 14:13:20 UTC")
    assert text(shown([alert()], []), now=1005.0)[0].endswith(" 14:13:25 UTC")
    gone = text(shown([alert()], [], fault="http://x: refused: start it"), now=1012.0)
    assert gone[1] == "NO ANSWER for 12 s: http://x: refused: start it"
    assert any("ClaudeConsecutive" in line for line in gone)
    slow = shown([alert()], [], patience_s=11.0)
    assert text(slow, now=1011.0)[1].startswith("READY")
    assert text(slow, now=1011.1)[1] == "NO ANSWER for 11 s: it takes its time"


def test_what_is_wrong_with_claxon_comes_first() -> None:
    ill = ClaxonView(
        version="0.1.0",
        started_at=NOON,
        ready=False,
        fault="log: cannot be written",
        blind=True,
        lag_s=None,
        events_per_s=None,
        queue=0,
        outbox=7,
        failing=["night/webhook/0"],
        silences=3,
    )
    found = text(shown([], [], claxon=ill), cells=120)
    assert found[1] == (
        "NOT READY: log: cannot be written  BLIND  lag –  – events/s  outbox 7  queue 0  up 0 s  silences 3"
    )
    assert found[2] == "FAILING: night/webhook/0: take nothing"


def test_nothing_known_is_a_dash_and_never_a_zero() -> None:
    assert [pace(n) for n in (None, 0.0, 0.254, 12.34, 1204.4)] == ["–", "0.00", "0.25", "12.3", "1,204"]
    assert [left(n) for n in (None, 1.0, 0.4216, -0.5, -99.0)] == ["–", "100 %", "42.2 %", "-50 %", "<-999 %"]


def test_a_number_is_there_as_a_whole_or_not_at_all() -> None:
    """ "overloaded 2…" of 270 would say 2."""
    numbers = (0, 7, 999, 1000, 1234, 9949, 45_678, 999_999, 3_100_000, 12_345_678_901)
    assert [few(n) for n in numbers] == ["0", "7", "999", "1.0k", "1.2k", "9.9k", "46k", "1.0M", "3.1M", "12G"]
    assert [held(s) for s in (1, 231, 2280, 999 * 60 + 31, 9e6)] == ["1s", "231s", "38m", "17h", "104d"]
    row = model(errors={"overloaded": 270, "server": 60, "rate_limit": 5})
    assert [errors(row, n) for n in (99, 37, 36, 26, 25, 16, 15, 9)] == [
        "overloaded 270 server 60 rate_limit 5",
        "overloaded 270 server 60 rate_limit 5",
        "overloaded 270 server 60 …",
        "overloaded 270 server 60 …",
        "overloaded 270 …",
        "overloaded 270 …",
        "overload… 270 …",
        "ov… 270 …",
    ]


def test_colour_is_left_out_where_none_is_wanted() -> None:
    lines = frame(shown([alert()], [model()]), cells=80, lines=24, now=1000.0)

    assert any("\x1b[1;31m" in painted(line, 80, colour=True) for line in lines)
    assert not any("3" in part.partition("m")[0] for line in lines for part in _codes(painted(line, 80, colour=False)))


def _codes(line: str) -> list[str]:
    return line.split("\x1b[")[1:]


def test_all_of_it_is_printed_where_there_is_no_window() -> None:
    lines = written(snapshot(shown(FULL, CROWD, more_alerts=5), cells=UNCUT, now=1000.0))

    assert sum("ClaudeConsecutive" in line for line in lines) == 30
    assert sum("overloaded 9 server 2" in line for line in lines) == 50
    assert "  and 5 more alerts" in lines
    assert not any(line.endswith(("…", " ")) for line in lines)


@pytest.mark.parametrize(
    ("pressed", "keys"),
    [
        (b"jk", ["j", "k"]),
        (b"\x1b[A\x1bOB\r", [Key.UP, Key.DOWN, Key.ENTER]),
        (b"\x1b", [Key.ESCAPE]),
        (b"\x1b[15~q", ["q"]),
        (b"\x1b[1;5Aj", ["j"]),
        (b"\xc3\xa9q", ["q"]),
        (b"", []),
    ],
)
def test_keys_are_told_from_what_a_terminal_sends(pressed: bytes, keys: list[str]) -> None:
    assert keys_of(pressed) == keys
