"""Keys, sessions and the audit log on each engine."""

from __future__ import annotations

import pytest

from alerts.config import KeyConfig
from service.audit import Actor, Entry, Wanted, What, entry
from service.storage import audit, keys, sessions
from service.storage.connecting import Connection
from service.storage.database import Transaction

ADA = Actor(who="ada", via="api", address="10.0.0.7")


def key(name: str, **more: object) -> KeyConfig:
    found = {"name": name, "scope": "ingest", "sha256": name.encode().hex().rjust(64, "0"), "source": "database"}
    return KeyConfig(**(found | more))  # type: ignore[arg-type]


def test_a_key_is_kept_as_it_is_and_ends_in_three_ways(writer: Connection) -> None:
    shop = key("shop", app="shop", only_app=True, events_per_second=2.5, requests_per_second=1.0, burst_s=3.0)
    with Transaction(writer):
        keys.add(writer, shop, at=1.0, by="ada", expires_at=90.0)
        keys.add(writer, key("cart"), at=2.0, by="", expires_at=None)
        keys.add(writer, key("mail"), at=3.0, by="", expires_at=None)
    number, kept, at, by, *ends = keys.load(writer)[0]
    assert (kept, at, by, ends) == (shop, 1.0, "ada", [90.0, None, None])
    with Transaction(writer):
        keys.let_go(writer, number, until=50.0)
        keys.let_go(writer, number, until=70.0)
        keys.revoke(writer, number + 1, at=20.0)
    assert [row[4:] for row in keys.load(writer)] == [(90.0, 50.0, None), (None, None, 20.0), (None, None, None)]
    with Transaction(writer):
        keys.revoke(writer, number + 2, at=20.0)
        keys.prune(writer, before=60.0, uses_before=0.0)
    assert [row[1].name for row in keys.load(writer)] == ["mail"], "the newest stays: no number is given twice"


def test_a_key_was_used_when_it_was_used_last(writer: Connection) -> None:
    with Transaction(writer):
        keys.note_uses(writer, {"a": 5.0, "b": 1.0})
        keys.note_uses(writer, {"a": 3.0, "b": 2.0})
    assert keys.uses(writer) == {"a": 5.0, "b": 2.0}
    with Transaction(writer):
        keys.prune(writer, before=0.0, uses_before=3.0)
    assert keys.uses(writer) == {"a": 5.0}


def test_sessions_are_those_that_were_written_last(writer: Connection) -> None:
    with Transaction(writer):
        sessions.replace(writer, [("x", "k", 1.0, 9.0), ("y", "k", 2.0, 3.0)])
    assert sessions.load(writer) == [("y", "k", 2.0, 3.0), ("x", "k", 1.0, 9.0)]
    with Transaction(writer):
        sessions.replace(writer, [])
    assert sessions.load(writer) == []


MADE = entry(ADA, What.KEY_CREATED, "shop", at=1.0, after={"scope": "ingest", "name": "Zoë\0"})
REVOKED = entry(ADA, What.KEY_REVOKED, "shop", at=2.0, before={"scope": "ingest"})
RELOADED = entry(Actor(who="", via="signal"), What.RELOADED, "claxon.yml", at=3.0, after={"changed": "nothing"})


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [RELOADED, REVOKED, MADE]),
        (Wanted(who="ada"), [REVOKED, MADE]),
        (Wanted(what="key"), [REVOKED, MADE]),
        (Wanted(what=What.RELOADED), [RELOADED]),
        (Wanted(what="ke"), []),
        (Wanted(subject="shop", since=2.0), [REVOKED]),
        (Wanted(until=2.0), [MADE]),
    ],
)
def test_who_changed_what_is_found_newest_first(writer: Connection, wanted: Wanted, found: list[Entry]) -> None:
    with Transaction(writer):
        audit.add(writer, [MADE, REVOKED, RELOADED])
    assert audit.find(writer, wanted, limit=10) == found
    assert audit.find(writer, wanted, limit=1) == found[:1]


def test_the_audit_log_is_bounded_by_age_and_by_rows(writer: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MAX_ROWS", 1)
    with Transaction(writer):
        audit.add(writer, [MADE, REVOKED, RELOADED])
        audit.prune(writer, before=1.5)
    assert audit.find(writer, Wanted(), limit=10) == [RELOADED]
