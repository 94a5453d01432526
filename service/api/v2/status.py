"""GET /api/v2/status: which version this is, since when it runs, and its configuration without secrets.

≠ how the configuration is read.
"""

from __future__ import annotations

import asyncio

import msgspec
from claxon import __version__
from fastapi import APIRouter, Depends, Request, Response

from ...shown_config import shown_config
from ..auth import require
from .answers import V2Route, answer
from .sent import moment

router = APIRouter(route_class=V2Route)

SPOKEN = "0.34.0"
"""The Alertmanager whose API this is: clients choose by it how they ask."""


@router.get("/status", dependencies=[Depends(require("read"))], summary="Version, uptime and configuration")
async def get_status(request: Request) -> Response:
    """Answer {cluster, versionInfo, config, uptime}; secrets of the configuration are left out."""
    service = request.app.state.service
    written = await asyncio.to_thread(shown_config, service.configuration.loaded.written)
    said = {
        "cluster": {"status": "disabled", "peers": []},
        "versionInfo": {
            "version": f"{SPOKEN}+claxon.{__version__}",
            "revision": "",
            "branch": "claxon",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        },
        "config": {"original": written},
        "uptime": moment(service.started_at),
    }
    return answer(msgspec.json.encode(said))
