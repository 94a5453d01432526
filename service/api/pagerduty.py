"""POST /v1/pagerduty/{receiver}: PagerDuty says that somebody acknowledged there.

≠ PagerDuty's format and signature, what becomes of it.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from .problems import Problem, refuses

router = APIRouter(tags=["receivers"])

_MAX_BODY = 262_144
_PROBLEMS = {
    "unknown receiver": (404, "not a receiver with a pagerduty_configs entry that has webhook_secret: add it there"),
    "unsigned": (401, "the signature is missing or wrong: set webhook_secret to that of the webhook subscription"),
    "unreadable": (400, "not a message of PagerDuty's webhooks v3: subscribe with version 3"),
}


@router.post(
    "/v1/pagerduty/{receiver}",
    status_code=202,
    summary="PagerDuty's webhook v3: acknowledgements come back",
    responses=refuses(
        {400: "it is no message of PagerDuty's webhooks v3", 401: "its signature is missing or wrong"}
        | {404: "there is no such receiver with a `webhook_secret`", 413: "it is too large"}
    ),
)
async def post_webhook(request: Request, receiver: str) -> Response:
    """Answer 202 within 5 s; it needs no key but PagerDuty's signature. A message that comes again changes nothing."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise Problem(413, f"body: over {_MAX_BODY} bytes: no message of PagerDuty is as long")
    signature = request.headers.get("x-pagerduty-signature", "")
    outcome = await request.app.state.service.pagerduty.take(receiver, bytes(body), signature=signature)
    if (problem := _PROBLEMS.get(outcome.value)) is not None:
        raise Problem(problem[0], f"pagerduty: {receiver[:40]}: {problem[1]}")
    return Response(status_code=202)
