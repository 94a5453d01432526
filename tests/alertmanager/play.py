"""Plays timetables: all of them at once, to each subject at the same instants."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

from .configuration import configuration
from .outcome import CLAXONS_OWN, Outcome, message
from .recorder import Recorder
from .subjects import KINDS, Subject
from .timetable import LABEL, Answer, Ask, Expire, Look, Post, Posted, Silence, Step, Timetable

RESTART_AT_S = 4.0
"""When the process "restarted" is ended and started again, and "reloaded" reads its file anew."""

STAGGER_S = 0.08
PATIENCE_S = 3.0


@dataclass(slots=True)
class _Play:
    """One timetable at one subject."""

    timetable: Timetable
    subject: Subject
    recorder: Recorder
    prefix: str
    start: float
    outcome: Outcome = field(default_factory=Outcome)
    silences: dict[str, str] = field(default_factory=dict)  # the newest id by name
    names: dict[str, str] = field(default_factory=dict)  # the name by id

    def run(self) -> None:
        """Do each step at its instant, wait for the end, and gather what was told."""
        try:
            for step in self.timetable.steps:
                _sleep_until(self.start + step.at)
                self._do(step)
        except (OSError, HTTPException) as fault:
            self.outcome.fault = f"{self.subject.url}: {fault!r}"
        _sleep_until(self.start + self.timetable.seconds)
        self.gather()

    def gather(self) -> None:
        """Put what the receivers were told into the outcome."""
        for name, webhooks in self.timetable.webhooks.items():
            for i in range(len(webhooks)):
                for told in list(self.recorder.told.get(f"{self.prefix}/{urllib.parse.quote(name)}/{i}", ())):
                    if told.arrived_at > self.start + self.timetable.seconds:
                        break
                    if not 200 <= told.status < 300:
                        self.outcome.refused += 1
                        continue
                    self.outcome.messages.append(
                        message(
                            told.body,
                            at=told.arrived_at,
                            start=self.start,
                            timetable=self.timetable.name,
                            webhook=f"{name}[{i}]" if i else name,
                        )
                    )
        self.outcome.messages.sort(key=lambda one: one.at)

    def _do(self, step: Step) -> None:
        match step:
            case Post():
                self._ask("POST", "/api/v2/alerts", [self._alert(one) for one in step.alerts])
            case Silence():
                self._silence(step)
            case Expire():
                self._ask("DELETE", f"/api/v2/silence/{self.silences[step.name]}")
            case Answer():
                self.recorder.answer(f"{self.prefix}/{step.receiver}/", step.status, step.headers)
            case Look():
                self.outcome.seen.append(self._seen(self._ask("GET", f"/api/v2/{self._query(step.query)}")))
            case Ask():
                status, _, _ = self.subject.request(step.method, self._query(step.path), step.body.encode(), _JSON)
                self.outcome.answers.append(status)

    def _query(self, text: str) -> str:
        text = text.replace("{tt}", urllib.parse.quote(f'{LABEL}="{self.timetable.name}"'))
        for name, identity in self.silences.items():
            text = text.replace("{" + name + "}", identity)
        return text

    def _silence(self, step: Silence) -> None:
        own = {"name": LABEL, "value": self.timetable.name, "isRegex": False, "isEqual": True}
        body = {
            "matchers": [*map(_matcher, step.matchers), own],
            "startsAt": self._instant(step.starts),
            "endsAt": self._instant(step.ends),
            "createdBy": "ada",
            "comment": step.name,
        }
        if step.name in self.silences:
            body["id"] = self.silences[step.name]
        answer = self._ask("POST", "/api/v2/silences", body)
        if isinstance(answer, Mapping):
            self.silences[step.name] = answer["silenceID"]
            self.names[answer["silenceID"]] = step.name

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                status, answer, _ = self.subject.request(method, path, sent, _JSON)
            except URLError:
                # Whoever posts to a process that is being restarted posts again.
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                self.outcome.answers.append(status)
                return answer

    def _alert(self, posted: Posted) -> dict[str, Any]:
        body: dict[str, Any] = {"labels": {**posted.labels}, "annotations": dict(posted.annotations)}
        if posted.labels:
            body["labels"][LABEL] = self.timetable.name
        if posted.starts is not None:
            body["startsAt"] = self._instant(posted.starts)
        if posted.ends is not None:
            body["endsAt"] = self._instant(posted.ends)
        if posted.generator:
            body["generatorURL"] = posted.generator
        return body

    def _instant(self, second: float) -> str:
        return (
            datetime.fromtimestamp(self.start + second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )

    def _seen(self, answer: Any) -> Any:
        """Return an answer without instants, and with names in place of the ids of silences."""
        if isinstance(answer, list):
            return sorted((self._seen(one) for one in answer), key=json.dumps)  # neither promises an order
        if isinstance(answer, Mapping):
            return {name: self._seen(answer[name]) for name in sorted(answer) if name not in _NOT_SEEN}
        return self.names.get(answer, answer) if isinstance(answer, str) else answer


_JSON = {"Content-Type": "application/json"}
_NOT_SEEN = frozenset(("updatedAt", "startsAt", "endsAt", "mutedBy", "routeLabels", *CLAXONS_OWN))
"""Instants, and what Alertmanager 0.25 does not say."""


def _matcher(said: tuple[str, str, str]) -> dict[str, Any]:
    name, operator, value = said
    return {"name": name, "value": value, "isRegex": operator.endswith("~"), "isEqual": not operator.startswith("!")}


def play(
    timetables: Sequence[Timetable], folder: Path, *, kinds: Sequence[str] = tuple(KINDS)
) -> dict[str, dict[str, Outcome]]:
    """Play all timetables to a subject of each kind; return the outcomes by kind and timetable.

    A kind is a name of `KINDS`, perhaps with "-2" behind it for another one.
    """
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder())
        subjects = _started(timetables, folder, recorder, kinds, stack)
        start = time.time() + 0.3
        plays = [
            _Play(
                timetable=one,
                subject=subjects[kind, one.process],
                recorder=recorder,
                prefix=f"/{kind}/{one.name}",
                start=start + (STAGGER_S * i if one.process == "steady" else 0.0),
            )
            for i, one in enumerate(timetables)
            for kind in kinds
        ]
        _run([*(one.run for one in plays), *_disturbances(subjects, start)])
        return {
            kind: {one.timetable.name: one.outcome for one in plays if one.prefix.startswith(f"/{kind}/")}
            for kind in kinds
        }


def _started(
    timetables: Sequence[Timetable], folder: Path, recorder: Recorder, kinds: Sequence[str], stack: ExitStack
) -> dict[tuple[str, str], Subject]:
    """Start a process for each kind and each `Timetable.process`, all at once."""
    subjects: dict[tuple[str, str], Subject] = {}
    for kind in kinds:
        for process in sorted({one.process for one in timetables}):
            own = [one for one in timetables if one.process == process]
            place = folder / f"{kind}-{process}"
            place.mkdir()
            text = configuration(own, url=f"{recorder.url}/{kind}")
            subjects[kind, process] = KINDS[kind.partition("-")[0]](place, config=text)
    with ThreadPoolExecutor(len(subjects)) as pool:
        list(pool.map(stack.enter_context, subjects.values()))
    return subjects


def _disturbances(subjects: Mapping[tuple[str, str], Subject], start: float) -> list[Any]:
    def restart(subject: Subject) -> None:
        _sleep_until(start + RESTART_AT_S)
        subject.stop()
        subject.start()

    def reload(subject: Subject) -> None:
        _sleep_until(start + RESTART_AT_S)
        status, answer, _ = subject.request("POST", "/-/reload", b"")
        assert status == 200, answer

    does = {"restarted": restart, "reloaded": reload}
    return [
        lambda does=does[process], subject=subject: does(subject)
        for (_, process), subject in subjects.items()
        if process in does
    ]


def _run(functions: Sequence[Any]) -> None:
    """Run all functions in threads of their own; raise what the first to fail raised."""
    faults: list[BaseException] = []

    def kept(function: Any) -> None:
        try:
            function()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=kept, args=(one,)) for one in functions]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if faults:
        raise faults[0]


def _sleep_until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.time()))
