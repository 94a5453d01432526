"""A re-post is left out by its event_id, and changes nothing of what is decided."""

from __future__ import annotations

import random
from collections.abc import Iterator
from sqlite3 import Connection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from service.storage.claims import claim
from service.storage.database import open_database
from tests.support.events import NOON, success
from tests.support.oracle import Moment, engine_changes
from tests.support.random_logs import FEW, any_logs, delivered_again


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    opened = open_database(tmp_path_factory.mktemp("reposts"))
    yield opened
    opened.close()


def _taken(connection: Connection, log: list[Moment]) -> list[Moment]:
    """The log as the core takes it into the engine."""
    return [
        moment._replace(events=[e for e in moment.events if claim(connection, [f"{e.app}\0{e.event_id}"], moment.now)])
        for moment in log
    ]


@given(log=any_logs, seed=st.integers(0, 2**32))
@settings(FEW, suppress_health_check=[*FEW.suppress_health_check, HealthCheck.function_scoped_fixture])
def test_events_that_are_posted_again_change_nothing(connection: Connection, log: list[Moment], seed: int) -> None:
    connection.execute("DELETE FROM event_ids")
    again = delivered_again(log, random.Random(seed))

    taken = _taken(connection, again)

    assert sum(len(m.events) for m in again) >= sum(len(m.events) for m in taken) == sum(len(m.events) for m in log)
    assert engine_changes(Engine(DEFAULT_RULES), taken) == engine_changes(Engine(DEFAULT_RULES), log)


def test_the_same_id_of_another_app_is_another_event(connection: Connection) -> None:
    connection.execute("DELETE FROM event_ids")
    log = [Moment(NOON, [success(NOON, app=app, event_id="1") for app in ("a", "b", "a")])]

    (taken,) = _taken(connection, log)

    assert [event.app for event in taken.events] == ["a", "b"]
