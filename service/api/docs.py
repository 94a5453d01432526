"""GET /docs: the API's operations, from the app's own OpenAPI document. Nothing is loaded from elsewhere.

≠ what the document says.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..pages.operations import operations
from .html import READS, html

router = APIRouter(include_in_schema=False)


@router.api_route("/docs", methods=READS)
async def get_docs(request: Request) -> Response:
    """Answer the operations of the API as a page."""
    document = request.app.openapi()
    # Without a key nobody is told how many alerts fire.
    return await html("docs.html", lambda: {"firing": "?", "groups": operations(document)}, root="./")
