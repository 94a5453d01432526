"""What the watch has done, counted for metrics; its thread counts, any thread may read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class WatchTally:
    """Counted since the process started.

    Attributes:
        pings: Heartbeats by outcome: sent, failed (nobody took it), withheld (something does not work).
        pinged_at: When the last one was taken, Unix seconds; 0 before the first.
        blind: Whether ClaxonBlind fires.
        blind_pages: Messages of it by outcome: delivered or failed.
        untold: Pages that nobody was told of, when they were last looked at.
        set_aside: Corrupt databases that lie in the folder, set aside.
        scrubbed_at: When the whole database was last looked through, Unix seconds; 0 before the first time.
        damaged: What was found wrong then.
        no_way: Pages of Claxon's own that nobody could be told of: there is no other way out.
    """

    pings: dict[str, int] = field(default_factory=lambda: {"sent": 0, "failed": 0, "withheld": 0})
    pinged_at: float = 0.0
    blind: bool = False
    blind_pages: dict[str, int] = field(default_factory=lambda: {"delivered": 0, "failed": 0})
    untold: int = 0
    no_way: int = 0
    set_aside: int = 0
    scrubbed_at: float = 0.0
    damaged: int = 0
