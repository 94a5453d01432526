"""Write dashboards/*.json and prometheus-rules.yml from their code: `python -m dashboards.build`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import prometheus_rules
from .budget import error_budget
from .errors import errors_and_retries
from .frame import SCHEMA_VERSION
from .house import claxon_itself
from .limits import limits_tokens_and_cost
from .nodes import several_nodes
from .overview import overview

FOLDER = Path(__file__).parent

DASHBOARDS = {
    "overview.json": overview,
    "errors.json": errors_and_retries,
    "budget.json": error_budget,
    "limits.json": limits_tokens_and_cost,
    "claxon.json": claxon_itself,
    "nodes.json": several_nodes,
}


def render(name: str) -> str:
    """Return the file of a dashboard."""
    board = json.loads(json.dumps(DASHBOARDS[name]().build(), cls=JSONEncoder))
    return json.dumps(_as_published(board), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _as_published(board: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard as the schemas of Grafana 11 to 13 have it; the SDK writes that of Grafana 10.1."""
    board["schemaVersion"] = SCHEMA_VERSION
    del board["style"]
    for variable in board["templating"]["list"]:
        for name in ("id", "auto", "auto_count", "auto_min"):
            variable.pop(name, None)
    for panel in board["panels"]:
        if panel["type"] == "stat":
            panel["options"] |= {"showPercentChange": False, "wideLayout": True}
        if panel["type"] == "table":
            del panel["options"]["footer"]
    return board


def main() -> None:
    """Write every file."""
    for name in DASHBOARDS:
        (FOLDER / name).write_text(render(name), encoding="utf-8")
    (FOLDER / prometheus_rules.FILE).write_text(prometheus_rules.render(), encoding="utf-8")


if __name__ == "__main__":
    main()
