"""Metrics."""

from __future__ import annotations

from typing import Any


class Metrics:
    """All claxon_* metrics."""

    def __init__(self, core: Any, deliverer: Any, intake: Any, scheduler: Any) -> None:
        self.core = core

    def sample(self) -> dict[str, int]:
        """Collect."""
        return {}

    def render(self, sample: dict[str, int]) -> tuple[bytes, str]:
        """Render."""
        return b"", "text/plain"
