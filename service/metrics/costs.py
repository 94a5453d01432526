"""Costs: what tokens cost, of the models whose price is known.

≠ prices, names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from claxon.prices import Price, Prices

from alerts.counters import Model, Totals

_PRICES = Prices()
_NOTHING = Totals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What models cost since the process started.

    Attributes:
        dollars: By (app, environment, model, kind of token).
        unpriced: Attempts of models that have no price.
    """

    dollars: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    unpriced: dict[Model, int] = field(default_factory=dict)


def add_costs(
    costs: Costs,
    all_totals: Iterable[tuple[Model, Totals]],
    before: Mapping[Model, Totals],
    *,
    name: Model | None = None,
) -> None:
    """Add what models cost.

    Args:
        costs: To these.
        all_totals: What each model has used.
        before: What it had used when the process started.
        name: Under which they are all added up; None is each under its own.
    """
    for model, totals in all_totals:
        was = before.get(model, _NOTHING)
        price = _PRICES.of(model[2])
        key = name or model
        if price is None:
            attempts = sum(totals.attempts.values()) - sum(was.attempts.values())
            costs.unpriced[key] = costs.unpriced.get(key, 0) + attempts
            continue
        costs.unpriced.setdefault(key, 0)
        for kind, dollars in _dollars(price, totals, was):
            costs.dollars[*key, kind] = costs.dollars.get((*key, kind), 0.0) + dollars


def _dollars(price: Price, totals: Totals, was: Totals) -> list[tuple[str, float]]:
    read = price.input / 10 if price.cache_read is None else price.cache_read
    write = price.input * 1.25 if price.cache_write is None else price.cache_write
    return [
        ("input", (totals.input - was.input) * price.input / 1e6),
        ("output", (totals.output - was.output) * price.output / 1e6),
        ("cache_read", (totals.cache_read - was.cache_read) * read / 1e6),
        ("cache_write", (totals.cache_write - was.cache_write) * write / 1e6),
    ]
