"""ClaxonDatabaseCorrupt: a database was set aside, or the daily look found damage, and somebody must see to it.

≠ how corruption is found, how a file is set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from alerts.received import Posted

from ..core import Core
from ..dispatch import Dispatch
from ..receivers.text import rfc3339
from ..storage.corruption import FILE, Aside, aside
from ..storage.places import Place
from ..storage.scrub import Scrubbed
from .own_pages import OwnPages
from .tally import WatchTally

NAME = "ClaxonDatabaseCorrupt"

MOST = 3
"""Files that are told of, the newest; those before them lie there too."""

_GUIDE = "`claxon restore` puts a backup back, `claxon salvage` reads what is left: docs/howto/backup.md"


class CorruptionWatch:
    """Looks at the folder and at the scrubber. All of it runs in the core's thread."""

    def __init__(
        self,
        place: Place,
        core: Core,
        dispatch: Dispatch,
        tally: WatchTally,
        *,
        scrubbed: Callable[[], Scrubbed | None],
    ) -> None:
        """Take the parts over.

        Args:
            place: Of the database.
            core: Knows what fires.
            dispatch: Raises alerts.
            tally: Counts.
            scrubbed: What the last look at the whole database found.
        """
        self._pages = OwnPages(NAME, core, dispatch)
        self._place = place
        self._dispatch = dispatch
        self._tally = tally
        self._scrubbed = scrubbed

    def look(self) -> None:
        """Raise, renew and end what is to be said.

        Raises:
            DatabaseError: It cannot be written.
        """
        kept = aside(self._place)
        self._tally.set_aside = len(kept)
        self._pages.keep([*self._of_files(kept[:MOST]), *self._of_scrub(self._scrubbed())])

    def _of_files(self, kept: Iterable[Aside]) -> Iterable[Posted]:
        for one in kept:
            said = f"the database was corrupt and was set aside at {rfc3339(one.at)}: {one.path}"
            annotations = {
                "summary": f"{said}; Claxon began a new one and knows nothing of before",
                "reason": one.why,
                "description": f"{_GUIDE}. Alerts that fired are decided anew, silences are gone. This page ends when "
                "the file is moved out of the folder.",
            }
            yield _post(one.path.name, annotations, min(one.at, self._dispatch.now))

    def _of_scrub(self, found: Scrubbed | None) -> Iterable[Posted]:
        if found is None or found.clean:
            return
        wrong = [*found.damaged, *(f"event_log: row {offset} cannot be read" for offset in found.unreadable)]
        annotations = {
            "summary": f"the database is damaged, and still in use: {wrong[0]} ({len(wrong)} in all)",
            "reason": "; ".join(wrong)[:1000],
            "description": f"{_GUIDE}. Look at the disk. This page ends when a daily look finds nothing.",
        }
        yield _post(FILE, annotations, self._dispatch.now)


def _post(file: str, annotations: dict[str, str], starts_at: float) -> Posted:
    labels = {"alertname": NAME, "severity": "page", "file": file}
    return Posted(labels=labels, annotations=annotations, starts_at=starts_at)
