"""A timetable: a route, what happens at which second, and what people are told of it.

A timetable is played to a real Alertmanager and to Claxon at once, among all the
others: each has a label, receivers and a subtree of routes of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LABEL = "tt"
"""The label that carries the timetable's name."""

FAR = 300.0
"""An end that no timetable lives to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One alert as a sender posts it; instants are seconds of the timetable, None is not sent."""

    labels: Mapping[str, Any]
    annotations: Mapping[str, str]
    starts: float | None
    ends: float | None
    generator: str = ""


@dataclass(frozen=True, slots=True)
class Post:
    """POST /api/v2/alerts."""

    at: float
    alerts: tuple[Posted, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """POST /api/v2/silences; one whose name was used before is changed. Matchers: (name, operator, value)."""

    at: float
    name: str
    matchers: tuple[tuple[str, str, str], ...]
    starts: float
    ends: float


@dataclass(frozen=True, slots=True)
class Expire:
    """DELETE /api/v2/silence/<the id of a silence>."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """From now on the receiver says this status, with these headers; the status 0 cuts the connection."""

    at: float
    receiver: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """GET; `query` is what follows /api/v2/: {tt} is the timetable's matcher, quoted, {one} the id of a silence."""

    at: float
    query: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Any request, of which only the status is compared; `body` is sent as it is."""

    at: float
    method: str
    path: str
    body: str = ""


Step = Post | Silence | Expire | Answer | Look | Ask

ROUTE: Mapping[str, Any] = {
    "receiver": "page",
    "group_by": ["alertname"],
    "group_wait": "1s",
    "group_interval": "2s",
    "repeat_interval": "1h",
}
"""A group is looked at in the seconds 1, 3, 5, ... after its first alert: steps at even seconds are far from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """What is done and what comes of it.

    Attributes:
        name: In the file's order, unique, letters and dashes.
        shows: The promise, as a sentence.
        steps: In the order of their instants.
        seconds: How long it is watched.
        route: The subtree, without its matcher; names of receivers are the timetable's own.
        receivers: For each receiver its webhooks' settings; absent: `page` with one webhook.
        inhibit_rules: Hold only among the timetable's alerts.
        told: What Alertmanager 0.25 tells, a line a message (`outcome.line`); the test holds it to that.
        claxon: What Claxon tells instead, where that differs on purpose.
        newer: Why Claxon differs: Alertmanager 0.34 does so, too.
        improvement: Why Claxon differs: it is better so.
        wobbles: Why what Alertmanager does cannot be foretold; it is not compared then.
        answers: The statuses that its posts, silences and looks are answered with; absent: each 200.
        claxon_answers: Claxon's, where they differ.
        process: Timetables of one process see the same restarts and reloads.
        late: By how many seconds messages may differ, beside the usual tolerance.
    """

    name: str
    shows: str
    steps: tuple[Step, ...]
    seconds: float
    told: tuple[str, ...]
    route: Mapping[str, Any] = field(default_factory=lambda: ROUTE)
    receivers: Mapping[str, Sequence[Mapping[str, Any]]] | None = None
    inhibit_rules: tuple[Mapping[str, Any], ...] = ()
    claxon: tuple[str, ...] | None = None
    newer: str = ""
    improvement: str = ""
    wobbles: str = ""
    answers: tuple[int, ...] | None = None
    claxon_answers: tuple[int, ...] | None = None
    process: str = "steady"
    late: float = 0.0

    @property
    def same(self) -> bool:
        """Whether Claxon must tell what Alertmanager tells."""
        return self.claxon is None

    @property
    def webhooks(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The settings of each receiver's webhooks."""
        return {"page": ({},)} if self.receivers is None else self.receivers


def route(**settings: Any) -> dict[str, Any]:
    """Return the usual route with other settings; None takes one out."""
    return {name: value for name, value in {**ROUTE, **settings}.items() if value is not None}


def fires(
    at: float,
    *names: str | Mapping[str, str],
    starts: float | None = -1e9,
    ends: float | None = FAR,
    notes: Mapping[str, str] | None = None,
    generator: str = "",
) -> Post:
    """Post alerts at a second; they begin then, and last, unless told otherwise. "a x=1 y=2" is a name with labels."""
    begin = at if starts == -1e9 else starts
    return Post(
        at,
        tuple(
            Posted(labels=_labels(one), annotations=notes or {}, starts=begin, ends=ends, generator=generator)
            for one in names
        ),
    )


def ends(at: float, *names: str, when: float | None = None) -> Post:
    """Post the end of alerts: as their sender does, or of another instant."""
    return fires(at, *names, starts=None, ends=at if when is None else when)


def silence(
    at: float, *matchers: tuple[str, str, str], name: str = "one", until: float = FAR, since: float | None = None
) -> Silence:
    """Silence from now on, or from a second on."""
    return Silence(at, name, matchers, at if since is None else since, until)


def _labels(said: str | Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(said, str):
        return said
    name, *others = said.split()
    return {"alertname": name} | dict(other.split("=", 1) for other in others)
