"""Which parts a node has, by its roles.

≠ what they do.
"""

from __future__ import annotations

from ..config_file import Loaded
from ..intake import Intake
from ..settings import Settings
from .part import Part


def parts_of(settings: Settings, loaded: Loaded, intake: Intake) -> list[Part]:  # noqa: ARG001 — what parts are made of
    """Return what a node does beside standing for election; who is elected does all else."""
    return []
