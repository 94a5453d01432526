"""Source: where decisions come from: a log of this process and its engine, or reports of who evaluates partitions.

≠ who is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from alerts.decisions import Step
from alerts.reading import Reading
from alerts.rules import Rule

from .log_writer import Row
from .restart import Repeated
from .storage.event_log import Entry
from .work import Tally


class Source(Protocol):
    """The core's thread alone uses it, and commits what it decides together with what follows."""

    @property
    def engine(self) -> Reading:
        """Return what pages, /metrics and the API read."""

    @property
    def every_s(self) -> float:
        """Return how often `tick` is to be called."""

    @property
    def begun(self) -> bool:
        """Return whether anything was ever decided, so that a jump of the clock matters."""

    @property
    def grown(self) -> bool:
        """Return whether there is something that no snapshot holds."""

    @property
    def unsaved(self) -> bool:
        """Return whether there is something to `save` even where nothing was decided."""

    @property
    def complete_to(self) -> float:
        """Return the instant up to which everything is decided, as far as anybody knows."""

    @property
    def refusal(self) -> str:
        """Return why no event can be taken here, *where: value: remedy*; "" if it can."""

    def recover(self, tally: Tally) -> Iterator[Repeated]:
        """Yield what was decided after the newest snapshot again; to be run to its end before anything else."""

    def observe(self, row: Row) -> Step:
        """Take a row that this process has logged."""

    def tick(self, now: float) -> Step:
        """Let time pass; return what is decided by that, or was elsewhere."""

    def enter(self, entry: Entry, at: float) -> None:
        """Note what decisions depend on beside events, inside a transaction; `resume`, `rewind` or `use` follows.

        Raises:
            DatabaseError: It cannot be written; nothing has changed.
        """

    def resume(self, now: float) -> Step:
        """Go on after a pause in which nobody could be heard."""

    def rewind(self, now: float) -> Step:
        """Go on at an earlier instant: the clock was set back."""

    def use(self, rules: Iterable[Rule], now: float) -> Step:
        """Go on with other rules."""

    def save(self) -> None:
        """Write how far it has come, inside the transaction that commits what was decided."""

    def saved(self) -> None:
        """Note that this transaction was committed."""

    def snapshot(self) -> int:
        """Store what a restart begins with; return its size in bytes."""
