"""What GET /v1/top answers: Claxon itself, the alerts, the models; all that `claxon top` shows.

≠ how it is gathered, how it is shown.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from alerts.labels import Labels

from ..telling_views import AckView, SilencedBy


class Sort(StrEnum):
    """Which models come first."""

    ERRORS = "errors"
    RATE = "rate"
    EXHAUSTED = "exhausted"
    BUDGET = "budget"
    NAME = "name"


class ClaxonView(msgspec.Struct, frozen=True, kw_only=True):
    """Claxon itself.

    Attributes:
        version: That runs.
        started_at: When this process did, Unix seconds.
        ready: Whether events are taken.
        fault: Why not; "" if they are.
        blind: Whether ClaxonBlind fires: events are not taken, evaluated or delivered.
        lag_s: How far the evaluated instant is behind the clock; null before the first.
        events_per_s: The pace at which events came over the last minute; null before a second is known.
        queue: Batches and questions that wait for the core.
        outbox: Notifications that are decided and not delivered yet.
        failing: Integrations that take nothing, as receiver/kind/index.
        silences: Those in force.
    """

    version: str
    started_at: float
    ready: bool
    fault: str
    blind: bool
    lag_s: float | None
    events_per_s: float | None
    queue: int
    outbox: int
    failing: list[str]
    silences: int


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that fires or is pending.

    Attributes:
        fingerprint: 16 hex digits of its labels.
        state: "firing" or "pending".
        alertname: Of its rule.
        severity: "page", "ticket", or another of the rule's own.
        app: "" where the rule does not tell apps apart.
        environment: The same.
        labels: All of them.
        summary: One line: what is wrong, where.
        since: When it began to fire, or to be pending, Unix seconds.
        measured: "9 of 61 calls failed in 5m (14.8 %)": k of n.
        errors: What failed, most first.
        blame: Where to look first: provider, key, account, request, network or nobody.
        advice: What the most frequent error asks a person to do.
        request_ids: Up to 5, to give to the provider's support.
        url: The alert's page.
        held_back: By what nobody is told of it: "inhibited <fingerprint>", "silenced <id>", "muted <time interval>".
        ack: Who looks after it; null is nobody.
        silences: Those that match it.
    """

    fingerprint: str
    state: str
    alertname: str
    severity: str
    app: str
    environment: str
    labels: Labels
    summary: str
    since: float | None
    measured: str
    errors: str
    blame: str
    advice: str
    request_ids: list[str]
    url: str
    held_back: str
    ack: AckView | None
    silences: list[SilencedBy]


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one (app, environment, model) in the last `window_s`.

    Attributes:
        app: "" where events name none.
        environment: The same.
        model: As it was asked for.
        attempts: All.
        per_s: Their pace over the last minute; null before a second is known.
        errors: Failed ones by category; cancelled ones are none.
        failed: Their sum.
        absorbed: Failed ones that a later one of the same call followed.
        exhausted: Calls that failed with no retry left.
        throttled_s: How long clients held attempts back.
        budget_left: The share of the app's error budget that is left; null where no rule knows.
        firing: How many of the app's alerts fire.
    """

    app: str
    environment: str
    model: str
    attempts: int
    per_s: float | None
    errors: dict[str, int]
    failed: int
    absorbed: int
    exhausted: int
    throttled_s: float
    budget_left: float | None
    firing: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts there are, shown or not.

    Attributes:
        firing: Those that fire.
        pages: Of those that fire, the ones of severity `page`.
        pending: Those whose condition holds, but not for long enough yet.
        acknowledged: Of those that fire and are shown, the ones that somebody looks after.
    """

    firing: int
    pages: int
    pending: int
    acknowledged: int


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown.

    Attributes:
        at: When it was gathered, Unix seconds.
        window_s: How many seconds of the models are known: less than 300 after a start.
        claxon: Itself.
        counts: Of all alerts.
        alerts: Those that fire: first those that nobody looks after and that people are told of, pages before
            others, the newest first; then those that are pending.
        more_alerts: How many are left out.
        models: In the order that was asked for.
        more_models: How many are left out.
        quiet_models: How many others are known, and have made no attempt in that time.
    """

    at: float
    window_s: float
    claxon: ClaxonView
    counts: Counts
    alerts: list[AlertRow]
    more_alerts: int
    models: list[ModelRow]
    more_models: int
    quiet_models: int
