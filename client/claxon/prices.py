"""prices: what tokens cost, so that a retry policy can stop before it costs too much.

Source:
    "Pricing" on platform.claude.com, as read on 2026-11-26; US dollars for a
    million tokens, without batch, priority or data-residency factors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

BYTES_PER_TOKEN = 3.5
"""Of JSON, on the side of too many tokens: what a price estimate is for is a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens.

    Attributes:
        input: Uncached input; `output` likewise.
        cache_read: Input read from the cache; None is a tenth of `input`.
        cache_write: Input written to the 5-minute cache; None is 1.25 times `input`.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cache_read", "cache_write"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and 0 <= value <= 1e9):
                raise ValueError(f"Price: {name}: {value!r}: give US dollars for a million tokens, 0 or more")


PUBLISHED: dict[str, Price] = {
    "claude-fable-5": Price(input=10, output=50),
    "claude-mythos-5": Price(input=10, output=50),
    "claude-opus-5-5": Price(input=4, output=20, cache_read=0.2),
    "claude-opus-5": Price(input=5, output=25),
    "claude-opus-4-8": Price(input=5, output=25),
    "claude-opus-4-7": Price(input=5, output=25),
    "claude-opus-4-6": Price(input=5, output=25),
    "claude-opus-4-5": Price(input=5, output=25),
    "claude-opus-4-1": Price(input=15, output=75),
    "claude-opus-4": Price(input=15, output=75),
    "claude-sonnet-5": Price(input=2, output=10),
    "claude-sonnet-4": Price(input=3, output=15),
    "claude-haiku-4-5": Price(input=1, output=5),
}
"""By how a model's name begins; the longest beginning that fits counts. A model that is not here has no price."""

_PLATFORM = re.compile(r"^(?:[a-z]{2,6}\.)?anthropic\.")


class Prices:
    """A table of prices, which the app may replace or extend.

    Args:
        table: Prices by how a model's name begins; it replaces the published ones.
        extra: Prices beside the published ones, or in their place.
    """

    def __init__(self, table: Mapping[str, Price] | None = None, *, extra: Mapping[str, Price] | None = None) -> None:
        given = {**(PUBLISHED if table is None else table), **(extra or {})}
        for name, price in given.items():
            if not isinstance(price, Price):
                raise ValueError(f"Prices: {name}: {price!r}: give a claxon.Price")
        # The longest first: `claude-opus-5-5` before `claude-opus-5`.
        self._table = sorted(given.items(), key=lambda entry: -len(entry[0]))

    def of(self, model: str) -> Price | None:
        """Return the price of a model, also by the names of Bedrock and Vertex; None if there is none."""
        bare = _PLATFORM.sub("", model)
        for beginning, price in self._table:
            if bare.startswith(beginning):
                return price
        return None

    def of_request(self, body: Any) -> float | None:
        """Return the most that a request may cost, in US dollars; None without a price for its model.

        That is its input at the uncached price, estimated from its length, and
        all of `max_tokens` at the price of output.
        """
        if not isinstance(body, dict):
            return None
        model, tokens = body.get("model"), body.get("max_tokens")
        price = self.of(model) if isinstance(model, str) else None
        if price is None:
            return None
        output = tokens if isinstance(tokens, int) and tokens > 0 else 0
        return (estimated_tokens(body) * price.input + output * price.output) / 1e6

    def of_usage(self, model: str, *, input: int = 0, output: int = 0, read: int = 0, write: int = 0) -> float | None:  # noqa: A002
        """Return what used tokens cost, in US dollars; None without a price for the model."""
        price = self.of(model)
        if price is None:
            return None
        cache_read = price.input / 10 if price.cache_read is None else price.cache_read
        cache_write = price.input * 1.25 if price.cache_write is None else price.cache_write
        return (input * price.input + output * price.output + read * cache_read + write * cache_write) / 1e6


def estimated_tokens(body: Mapping[str, Any]) -> float:
    """Return about how many tokens the input of a request has, from the length of its JSON."""
    parts = {name: body[name] for name in ("system", "messages", "tools") if name in body}
    try:
        return len(msgspec.json.encode(parts)) / BYTES_PER_TOKEN
    except (TypeError, ValueError, RecursionError):
        return len(repr(parts)) / BYTES_PER_TOKEN  # what the SDK still turns into JSON, such as its own models
