"""All that Claxon answers, it answers on PostgreSQL as on SQLite: each example of the API, and each page."""

from __future__ import annotations

import base64
import contextlib
import html
import re
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urljoin

import pytest
from structlog.testing import capture_logs

from docs.api_examples import EXAMPLES, KEYS, Operation, Site, observe
from service.storage.places import PostgresUrl
from tests.support.nodes import Node
from tests.support.pager import Pager
from tests.support.postgres import Postgres

pytestmark = pytest.mark.peer("postgres")

ENGINES = ("sqlite", "postgres")
FAULTS = re.compile(r"fault|fail|lost|diverged|error$")
ADMIN = {"Authorization": "Basic " + base64.b64encode(b"me:" + KEYS["admin"].encode()).decode()}
MOST_PAGES = 80


class World:
    """What was seen of a service on one engine.

    Attributes:
        seen: What became of each example.
        pages: The status of each page that a link led to.
        logs: What the service logged meanwhile.
    """

    def __init__(self, site: Site) -> None:
        self.seen = observe(site)
        self.pages: dict[str, int] = {}
        waiting = ["/", "/rules"]
        while waiting and len(self.pages) < MOST_PAGES:
            path = waiting.pop(0)
            if path in self.pages:
                continue
            self.pages[path], text, _ = site.running.request("GET", path, None, ADMIN)
            links = (urljoin(path, link) for link in re.findall(r'href="([^"#]*)', html.unescape(str(text))))
            waiting += [link for link in links if link.startswith("/") and not link.startswith(("//", "/static/"))]
        self.logs: list[MutableMapping[str, Any]] = []


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> dict[str, World]:
    found = {}
    url = postgres.url(postgres.create_database())
    places = {"sqlite": None, "postgres": PostgresUrl(url)}
    for engine, place in places.items():
        folder = tmp_path_factory.mktemp(engine)
        with Pager() as pager, capture_logs() as logs, contextlib.ExitStack() as stack:
            site = Site(folder, pager, data=place)
            stack.enter_context(site.running)
            if place is not None:
                # On a database that nodes share the service alone sends nothing.
                config = (folder / "claxon.yml").read_text("utf-8")
                stack.enter_context(Node(folder, url, config=config, arguments=["--role", "deliver"]))
            found[engine] = World(site)
        found[engine].logs = logs
    return found


def form_of(value: Any) -> Any:
    """What is in an answer, without the values: the names of objects, and the kinds of all else."""
    if isinstance(value, dict):
        return {name: form_of(one) for name, one in value.items()}
    if isinstance(value, list):
        return sorted({repr(form_of(one)) for one in value})
    # Some numbers are there only once a service has run for a while.
    is_number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    return "number, or none yet" if is_number else type(value).__name__


@pytest.mark.parametrize("key", [key for key in EXAMPLES if key != ("get", "/metrics")], ids=" ".join)
def test_each_example_is_answered_in_the_same_form_on_both_engines(worlds: dict[str, World], key: Operation) -> None:
    sqlite, postgres = (worlds[engine].seen[key] for engine in ENGINES)
    assert 200 <= postgres.status < 300, postgres
    assert postgres.status == sqlite.status
    assert form_of(postgres.answer) == form_of(sqlite.answer)


def test_every_page_that_a_link_leads_to_is_there(worlds: dict[str, World]) -> None:
    # Of an alert that was posted once there is a link, and no page.
    kinds = [
        {(re.sub(r"[?].*|[0-9a-f]{16}", "", path), status) for path, status in worlds[engine].pages.items()}
        for engine in ENGINES
    ]
    assert kinds[0] == kinds[1]
    assert {path for path, status in kinds[1] if status != 200} <= {"/alerts/"}
    assert len({path for path, status in kinds[1] if status == 200}) > 8


def test_nothing_is_amiss_in_the_log(worlds: dict[str, World]) -> None:
    events = [entry["event"] for entry in worlds["postgres"].logs]
    assert "service.started" in events
    assert "service.stopped" in events
    assert [event for event in events if FAULTS.search(event)] == []
