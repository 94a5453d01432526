"""The pages about rules: GET /history, /rules, a trial of one at /rules/{id}, and /budgets.

≠ what a page shows, HTML.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request, Response

from alerts.conditions import Own
from alerts.rules import Rule

from .. import history, nearness, spending
from ..nearness import NearMisses
from ..pages import budgets as budgets_page
from ..pages import gather, trying
from ..pages import history as history_page
from ..pages import rules as rules_page
from ..readers import NotReadError
from ..trial import BusyError, NotTriedError, Trial
from .auth import require
from .html import READS, Busy, ask_in_time, busy, html, said

if TYPE_CHECKING:
    from ..app import Service

router = APIRouter(include_in_schema=False)

LOOK_AT = 500
"""Of each rule's near misses on the list."""

LOOK_AT_ONE = 5000
"""On the rule's own page."""

NEAREST = 10
_DAY_S = 86_400.0

_read_key = Depends(require("read"))


@router.api_route("/history", methods=READS, dependencies=[_read_key])
async def get_history(request: Request) -> Response:
    """Answer what fired as the form of the page asks; what cannot be understood is said, and left out."""
    service: Service = request.app.state.service
    clock = service.clock()
    asked = history_page.read(request.query_params, now=clock)
    core = service.core
    try:
        firing, posted, rules = await ask_in_time(
            request, lambda: (gather.firing(core), service.views.posted(), dict(core.engine.rules))
        )
    except Busy:
        return await busy(root="./")
    look = partial(
        history.read,
        sought=asked.sought,
        posted=posted,
        rules=rules,
        now=clock,
        limit=history_page.ROWS,
        before=asked.before,
    )
    found, fault = None, ""
    try:
        found = await service.readers.ask(look)
    except NotReadError as why:
        fault = str(why)
    context = partial(history_page.context, found, asked, firing=firing, clock=clock, fault=fault)
    return await html("history.html", context, root="./", status=503 if fault else 200)


@router.api_route("/rules", methods=READS, dependencies=[_read_key])
async def get_rules(request: Request) -> Response:
    """Answer the rules: how each does, and how near it is and came."""
    service: Service = request.app.state.service
    clock = service.clock()

    async def find() -> tuple[rules_page.Found, dict[str, NearMisses], str]:
        found = await ask_in_time(request, partial(rules_page.gathered, service.core, service.views))
        try:
            return found, await _misses(service, found.rules, clock, look_at=LOOK_AT, most=1), ""
        except NotReadError as why:
            return found, {}, str(why)

    try:
        found, misses, fault = await service.shared.ask(("rules", int(clock)), find)
    except Busy:
        return await busy(root="./")
    return await html("rules.html", partial(rules_page.context, found, misses, clock=clock, fault=fault), root="./")


async def _misses(
    service: Service, rules: dict[str, Rule], clock: float, *, look_at: int, most: int
) -> dict[str, NearMisses]:
    given = {name: rule for name, rule in rules.items() if not isinstance(rule.condition, Own)}
    return await service.readers.ask(partial(nearness.week, rules=given, now=clock, look_at=look_at, most=most))


@router.api_route("/rules/{named:path}", methods=READS, dependencies=[_read_key])
async def get_rule(request: Request, named: str) -> Response:
    """Answer one rule's page; where its form asks for other numbers, what they would have made of the last days."""
    service: Service = request.app.state.service
    clock, root = service.clock(), _root(request)
    try:
        found = await ask_in_time(request, partial(_one, service, named))
    except Busy:
        return await busy(root=root)
    rule = rules_page.find(found.rules, named)
    if rule is None:
        return await _no_such_rule(named, root=root, firing=found.firing)
    view = next(view for view in found.views if view.id == rule.id)
    misses, missing = None, ""
    try:
        misses = (await _misses(service, {rule.id: rule}, clock, look_at=LOOK_AT_ONE, most=NEAREST)).get(rule.id)
    except NotReadError as why:
        missing = str(why)
    asked = trying.read(rule, request.query_params)
    trial, fault = await _tried(service, asked, found.rules, clock)
    context = partial(
        rules_page.rule_context, found, view, misses, asked, clock=clock, trial=trial, fault=fault, missing=missing
    )
    return await html("rule.html", context, root=root, status=503 if fault else 200)


def _one(service: Service, named: str) -> rules_page.Found:
    rule = rules_page.find(service.core.engine.rules, named)
    return rules_page.gathered(service.core, service.views, only=rule.id if rule is not None else "")


def _root(request: Request) -> str:
    """Return the way from a rule's page to "/": its id has slashes of its own, which may or may not be encoded."""
    path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    below = path.partition(b"?")[0].partition(b"/rules/")[2]
    return "../" * (below.count(b"/") + 1)


async def _no_such_rule(named: str, *, root: str, firing: int) -> Response:
    return await said(
        heading="No such rule",
        quoted=named[:120],
        detail="None of that id or hash is in force. Look at all rules; the history tells of those that are gone.",
        firing=firing,
        status=404,
        root=root,
    )


async def _tried(
    service: Service, asked: trying.Asked, rules: dict[str, Rule], clock: float
) -> tuple[Trial | None, str]:
    """Return what came of what is asked for, and why nothing did."""
    if asked.changed is None:
        return None, ""
    run = partial(
        service.trials.run,
        asked.changed,
        rules=[rule for rule in rules.values() if not isinstance(rule.condition, Own)],
        config=service.configuration.loaded.config,
        since=clock - asked.days * _DAY_S,
        until=clock,
    )
    try:
        return await asyncio.to_thread(run), ""
    except BusyError:
        return None, "Somebody tries numbers just now, and one trial runs at a time: try again in a few seconds."
    except NotTriedError as why:
        return None, str(why)


@router.api_route("/budgets", methods=READS, dependencies=[_read_key])
async def get_budgets(request: Request) -> Response:
    """Answer the error budgets, those that are spent most first."""
    service: Service = request.app.state.service
    clock = service.clock()
    asked = budgets_page.read(request.query_params)

    async def find() -> budgets_page.Found:
        found: budgets_page.Found = await ask_in_time(
            request, partial(budgets_page.gathered, service.core, service.views)
        )
        return found

    try:
        found = await service.shared.ask(("budgets", int(clock)), find)
    except Busy:
        return await busy(root="./")
    ones = await asyncio.to_thread(budgets_page.chosen, found, asked)
    apps = [one.app for one in ones[: budgets_page.MOST] if one.app is not None]
    months, fault = {}, ""
    try:
        look = partial(spending.month, apps=apps, present=found.totals, now=clock)
        months = await service.readers.ask(look) if apps else {}
    except NotReadError as why:
        fault = str(why)
    context = partial(budgets_page.context, found, ones, months, asked, clock=clock, fault=fault)
    return await html("budgets.html", context, root="./")
