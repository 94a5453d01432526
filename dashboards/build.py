"""Write dashboards/*.json from their code: `python -m dashboards.build`."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from .overview import overview

FOLDER = Path(__file__).parent

DASHBOARDS = {"overview.json": overview}


def render(name: str) -> str:
    """Return the file of a dashboard."""
    board = DASHBOARDS[name]().build()
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every file."""
    for name in DASHBOARDS:
        (FOLDER / name).write_text(render(name), encoding="utf-8")


if __name__ == "__main__":
    main()
