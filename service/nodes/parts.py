"""Which parts a node has, by its roles.

≠ what they do.
"""

from __future__ import annotations

from alerts.config import KeyConfig

from ..config_file import Loaded
from ..intake import Intake
from ..roles import Role
from ..settings import Settings
from .deliver import DeliverPart
from .evaluate import EvaluatePart
from .ingest import IngestPart
from .part import Part


def parts_of(settings: Settings, loaded: Loaded, keys: tuple[KeyConfig, ...], intake: Intake) -> list[Part]:
    """Return what a node does beside standing for election; who is elected does all else.

    Args:
        settings: Of this run.
        loaded: The configuration.
        keys: Those of the environment.
        intake: Counts what comes in.
    """
    parts: list[Part] = []
    keys = (*keys, *loaded.config.keys)
    if Role.INGEST in settings.roles:
        parts.append(IngestPart(settings, keys, intake))
    if Role.EVALUATE in settings.roles and settings.log is not None:
        parts.append(EvaluatePart(settings, settings.log))
    if Role.DELIVER in settings.roles:
        parts.append(DeliverPart(settings, loaded))
    return parts
