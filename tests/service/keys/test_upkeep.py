"""What is kept of keys and of changes: as long as is said, bounded, and without a secret."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.config import KeyConfig
from service.audit import HANGUP, Actor, Entry, Wanted, What, as_text, entry
from service.cli import make_parser
from service.keys import upkeep
from service.keys.book import Asked, Book
from service.keys.in_force import Keys
from service.settings import hash_key
from service.storage import audit
from service.storage import keys as rows
from service.storage.database import Transaction, open_database
from tests.support.repository import ROOT

NOON, DAY = 1_790_000_000.0, 86_400.0


class Kept:
    """A database whose clock is wound by hand."""

    def __init__(self, folder: Path) -> None:
        self.connection = open_database(folder)
        self.now = NOON
        self.book = Book(self.connection, clock=lambda: self.now)

    def names(self) -> list[str]:
        return [one.key.name for one in self.book.all()]

    def prune(self, at: float) -> None:
        upkeep.prune(self.connection, now=at)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path)
    yield found
    found.connection.close()


def changes(connection: sqlite3.Connection) -> list[Entry]:
    return audit.find(connection, Wanted(), limit=1000)


def test_a_dead_key_is_kept_for_a_month_and_a_living_one_for_good(kept: Kept) -> None:
    kept.book.create(Asked(name="me", scope="admin"), actor=HANGUP)
    kept.book.create(Asked(name="revoked"), actor=HANGUP)
    kept.book.create(Asked(name="short", expires_in_s=DAY), actor=HANGUP)
    kept.book.create(Asked(name="rotated"), actor=HANGUP)
    kept.book.rotate("rotated", overlap_s=2 * DAY, actor=HANGUP)
    kept.book.revoke("revoked", actor=HANGUP)

    kept.prune(NOON + 30 * DAY)
    assert kept.names() == ["me", "revoked", "short", "rotated", "rotated"]
    kept.prune(NOON + 30 * DAY + 1)
    assert kept.names() == ["me", "short", "rotated", "rotated"]
    kept.prune(NOON + 32 * DAY + 1)
    assert kept.names() == ["me", "rotated"]
    kept.prune(NOON + 10_000 * DAY)
    assert kept.names() == ["me", "rotated"]


def test_a_database_that_has_had_a_key_remembers_that_it_had_one(kept: Kept) -> None:
    kept.book.create(Asked(name="me", scope="admin"), actor=HANGUP)
    kept.book.revoke("me", actor=HANGUP)

    kept.prune(NOON + 10_000 * DAY)

    keys = Keys(clock=lambda: NOON)
    keys.adopt(kept.book.all())
    assert keys.needed


def test_a_use_is_written_when_it_is_newer_and_never_goes_back(kept: Kept) -> None:
    key = KeyConfig(name="ci", scope="ingest", sha256=hash_key("x" * 40))
    now = [NOON]
    keys = Keys([key], clock=lambda: now[0])

    upkeep.note_uses(kept.connection, keys)
    assert rows.uses(kept.connection) == {}
    keys.find("x" * 40)
    upkeep.note_uses(kept.connection, keys)
    now[0] = NOON - 60
    keys.find("x" * 40)
    upkeep.note_uses(kept.connection, keys)

    assert rows.uses(kept.connection) == {key.sha256: NOON}
    assert kept.book.listed({key.sha256: NOON + 1}) == []


def test_the_audit_log_is_kept_for_a_year_and_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    with Transaction(kept.connection):
        audit.add(kept.connection, [entry(HANGUP, What.RELOADED, str(n), at=NOON + n * DAY) for n in range(20)])

    kept.prune(NOON + 370 * DAY)
    assert [one.subject for one in changes(kept.connection)][-1] == "5"
    monkeypatch.setattr(audit, "MAX_ROWS", 10)
    kept.prune(NOON + 370 * DAY)
    assert [one.subject for one in changes(kept.connection)] == [str(n) for n in range(19, 9, -1)]


def test_what_looks_like_a_key_is_blotted_out_and_long_texts_are_cut() -> None:
    secret = "claxon_admin_" + "x" * 43
    made = entry(
        Actor(who=f"by {secret}", via="api"),
        What.SILENCE_MADE,
        secret,
        at=NOON,
        before={"comment": "sk-ant-api03-abcdefghijkl", "matchers": [f"app={secret}"]},
        after={"comment": "y" * 2000, "nested": {"by": secret}},
    )

    assert secret not in repr(made)
    assert made.before == {"comment": "sk-ant-***", "matchers": ["app=claxon_admin_***"]}
    assert made.after is not None
    assert len(made.after["comment"]) == 500


def test_a_change_is_shown_with_who_from_where_and_what_it_was() -> None:
    made = entry(
        Actor(who="boss", via="api", address="10.0.0.1"), What.KEY_REVOKED, "ci", at=NOON, before={"scope": "ingest"}
    )

    assert as_text([made]).splitlines() == [
        "2026-09-21T14:13:20Z  key.revoked         ci  by boss (api 10.0.0.1)",
        '    before {"scope": "ingest"}',
    ]
    assert as_text([entry(HANGUP, What.RELOADED, "c.yml", at=NOON)]).endswith("by nobody in particular (signal)")
    assert as_text([]) == "Nothing was changed."


# ── the page ──────────────────────────────────────────────────────────────────


def test_every_change_and_every_option_is_on_the_page() -> None:
    page = (ROOT / "docs/reference/keys.md").read_text("utf-8")
    options: set[str] = set()
    for command in (["keys", "create", "--help"], ["keys", "list", "--help"], ["keys", "rotate", "--help"]):
        options |= set(re.findall(r"--[a-z-]+", _help(command)))

    assert [what.value for what in What if f"`{what.value}`" not in page] == []
    everywhere = {"--help", "--scope", "--format", "--json"}
    assert sorted(option for option in options - everywhere if f"{option}" not in page) == []
    assert {"--only-app", "--overlap", "--data", "--key-file", "--print"} <= options


def _help(command: list[str]) -> str:
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        make_parser().parse_args(command)
    return said.getvalue()
