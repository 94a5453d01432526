"""Ways out of a panel: addresses on Claxon's own pages, made of the labels of what was clicked.

≠ panels, HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass

CLAXON = "${claxon_url}"
"""The variable that says where people reach Claxon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a click leads.

    Attributes:
        title: What the menu says.
        url: With Grafana's variables in it.
    """

    title: str
    url: str


def _label(name: str) -> str:
    return f"{name}=${{__field.labels.{name}:percentencode}}"


def _column(name: str) -> str:
    return f"{name}=${{__data.fields.{name}:percentencode}}"


NOW = Way(title="Claxon: what fires", url=f"{CLAXON}/")
BUDGETS = Way(title="Claxon: error budgets", url=f"{CLAXON}/budgets")
DELIVERY = Way(title="Claxon: deliveries", url=f"{CLAXON}/delivery")
LEDGER = Way(title="Claxon: why something was told, or not", url=f"{CLAXON}/ledger")
RULES = Way(title="Claxon: rules", url=f"{CLAXON}/rules")

# By labels that every line of the panel has: Grafana leaves the name of one that is absent in the address.
THIS_APP = Way(title="Claxon: what fires in this app", url=f"{CLAXON}/?{_label('app')}")
FAILURES = Way(title="Claxon: these failures", url=f"{CLAXON}/explorer?{_label('app')}")
THIS_CATEGORY = Way(title="Claxon: these failures", url=f"{CLAXON}/explorer?{_label('category')}")
THIS_MODEL = Way(title="Claxon: this model's failures", url=f"{CLAXON}/explorer?{_label('model')}")

ALERT_LABELS = ("alertname", "severity", "app", "environment", "model", "path")
THIS_ALERT = Way(
    title="Claxon: why it fires, and what to do",
    url=f"{CLAXON}/alerts?" + "&".join(_column(name) for name in ALERT_LABELS),
)
