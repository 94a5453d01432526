"""Posted alerts: checked one by one, and the good ones taken.

≠ the bytes they came in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi import Request

from alerts import received
from alerts.errors import AlertError
from alerts.received import Posted

from ...storage.errors import DatabaseError
from ..alerts import ask
from ..problems import Problem
from .forms import PostableAlert
from .sent import seconds

MAX_ALERTS = 10_000
"""Alerts of one request."""

MAX_TEXT = 64 * 1024
"""Characters of the labels and annotations of one alert."""

MAX_LABELS = 256
"""Labels, and annotations, of one alert."""

_SAID = 20  # faults that are told one by one
_URL = re.compile(r"(?:https?://|/)[^\s\x00-\x1f\x7f]*", re.IGNORECASE)


@dataclass(slots=True)
class Taking:
    """What a request holds.

    Attributes:
        posted: The alerts that may be taken, each with its place in the request.
        problems: Why others may not be, each with its place.
    """

    posted: list[tuple[int, Posted]] = field(default_factory=list)
    problems: list[tuple[int, Problem]] = field(default_factory=list)

    def add(self, index: int, alert: PostableAlert) -> None:
        """Take an alert, or note why it cannot be."""
        try:
            self.posted.append((index, as_posted(alert)))
        except Problem as fault:
            self.refuse(index, fault)

    def refuse(self, index: int, fault: Problem) -> None:
        """Note why an alert cannot be taken."""
        self.problems.append((index, fault))


def check_number(found: int) -> None:
    """Refuse more alerts than one request may hold.

    Raises:
        Problem: There are more.
    """
    if found > MAX_ALERTS:
        raise Problem(413, f"body: {found} alerts: at most {MAX_ALERTS}: send several requests")


def as_posted(alert: PostableAlert) -> Posted:
    """Return an alert as the notifier takes it.

    Raises:
        Problem: It is too large, or its generatorURL is none.
    """
    annotations = alert.annotations or {}
    if max(len(alert.labels), len(annotations)) > MAX_LABELS:
        raise Problem(400, f"labels: over {MAX_LABELS} of them, or of annotations: leave some out")
    size = sum(len(name) + len(value) for texts in (alert.labels, annotations) for name, value in texts.items())
    if size > MAX_TEXT:
        raise Problem(400, f"labels: {size} characters with the annotations: at most {MAX_TEXT}")
    url = alert.generator_url or ""
    if len(url) > MAX_TEXT or (url and _URL.fullmatch(url) is None):
        raise Problem(422, f"generatorURL: {url[:100]!r}: write an http or https URL, or leave it out")
    return Posted(
        labels=alert.labels,
        annotations=annotations,
        starts_at=seconds(alert.starts_at),
        ends_at=seconds(alert.ends_at),
        generator_url=url,
    )


async def take(request: Request, taking: Taking) -> None:
    """Have the good alerts taken; they are on disk when this returns.

    Raises:
        Problem: Some were not good, and the text says which and why; or they could not be written.
    """
    service = request.app.state.service

    def post() -> None:
        good = _checked(taking, now=service.dispatch.now, timeout=service.core.notifier.policy.resolve_timeout_s)
        if good:
            # What the notifier alone can know of them has no place in the request.
            taking.problems += [(MAX_ALERTS, Problem(400, said)) for said in service.dispatch.post(good)]

    try:
        await ask(request, post)
    except DatabaseError as fault:
        raise Problem(500, f"database: cannot be written: {fault}: free some space and send again") from fault
    if taking.problems:
        raise _joined(taking.problems)


def _checked(taking: Taking, *, now: float, timeout: float) -> list[Posted]:
    good: list[Posted] = []
    for index, posted in taking.posted:
        try:
            received.take(posted, now=now, resolve_timeout_s=timeout)
        except AlertError as fault:
            taking.refuse(index, Problem(400, str(fault)))
            continue
        good.append(posted)
    return good


def _joined(problems: Iterable[tuple[int, Problem]]) -> Problem:
    """Return all problems as one: 400 if any is, for those are the ones that Alertmanager finds by itself."""
    ordered = sorted(problems, key=lambda one: one[0])
    said = [
        f"alerts[{index}].{fault.detail}" if index < MAX_ALERTS else fault.detail for index, fault in ordered[:_SAID]
    ]
    if len(ordered) > _SAID:
        said.append(f"and {len(ordered) - _SAID} more; the others were taken")
    return Problem(min(fault.status for _, fault in ordered), "\n".join(said))
