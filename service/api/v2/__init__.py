"""Alertmanager's API, version 2: what its clients ask, over the notifier's own alerts and silences.

≠ SQL, receivers.
"""

from __future__ import annotations

from fastapi import APIRouter

from . import alerts, silences, status, webhook

router = APIRouter(prefix="/api/v2", tags=["Alertmanager's API v2"])
for _part in (alerts, silences, status, webhook):
    router.include_router(_part.router)
