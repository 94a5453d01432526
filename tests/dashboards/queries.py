"""What a dashboard asks of Prometheus: the queries of its panels, annotations and variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"

_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)")

RANGE = "1m"
"""What `$__range` is, the time that is shown."""


class Query(NamedTuple):
    """One query.

    Attributes:
        where: The dashboard's file, the panel's title and the query's letter.
        expr: PromQL with the dashboard's variables in it.
        instant: Whether it asks for now only.
    """

    where: str
    expr: str
    instant: bool


class Values(NamedTuple):
    """What fills a variable: the values of a label on some series."""

    variable: str
    series: str
    label: str


def load(name: str) -> dict[str, Any]:
    """Return a dashboard as it is committed."""
    board: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return board


def load_all() -> dict[str, dict[str, Any]]:
    """Return all dashboards as they are committed, by file."""
    return {path.name: load(path.name) for path in sorted(FOLDER.glob("*.json"))}


def load_of_one_node() -> dict[str, dict[str, Any]]:
    """Return those that have data where there is one node; of several: tests/nodes/kafka/test_dashboard.py."""
    return {name: board for name, board in load_all().items() if name != "nodes.json"}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels, without the rows' titles."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: dict[str, Any]) -> Iterator[Query]:
    """Yield the queries of all panels and annotations."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield Query(f"{panel['title']} {target['refId']}", target["expr"], bool(target["instant"]))
    for annotation in board["annotations"]["list"]:
        yield Query(f"annotation {annotation['name']}", annotation["expr"], False)


def variables(board: dict[str, Any]) -> Iterator[Values]:
    """Yield what fills the variables that ask."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = _VALUES.fullmatch(variable["query"]["query"])
            assert found is not None, variable["query"]
            yield Values(variable["name"], found[1], found[2])


def with_values(expr: str, *, rate_interval: str, **values: str) -> str:
    """Return PromQL with the variables filled in as Grafana does; All (`.*`) where nothing is given."""
    filled = expr.replace("$__rate_interval", rate_interval).replace("$__range", values.get("range", RANGE))
    for name in ("app", "environment", "model"):
        filled = re.sub(rf"\${name}\b", values.get(name, ".*").replace("\\", r"\\"), filled)
    assert "$" not in filled, filled
    return filled
