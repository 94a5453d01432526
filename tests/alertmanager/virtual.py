"""Plays a timetable to the notifier alone, with the time as an argument: no process, no socket, no noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from alerts import silences
from alerts.config import parse_config
from alerts.notification import Notification, Status
from alerts.notifier import Notifier
from alerts.policy import policy_of
from alerts.received import Posted as Received
from alerts.silences import SilenceMatcher
from service.receivers.webhook import payload

from .configuration import configuration, receiver_name
from .outcome import Outcome, message
from .timetable import LABEL, Answer, Ask, Expire, Post, Silence, Timetable

STEP_S = 0.1
START = 1_750_000_000.0


def is_virtual(timetable: Timetable) -> bool:
    """Whether the notifier alone decides what comes of a timetable: no receiver fails, no process ends, no HTTP."""
    return timetable.process == "steady" and not any(isinstance(step, Answer | Ask) for step in timetable.steps)


def play_virtually(timetable: Timetable) -> Outcome:
    """Return what comes of a timetable; what it looks at is left out."""
    config, problems = parse_config(
        yaml.safe_load(configuration([timetable], url="http://x")), kinds=("webhook_configs",)
    )
    assert problems == []
    notifier = Notifier(policy=policy_of(config, lanes=_lanes(timetable)))
    outcome = Outcome()
    steps = list(timetable.steps)
    for i in range(round(timetable.seconds / STEP_S) + 1):
        at = i * STEP_S
        while steps and steps[0].at <= at:
            _tell(timetable, outcome, _do(notifier, timetable, steps.pop(0)))
        _tell(timetable, outcome, notifier.tick(START + at, {}, _nobody)[0])
    return outcome


def _lanes(timetable: Timetable) -> dict[str, tuple[bool, ...]]:
    wants = {
        receiver_name(timetable.name, name): {one.get("send_resolved", True) for one in webhooks}
        for name, webhooks in timetable.webhooks.items()
    }
    return {name: tuple(sorted(kinds, reverse=True)) for name, kinds in wants.items() if False in kinds}


def _do(notifier: Notifier, timetable: Timetable, step: Any) -> list[Notification]:
    now = START + step.at
    match step:
        case Post():
            (told, _), _ = notifier.post(_received(timetable, step), now, {}, _nobody)
        case Silence():
            told = _silence(notifier, timetable, step, now)
        case Expire():
            old = notifier.state.silences[step.name]
            told = notifier.silence(silences.expired(old, now=now), now, {}, _nobody)[0]
        case _:
            told = []
    return told


def _silence(notifier: Notifier, timetable: Timetable, step: Silence, now: float) -> list[Notification]:
    matchers = [
        SilenceMatcher(name=name, value=value, is_regex=operator.endswith("~"), is_equal=not operator.startswith("!"))
        for name, operator, value in (*step.matchers, (LABEL, "=", timetable.name))
    ]
    wanted = silences.Silence(
        id=step.name,
        matchers=matchers,
        starts_at=START + step.starts,
        ends_at=START + step.ends,
        updated_at=now,
        created_by="ada",
        comment=step.name,
    )
    old = notifier.state.silences.get(step.name)
    if old is None or (changed := silences.changed(old, wanted, now=now)) is not None:
        return notifier.silence(wanted if old is None else changed, now, {}, _nobody)[0]
    ended = silences.expired(old, now=now)
    ended.id = f"{step.name}, as it was"
    told = notifier.silence(ended, now, {}, _nobody)[0]
    return told + notifier.silence(wanted, now, {}, _nobody)[0]


def _received(timetable: Timetable, step: Post) -> list[Received]:
    return [
        Received(
            labels={**one.labels, LABEL: timetable.name} if one.labels else {},
            annotations=dict(one.annotations),
            starts_at=None if one.starts is None else START + one.starts,
            ends_at=None if one.ends is None else START + one.ends,
            generator_url=one.generator,
        )
        for one in step.alerts
    ]


def _tell(timetable: Timetable, outcome: Outcome, told: Iterable[Notification]) -> None:
    for notification in told:
        name = notification.receiver.removeprefix(f"{timetable.name}-")
        for i, webhook in enumerate(timetable.webhooks[name]):
            if _goes_to(notification, webhook):
                outcome.messages.append(
                    message(
                        payload(notification, max_alerts=webhook.get("max_alerts", 0)),
                        at=notification.at,
                        start=START,
                        timetable=timetable.name,
                        webhook=f"{name}[{i}]" if i else name,
                    )
                )


def _goes_to(notification: Notification, webhook: Mapping[str, Any]) -> bool:
    wants_ends = webhook.get("send_resolved", True)
    return notification.send_resolved in (None, wants_ends) and (wants_ends or notification.status is Status.FIRING)


def _nobody(_fingerprint: str) -> None:
    """Return no alert: none of them is a rule's."""
