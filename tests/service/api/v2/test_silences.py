"""Silences of API v2, against the real service on a real socket and real SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import Running

from . import schema
from .asking import alert, at, listed, send, silence

UNKNOWN = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("silences")) as running:
        yield running


def made(claxon: Running, *matchers: str, **more: Any) -> str:
    """Make a silence; return its id."""
    status, answer, _ = send(claxon, "silences", silence(*matchers, **more))
    assert status == 200, answer
    schema.check(answer, schema.MADE)
    return answer["silenceID"]


def test_a_silence_is_answered_as_it_was_posted_and_silences(claxon: Running) -> None:
    send(claxon, "alerts", [alert("noisy", app="x")])
    matchers = [
        {"name": "alertname", "value": "noisy", "isRegex": False},
        {"name": "app", "value": "x|y", "isRegex": True, "isEqual": True},
        {"name": "team", "value": "red", "isRegex": False, "isEqual": False},
    ]

    name = made(claxon, matchers=matchers, annotations={"ticket": "7"})

    found = claxon.get(f"/api/v2/silence/{name}")
    schema.check(found, schema.SILENCE)
    assert found["matchers"] == [{"isEqual": True, **matcher} for matcher in matchers]
    assert (found["createdBy"], found["comment"], found["annotations"]) == ("ada", "known", {"ticket": "7"})
    assert found["status"] == {"state": "active"}
    assert listed(claxon)["noisy"]["status"]["silencedBy"] == [name]


def test_a_silence_that_is_read_and_posted_back_with_a_later_end_keeps_its_id(claxon: Running) -> None:
    name = made(claxon, "alertname=longer")
    read = claxon.get(f"/api/v2/silence/{name}")

    assert made(claxon, **read | {"endsAt": at(7200)}) == name

    assert claxon.get(f"/api/v2/silence/{name}")["endsAt"] > read["endsAt"]


def test_a_silence_that_gets_other_matchers_is_another_one(claxon: Running) -> None:
    name = made(claxon, "alertname=old")

    other = made(claxon, "alertname=new", id=name)

    assert other != name
    assert claxon.get(f"/api/v2/silence/{name}")["status"] == {"state": "expired"}


def test_a_silence_is_expired_once_and_again_without_harm(claxon: Running) -> None:
    name = made(claxon, "alertname=brief")

    for _ in range(2):
        assert claxon.request("DELETE", f"/api/v2/silence/{name}")[:2] == (200, "")

    assert claxon.get(f"/api/v2/silence/{name}")["status"] == {"state": "expired"}


def test_silences_come_in_alertmanagers_order_and_by_matcher_and_state(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        names = {
            "late": made(claxon, "a=1", endsAt=at(7200)),
            "soon": made(claxon, "a=1", "b=2"),
            "pending-late": made(claxon, "a=1", startsAt=at(600)),
            "pending-soon": made(claxon, "a=1", startsAt=at(300)),
            "gone-first": made(claxon, "a=1"),
            "gone-last": made(claxon, "c=1"),
        }
        for name in ("gone-first", "gone-last"):
            claxon.request("DELETE", f"/api/v2/silence/{names[name]}")
        by_id = {identity: name for name, identity in names.items()}

        def order(query: str = "") -> list[str]:
            found = claxon.get(f"/api/v2/silences{query}")
            schema.check(found, schema.SILENCES)
            return [by_id[one["id"]] for one in found]

        assert order() == ["soon", "late", "pending-soon", "pending-late", "gone-last", "gone-first"]
        assert order("?filter=b%3D2") == ["soon"]
        assert order("?filter=b%3D2&filter=c%3D1") == []
        assert order("?filter=a!%3D1") == []
        assert order("?expired=false&pending=false") == ["soon", "late"]
        assert order("?active=false&pending=no") == ["gone-last", "gone-first"]


def test_a_silence_is_there_after_a_restart(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        name = made(claxon, "a=b")
        before = claxon.get(f"/api/v2/silence/{name}")

    with Running(tmp_path) as claxon:
        assert claxon.get(f"/api/v2/silence/{name}") == before


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"matchers": []}, 422, "matchers: expected `array` of length >= 1"),
        ({"matchers": None}, 400, "matchers: expected `array`, got `null`"),
        ({"comment": ...}, 422, "missing required field `comment`"),
        ({"createdBy": ...}, 422, "missing required field `createdBy`"),
        ({"startsAt": ...}, 422, "missing required field `startsAt`"),
        ({"endsAt": "soon"}, 400, "endsAt: invalid RFC3339"),
        ({"matchers": [{"name": "a", "value": "b"}]}, 422, "matchers[0]: object missing required field `isRegex`"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, 400, "matchers: a=~"),
        ({"matchers": [{"name": "a", "value": "", "isRegex": False}]}, 400, "matchers: all of them match an empty"),
        ({"matchers": [{"name": "a", "value": ".*", "isRegex": True}]}, 400, "matchers: all of them match an empty"),
        ({"matchers": [{"name": "", "value": "b", "isRegex": False}]}, 400, "matchers: a name is empty"),
        ({"matchers": [{"name": "a", "value": "b", "isRegex": False}] * 101}, 422, "length <= 100"),
        ({"startsAt": at(7200)}, 400, "endsAt: not after startsAt"),
        ({"startsAt": at(-20), "endsAt": at(-10)}, 400, "endsAt: has passed"),
        ({"endsAt": at(31 * 86_400)}, 400, "endsAt: a silence lasts at most 720 h"),
        ({"comment": " "}, 400, "comment: empty"),
        ({"createdBy": ""}, 400, "createdBy: empty"),
        ({"comment": "x" * 20_000}, 400, "silence: over 16384 characters"),
        ({"id": UNKNOWN}, 404, f"silence: {UNKNOWN}: not found"),
        ({"id": "none"}, 404, "silence: none: not found"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(
    claxon: Running, change: dict[str, Any], status: int, said: str
) -> None:
    body = {name: value for name, value in (silence("a=b") | change).items() if value is not ...}

    got, answer, _ = send(claxon, "silences", body)

    assert got == status, answer
    schema.check(answer, schema.REFUSED if status == 422 else {"type": "string"})
    assert said in (answer["message"] if status == 422 else answer)


@pytest.mark.parametrize("body", [b"no JSON", b"", b"[]", b"null", b"[" * 100_000])
def test_a_body_that_is_no_silence_is_a_400(claxon: Running, body: bytes) -> None:
    assert send(claxon, "silences", body)[0] == 400


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_silence_that_is_not_there_is_a_404_and_what_is_no_id_a_422(claxon: Running, method: str) -> None:
    assert claxon.request(method, f"/api/v2/silence/{UNKNOWN}")[0] == 404
    status, answer, _ = claxon.request(method, "/api/v2/silence/none")

    assert (status, answer) == (422, {"code": 422, "message": "silenceID: 'none': not a UUID"})


def test_a_silence_that_cannot_be_written_is_a_500_and_is_not_in_force(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA query_only = 1"))

        status, answer, _ = send(claxon, "silences", silence("a=b"))

        assert (status, answer[:28]) == (500, "database: cannot be written:")
        assert claxon.get("/api/v2/silences") == []
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA query_only = 0"))
        assert send(claxon, "silences", silence("a=b"))[0] == 200
        notes = [row["note"] for row in claxon.get("/v1/ledger?what=silence")["ledger"]]
        assert "taken back: it could not be written" in notes
