"""Asks a service, again and again, in a thread of its own: a service that does not answer must not stop the keys.

≠ what is shown.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

import msgspec

from ..asking import Claxon, NotAnswered
from .view import AlertRow, Sort, Top

MOST = {"alerts": "100", "models": "200"}
"""Of each, in a live view."""

_OTHER = "another version of Claxon, or something else, answers there: update it, or name another address by --url"


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer."""

    top: Top


@dataclass(frozen=True, slots=True)
class Unheard:
    """No answer, or a no; whether that will never be another."""

    fault: str
    refused: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What came of an acknowledgement."""

    said: str


News: TypeAlias = Heard | Unheard | Acknowledged


def ask(claxon: Claxon, sort: Sort, *, most: dict[str, str] = MOST) -> tuple[bytes, Top]:
    """Return an answer, and what it says.

    Raises:
        NotAnswered: There is none.
    """
    try:
        body = claxon.get("/v1/top", {"sort": sort.value} | most)
    except NotAnswered as fault:
        if fault.status != HTTPStatus.NOT_FOUND:
            raise
        raise NotAnswered(f"/v1/top: 404: {_OTHER}", status=fault.status) from fault
    try:
        return body, msgspec.json.decode(body, type=Top)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise NotAnswered(f"/v1/top: {fault}: {_OTHER}") from fault


def is_refusal(fault: NotAnswered) -> bool:
    """Whether asking again is of no use: the key may not."""
    return fault.status in (401, 403)


class Asker:
    """Ends with the process: it may wait for an answer that never comes."""

    def __init__(
        self, claxon: Claxon, writer: Claxon, *, interval_s: float, tell: Callable[[], None], sort: Sort
    ) -> None:
        """Take the parts over.

        Args:
            claxon: Is asked.
            writer: The same with a key that may acknowledge.
            interval_s: From an answer to the next question.
            tell: Called when there is news.
            sort: The order of the models.
        """
        self.sort = sort
        self.news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._claxon = claxon
        self._writer = writer
        self._interval_s = interval_s
        self._tell = tell
        self._wanted: queue.SimpleQueue[tuple[AlertRow, str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="top-asker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def again(self, sort: Sort) -> None:
        """Ask at once, for models in this order."""
        self.sort = sort
        self._wanted.put(None)

    def acknowledge(self, alert: AlertRow, *, by: str) -> None:
        """Have an alert acknowledged; what came of it is news."""
        self._wanted.put((alert, by))

    def _run(self) -> None:
        while True:
            self._say(self._asked())
            try:
                wanted = self._wanted.get(timeout=self._interval_s)
            except queue.Empty:
                continue
            if wanted is not None:
                self._say(self._acknowledged(*wanted))

    def _say(self, news: News) -> None:
        self.news.put(news)
        self._tell()

    def _asked(self) -> News:
        try:
            return Heard(ask(self._claxon, self.sort)[1])
        except NotAnswered as fault:
            return Unheard(str(fault), is_refusal(fault))

    def _acknowledged(self, alert: AlertRow, by: str) -> Acknowledged:
        try:
            self._writer.ask("POST", f"/v1/alerts/{alert.fingerprint}/ack", query={"by": by})
        except NotAnswered as fault:
            return Acknowledged(f"not acknowledged: {fault}")
        return Acknowledged(f"{alert.alertname} of {alert.app} is acknowledged by {by}")
