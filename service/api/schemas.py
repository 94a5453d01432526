"""What the routes answer and take, as types: the schemas of the OpenAPI document come from them.

≠ HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import inspect

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
from ..views import AlertView, Explained
from ..watch.drill import Drill
from .keys import NewKey, Rotation
from .v2.forms import AlertGroup, GettableAlert, GettableSilence, Named

Schema = dict[str, Any]


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


def schemas_of(
    types: Mapping[tuple[str, str], Any], *, answered: bool = False
) -> tuple[dict[tuple[str, str], Schema], dict[str, Schema]]:
    """Return the schema of each operation, and the components that they refer to, with what their docstrings say.

    Args:
        types: By operation.
        answered: Whether they are written, not read: then what has a default is there all the same.
    """
    found, components = msgspec.json.schema_components(types.values(), ref_template="#/components/schemas/{name}")
    for cls in _classes(inspect.multi_type_info(types.values())):
        component = components[cls.__name__]
        component["description"] = (cls.__doc__ or "").partition("\n")[0]
        if answered:
            component["required"] = _written(cls)
        names = _wire_names(cls)
        for name, said in attributes(cls).items():
            shape = component.get("properties", {}).get(names.get(name, name))
            if shape is not None:
                shape["description"] = said
    return dict(zip(types, found, strict=True)), components


def _classes(types: Iterable[inspect.Type]) -> Iterator[type]:
    """Yield every struct and dataclass that types hold, once."""
    seen: set[type] = set()
    waiting = list(types)
    while waiting:
        kind = waiting.pop()
        match kind:
            case inspect.StructType(cls=cls, fields=parts) | inspect.DataclassType(cls=cls, fields=parts):
                if cls not in seen:
                    seen.add(cls)
                    waiting += [field.type for field in parts]
                    yield cls
            case inspect.UnionType(types=types):
                waiting += types
            case inspect.DictType(key_type=key, value_type=value):
                waiting += [key, value]
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                waiting.append(item)
            case inspect.TupleType(item_types=items):
                waiting += items


def _wire_names(cls: type) -> dict[str, str]:
    if is_dataclass(cls):
        return {}
    return {field.name: field.encode_name for field in msgspec.structs.fields(cls)}


def _written(cls: type) -> list[str]:
    """Return the members that are always written."""
    if is_dataclass(cls):
        return [field.name for field in fields(cls)]
    omits = cls.__struct_config__.omit_defaults  # type: ignore[attr-defined]
    kinds = get_type_hints(cls)
    return [
        field.encode_name
        for field in msgspec.structs.fields(cls)
        if (field.required or not omits) and msgspec.UnsetType not in get_args(kinds[field.name])
    ]


_SECTION = re.compile(r"^ *Attributes:\n(.*?)(?:\n\n|\Z)", re.DOTALL | re.MULTILINE)
_NONE = re.compile(r"\bNone\b")
_ENTRY = re.compile(r"^ {8}(\w+(?:, \w+)*): (.*(?:\n {9,}.*)*)", re.MULTILINE)


def attributes(cls: type) -> dict[str, str]:
    """Return what the docstrings of a class, and of those that it extends, say of its attributes."""
    said: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        section = _SECTION.search(one.__doc__ or "")
        for names, text in _ENTRY.findall(section[1] if section is not None else ""):
            said |= dict.fromkeys(names.split(", "), _NONE.sub("null", " ".join(text.split())))
    return said
