"""Asks a Prometheus what a dashboard asks it, over 15 days and as Grafana would, and says how long each answer took."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

from tests.dashboards.queries import load_of_one_node, queries, with_values

DAY = 86_400
DAYS = 15

# What Grafana takes for 15 days on a panel of about a thousand pixels.
STEP_S = 1_200


class Answer(NamedTuple):
    """What was found.

    Attributes:
        where: The dashboard's file, the panel and the query's letter.
        seconds: From the request to the whole answer.
        points: How many numbers it has.
    """

    where: str
    seconds: float
    points: int


def ask_all(url: str, *, begin: float, end: float, scrape_s: int) -> Iterator[Answer]:
    """Yield the answer to each query of each dashboard; the time that is shown is all of it."""
    # As Grafana computes it.
    rate_interval = f"{max(STEP_S + scrape_s, 4 * scrape_s)}s"
    for file, board in load_of_one_node().items():
        for query in queries(board):
            expr = with_values(query.expr, rate_interval=rate_interval, range=f"{int(end - begin)}s")
            if query.instant:
                path, asked = "query", {"query": expr, "time": end}
            else:
                path, asked = "query_range", {"query": expr, "start": begin, "end": end, "step": STEP_S}
            yield _answer(f"{file}: {query.where}", f"{url}/api/v1/{path}", asked)


def _answer(where: str, url: str, asked: dict[str, str | float]) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    begin = time.perf_counter()
    with opener.open(url, data=urllib.parse.urlencode(asked).encode(), timeout=120) as answer:
        body = answer.read()
    seconds = time.perf_counter() - begin
    found = json.loads(body)["data"]["result"]
    return Answer(where, seconds, sum(len(one.get("values", [None])) for one in found))
