"""The follower: what waits in the inbox is logged once, whatever order it came in, and nobody is in another's way."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from claxon.event import Event

from alerts.default_rules import DEFAULT_RULES
from alerts.notifier import Notifier
from alerts.routes import Route
from service import clock, known
from service.core import Core
from service.decoding import decode, decode_logged
from service.intake import Intake
from service.nodes.follower import Follower
from service.rejects import Rejects
from service.storage import event_log, inbox
from service.storage.connecting import Connection
from service.storage.database import Transaction, open_beside, open_database, open_reader
from service.storage.event_log import LoggedBatch
from service.storage.inbox import InboxRow
from service.storage.places import PostgresUrl
from service.work import Ingest
from tests.support.postgres import Postgres
from tests.support.running import until

pytestmark = pytest.mark.peer("postgres")

GOOD: dict[str, Any] = {"model": "m", "status": 200}


class Elected:
    """The elected node's core and its follower; and another node's connection."""

    def __init__(self, place: PostgresUrl) -> None:
        self.place = place
        notifier = Notifier(Route(receiver="ops"), (), external_url="http://127.0.0.1:1")
        self.core = Core(
            open_database(place), DEFAULT_RULES, notifier, clock=clock.now, targets=lambda _: [], steady=clock.monotonic
        )
        self.rejects = Rejects(clock=clock.now)
        self.intake = Intake()
        self.follower = Follower(
            self.core,
            lambda: open_reader(place),
            rejects=self.rejects,
            intake=self.intake,
            clock=clock.now,
        )
        self.node: Connection = open_beside(place)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.core.start()
        self.follower.start(self._loop)

    def stop(self) -> None:
        self.follower.stop()
        self.core.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self.node.close()

    def put(self, *rows: InboxRow) -> None:
        with Transaction(self.node):
            inbox.put(self.node, rows)

    def empties(self, within_s: float = 15.0) -> bool:
        return until(lambda: not inbox.first_ids(self.node, 1), within_s)

    def log(self) -> list[LoggedBatch]:
        return [row for row in event_log.read(self.node, -1) if row.n]

    def post(self, *events: dict[str, Any], key: str | None = None) -> str:
        """Post to the elected node itself."""
        batch = decode(json.dumps(events).encode(), ndjson=False, received_at=clock.now(), app="default")
        return self.core.ingest(Ingest(batch=batch, received_at=clock.now(), app="default", key=key)).result(10).answer


@pytest.fixture
def elected(place: PostgresUrl) -> Iterator[Elected]:
    found = Elected(place)
    yield found
    found.stop()


def row(*events: dict[str, Any], body: bytes | None = None, **said: Any) -> InboxRow:
    text = json.dumps(events or [GOOD]).encode() if body is None else body
    given = {"key": None, "app": "default", "claims": "", "refusals": "", "spans": False, "client_dropped": 0} | said
    return InboxRow(
        received_at=given.pop("received_at", clock.now()),
        n=given.pop("n", len(events) or 1),
        node="there:1",
        body=given.pop("stored", event_log.compress(text)),
        **given,
    )


def ids_of(rows: Iterable[LoggedBatch]) -> list[str | None]:
    return [event.request_id for logged in rows for event in _events(logged)]


def _events(logged: LoggedBatch) -> list[Event]:
    return decode_logged(logged.body, received_at=logged.received_at, app=logged.app, skip=logged.skip)


def test_what_waited_is_logged_in_order_as_it_was_taken(elected: Elected) -> None:
    elected.put(*[row({**GOOD, "request_id": f"r{i}"}, received_at=100.0 + i, app="shop") for i in range(300)])
    elected.start()

    assert elected.empties()

    found = elected.log()
    assert ids_of(found) == [f"r{i}" for i in range(300)]
    assert [logged.received_at for logged in found] == [100.0 + i for i in range(300)]
    assert [logged.offset for logged in found] == list(range(found[0].offset, found[0].offset + 300))
    assert {event.app for logged in found for event in _events(logged)} == {"shop"}
    assert until(lambda: elected.follower.tally.batches == 300, 5)
    assert elected.core.tally.events == 300


def test_a_row_that_is_committed_late_is_taken_late(elected: Elected) -> None:
    late = open_beside(elected.place)
    late.begin()
    inbox.put(late, [row({**GOOD, "request_id": "late"})])
    elected.start()
    elected.put(*[row({**GOOD, "request_id": f"r{i}"}) for i in range(10)])
    assert until(lambda: len(elected.log()) == 10, 10)

    late.commit()
    late.close()

    assert until(lambda: ids_of(elected.log())[-1] == "late", 10)
    assert len(elected.log()) == 11


def test_the_same_key_or_the_same_id_by_two_nodes_counts_once(elected: Elected) -> None:
    elected.start()
    named = {**GOOD, "event_id": "e1"}
    elected.put(row(GOOD, GOOD, key="k\0a"), row(GOOD, GOOD, key="k\0a"), row(named, GOOD), row(named))
    assert elected.empties()

    assert elected.post(GOOD, GOOD, key="k\0a") == '{"accepted":2,"rejected":[]}'
    elected.post(named)

    assert elected.core.tally.events == 4
    assert elected.core.tally.duplicates == 2


def test_a_re_post_to_the_elected_node_gets_the_answer_that_the_other_one_gave(elected: Elected) -> None:
    elected.start()
    elected.put(row(GOOD, key="k\0a", refusals='[{"index":1,"error":"model: missing: name it"}]'))
    assert elected.empties()

    said = elected.post(GOOD, {"status": 1}, key="k\0a")

    assert json.loads(said) == {"accepted": 1, "rejected": [{"index": 1, "error": "model: missing: name it"}]}


def test_a_span_that_another_node_took_is_no_second_call(elected: Elected) -> None:
    elected.start()
    elected.post({**GOOD, "request_id": "r1"})
    claims = known.to_text({0: (known.Asked("x"), known.request("r1"))})
    elected.put(row({**GOOD, "request_id": "r1"}, claims=claims, spans=True))
    assert elected.empties()

    assert until(lambda: elected.core.tally.duplicates == 1, 5)
    assert elected.core.tally.events == 1


@pytest.mark.parametrize(
    ("poison", "why"),
    [
        (row(body=b"?"), "not valid JSON"),
        (row(stored=b"no zstd"), "damaged"),
        (row()._replace(form=2), "a newer Claxon wrote it"),
        (row({"model": "m", "status": "what"}), "status"),
        (row(GOOD, {"status": 1}, n=2), "event 1"),
        (row(GOOD, claims="{", n=1), "malformed|truncated"),
        (row(GOOD, claims='{"0":[["new","x"]]}'), "no kind of name"),
        (row(GOOD, GOOD, refusals='[{"index":3,"error":"x"}]', n=3), "2 events, where 3"),
    ],
)
def test_what_nobody_can_read_is_moved_aside_and_shown_and_stops_nobody(
    elected: Elected, poison: InboxRow, why: str
) -> None:
    elected.put(row({**GOOD, "request_id": "a"}), poison, row({**GOOD, "request_id": "b"}))
    elected.start()
    assert elected.empties()

    assert ids_of(elected.log()) == ["a", "b"]
    assert inbox.poisoned(elected.node) == 1
    assert until(lambda: elected.intake.reasons["unreadable"] == 1, 5)
    (reject,) = elected.rejects.take()
    assert reject.door == "inbox"
    assert reject.address == "there:1"
    assert re.search(why, reject.error), reject.error


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF NEW.n > 0 AND NEW.app LIKE '{which}' THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON event_log FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def test_what_cannot_be_logged_is_moved_aside_once_others_are(
    elected: Elected, postgres: Postgres, database: str
) -> None:
    postgres.sql(REFUSE.format(which="bad", code="22000"), database)
    elected.put(*[row({**GOOD, "request_id": f"r{i}"}, app="bad" if i == 5 else "good") for i in range(30)])
    elected.start()

    assert elected.empties(30)

    assert sorted(map(str, ids_of(elected.log()))) == sorted(f"r{i}" for i in range(30) if i != 5)
    assert inbox.poisoned(elected.node) == 1


def test_a_full_disk_is_waited_for_and_nothing_is_moved_aside(
    elected: Elected, postgres: Postgres, database: str
) -> None:
    postgres.sql(REFUSE.format(which="%", code="53100"), database)
    elected.put(*[row({**GOOD, "request_id": f"r{i}"}) for i in range(100)])
    elected.start()
    assert until(lambda: elected.follower.tally.faults > 0, 10)
    assert elected.log() == []

    postgres.sql("DROP TRIGGER refuse ON event_log", database)

    assert elected.empties(30)
    assert sorted(map(str, ids_of(elected.log()))) == sorted(f"r{i}" for i in range(100))
    assert inbox.poisoned(elected.node) == 0


def test_where_nothing_at_all_can_be_logged_it_is_no_rows_fault(
    elected: Elected, postgres: Postgres, database: str
) -> None:
    postgres.sql(REFUSE.format(which="%", code="22000"), database)
    elected.put(*[row() for _ in range(5)])
    elected.start()
    assert until(lambda: elected.follower.tally.faults > 25, 30)

    assert inbox.poisoned(elected.node) == 0
    postgres.sql("DROP TRIGGER refuse ON event_log", database)
    assert elected.empties(30)
    assert len(elected.log()) == 5


def test_who_is_not_elected_any_more_takes_nothing(elected: Elected, postgres: Postgres, database: str) -> None:
    elected.start()
    elected.put(row())
    assert elected.empties()
    postgres.sql("UPDATE leader SET generation = generation + 1", database)

    elected.put(row(), row())

    assert until(lambda: not elected.follower.alive, 10)
    assert len(inbox.first_ids(elected.node, 9)) == 2
    assert len(elected.log()) == 1


def test_what_other_nodes_refused_is_shown_by_the_elected_one(elected: Elected) -> None:
    with Transaction(elected.node):
        inbox.put_rejects(elected.node, [(clock.now(), "shop", '{"reason":"no_model"}')])
    elected.start()

    def shown() -> list[Any]:
        return elected.node.execute("SELECT app, row FROM rejects").fetchall()

    assert until(shown, 10)
    assert shown() == [("shop", '{"reason":"no_model"}')]
    assert not inbox.has_rejects(elected.node)


def test_how_much_waits_is_known(elected: Elected) -> None:
    elected.start()
    assert until(lambda: elected.follower.tally.backlog == inbox.EMPTY, 5)
    sample = elected.follower.tally.sample(clock.now())

    assert (sample.batches, sample.age_s, sample.poison) == (0, 0.0, 0)
