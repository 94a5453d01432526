"""What the routes answer and take, as types, by operation: the OpenAPI document and the reference come from them.

≠ HTTP, schemas.
"""

from __future__ import annotations

from typing import Any

import msgspec

from alerts.decisions import Decision
from alerts.lifecycle import Alert

from ..audit import Entry
from ..budget_views import BudgetView
from ..difference import Difference
from ..keys.listing import Listed
from ..preview import Preview
from ..rejects import Reject
from ..rule_views import RuleView
from ..storage.outbox import DeliveryRow
from ..top.view import Top
from ..views import AlertView, Explained
from ..watch.drill import Drill
from .keys import NewKey, Rotation
from .v2.forms import AlertGroup, GettableAlert, GettableSilence, Named


class Alerts(msgspec.Struct):
    """Alerts that fire or are pending.

    Attributes:
        alerts: One episode of each.
    """

    alerts: list[AlertView]


class Ledger(msgspec.Struct):
    """Rows of the ledger.

    Attributes:
        ledger: Newest first.
        hash: Of all decisions of the engine so far, each with the one before.
        decisions: How many these are.
    """

    ledger: list[Decision]
    hash: str
    decisions: int


class Rules(msgspec.Struct):
    """The rules in force.

    Attributes:
        rules: Those of the rule files, else those that Claxon ships.
    """

    rules: list[RuleView]


class Budgets(msgspec.Struct):
    """Error budgets.

    Attributes:
        budgets: Those that are spent most first.
    """

    budgets: list[BudgetView]


class Deliveries(msgspec.Struct):
    """Notifications, and how their delivery went.

    Attributes:
        deliveries: Newest first.
    """

    deliveries: list[DeliveryRow]


class Events(msgspec.Struct):
    """Events that were found.

    Attributes:
        events: Newest first, as they were posted, with what was derived; `provisional` says that a later attempt of
            its call may take a failure back.
        next: `cursor` of the next page; null at the end.
        looked_back_to: How far the search came, where its time was over; else null.
    """

    events: list[dict[str, Any]]
    next: str | None
    looked_back_to: str | None


class NumberedReject(Reject, kw_only=True):
    """One refused event, or a whole body.

    Attributes:
        number: Grows by one each time.
    """

    number: int


class Rejects(msgspec.Struct):
    """What was refused lately.

    Attributes:
        rejects: Newest first.
    """

    rejects: list[NumberedReject]


class Keys(msgspec.Struct):
    """All keys; a key itself is never shown.

    Attributes:
        keys: Of configuration, environment and database.
    """

    keys: list[Listed]


class Made(Listed, frozen=True, kw_only=True):
    """A new key.

    Attributes:
        key: The key itself: it is never shown again.
        replaced: Those that it is in place of, and that go on for the overlap.
    """

    key: str
    replaced: list[Listed]


class Revoked(msgspec.Struct):
    """Keys that let nobody in any more.

    Attributes:
        revoked: As they are now.
        warning: That no key, or none of scope admin, is left; "" else.
    """

    revoked: list[Listed]
    warning: str


class Audit(msgspec.Struct):
    """Who changed what.

    Attributes:
        audit: Newest first.
    """

    audit: list[Entry]


class SilenceID(msgspec.Struct, kw_only=True):
    """A silence that was made or changed.

    Attributes:
        name: Its id: another one, where the one that was posted had to end.
    """

    name: str = msgspec.field(name="silenceID")


class Version(msgspec.Struct, rename="camel", kw_only=True):
    """Which Alertmanager it speaks like, and which Claxon it is.

    Attributes:
        version: Alertmanager's, `+claxon.`, and Claxon's own.
        branch: "claxon".
        revision, build_user, build_date, go_version: Empty.
    """

    version: str
    revision: str
    branch: str
    build_user: str
    build_date: str
    go_version: str


class Cluster(msgspec.Struct):
    """There is one Claxon: no cluster.

    Attributes:
        status: "disabled".
        peers: Empty.
    """

    status: str
    peers: list[str]


class Original(msgspec.Struct):
    """Alertmanager's part of the configuration.

    Attributes:
        original: YAML, in the file's own words; what may be secret is `<secret>`.
    """

    original: str


class AmStatus(msgspec.Struct, rename="camel", kw_only=True):
    """What `GET /api/v2/status` says.

    Attributes:
        cluster: There is none.
        version_info: Clients choose by it how they ask.
        config: What `amtool config show` prints.
        uptime: Since when it runs.
    """

    cluster: Cluster
    version_info: Version
    config: Original
    uptime: str


ANSWERS: dict[tuple[str, str], Any] = {
    ("get", "/v1/alerts"): Alerts,
    ("get", "/v1/alerts/{fingerprint}"): Explained,
    ("post", "/v1/alerts/{fingerprint}/ack"): Alert,
    ("get", "/v1/ledger"): Ledger,
    ("get", "/v1/rules"): Rules,
    ("get", "/v1/budgets"): Budgets,
    ("get", "/v1/top"): Top,
    ("get", "/v1/deliveries"): Deliveries,
    ("get", "/v1/events"): Events,
    ("get", "/v1/rejects"): Rejects,
    ("post", "/v1/fire-drill"): Drill,
    ("post", "/-/reload"): Difference,
    ("get", "/v1/keys"): Keys,
    ("post", "/v1/keys"): Made,
    ("post", "/v1/keys/{name}/rotate"): Made,
    ("delete", "/v1/keys/{name}"): Revoked,
    ("get", "/v1/audit"): Audit,
    ("post", "/v1/silences/preview"): Preview,
    ("get", "/api/v2/alerts"): list[GettableAlert],
    ("get", "/api/v2/alerts/groups"): list[AlertGroup],
    ("get", "/api/v2/receivers"): list[Named],
    ("get", "/api/v2/silences"): list[GettableSilence],
    ("post", "/api/v2/silences"): SilenceID,
    ("get", "/api/v2/silence/{silence_id}"): GettableSilence,
    ("get", "/api/v2/status"): AmStatus,
}
"""What succeeds, by operation."""

BODIES: dict[tuple[str, str], Any] = {
    ("post", "/v1/keys"): NewKey,
    ("post", "/v1/keys/{name}/rotate"): Rotation,
}
"""Bodies that are no more than their type says, by operation."""
