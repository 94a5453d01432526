"""What a node answers that is not elected: how it is, what its parts take, and who is elected to all else.

≠ what the elected one answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import cast

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response

from ..api.auth import require
from ..api.problems import Problem, install_problems, problem_response
from ..api.status import answer_ready
from ..keys.in_force import Keys
from ..metrics.catalog import OF_EVERY_NODE
from ..metrics.election import ElectionSample
from ..metrics.exposition import Family, of_process, of_sample, written
from ..metrics.sample import Sample
from .standing import Stage, Standing
from .switch import Receive, Scope, Send

METRICS = "/metrics"

AGAIN_S = 1
"""After so long it may be asked again."""


def create_standby(standing: Standing, keys: Keys, *, knows_keys: Callable[[], bool]) -> FastAPI:
    """Return the application of a node that is not elected, with what its parts add to it.

    Args:
        standing: The node's.
        keys: They let somebody read what is counted, unless a part has others.
        knows_keys: Whether those of the database are among them by now.
    """
    app = FastAPI(title="Claxon: a node that is not elected", docs_url=None, redoc_url=None, openapi_url=None)
    install_problems(app)

    @app.get("/-/healthy")
    @app.head("/-/healthy")
    async def healthy() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/-/ready")
    @app.head("/-/ready")
    async def ready() -> Response:
        return answer_ready(standing.by_role())

    app.state.keys = keys
    for part in standing.parts:
        part.install(app)

    async def once_keys_are_known() -> None:
        if not knows_keys():
            raise Problem(503, "keys: not read yet: ask again", headers={"Retry-After": str(AGAIN_S)})

    @app.get(METRICS, dependencies=[Depends(once_keys_are_known), Depends(require("read"))])
    async def metrics(request: Request) -> Response:
        counted = chain(_of_every_node(), *(part.families() for part in standing.parts), of_process())
        body, kind = written(counted, request.headers.get("accept", ""))
        return Response(body, media_type=kind)

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        await problem_response(not_elected(standing))(scope, receive, send)

    # What no route answers, whenever that was added; nor by that method, as where events are posted, and asked for.
    app.router.default = elsewhere

    @app.exception_handler(405)
    async def by_another_method(_: Request, __: Exception) -> Response:
        return problem_response(not_elected(standing))

    return app


@dataclass(frozen=True, slots=True)
class _NodeSample:
    """Of a `Sample`, what a node has that is not elected, whatever its roles are."""

    election: ElectionSample


def _of_every_node() -> Iterator[Family]:
    # They read nothing else of a sample.
    return of_sample(cast("Sample", _NodeSample(ElectionSample(elected=False))), OF_EVERY_NODE)


def not_elected(standing: Standing) -> Problem:
    """Return the answer to what only the elected node answers."""
    elected = standing.elected
    if standing.stage is Stage.STARTING:
        said = "this node was just elected, and reads what was before: ask again"
    elif standing.why:
        # Anybody may ask, and what a server said names users and hosts.
        said = "database: out of reach: /-/ready and the log of this node say why: ask again"
    elif elected:
        said = f"this node is not elected: ask {elected}"
    else:
        said = "this node is not elected, and nobody is: ask again"
    return Problem(503, said, headers={"Retry-After": str(AGAIN_S)}, more={"elected": elected or None})
