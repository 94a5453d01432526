"""What a page shows of the failures behind an alert.

≠ rules. Bounded: counts by kind of error, and a few samples.
"""

from __future__ import annotations

import msgspec
from claxon.event import Event
from claxon.taxonomy import KINDS, Category

MAX_SAMPLES = 5
_MAX_KINDS = 16
_OTHER = "other"


class Sample(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One failed attempt.

    Attributes:
        at: When it ended, Unix seconds.
        error: Its kind, such as "overloaded_error (529)".
        category, model, path, attempt, request_id, call_id: As of the event.
        message: The API's words.
    """

    at: float
    error: str
    category: str
    model: str
    path: str
    attempt: int
    request_id: str = ""
    call_id: str = ""
    message: str = ""


class Evidence(msgspec.Struct):
    """Failures of one key since it was last healthy.

    Attributes:
        first_at: The earliest, Unix seconds.
        last_at: The latest.
        failures: How many attempts failed.
        errors: By kind of error, "overloaded_error (529)".
        categories: By category.
        samples: The first, the last, and the first of each kind, at most 5.
    """

    first_at: float = 0.0
    last_at: float = 0.0
    failures: int = 0
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    categories: dict[str, int] = msgspec.field(default_factory=dict)
    samples: list[Sample] = msgspec.field(default_factory=list)

    def add(self, events: list[Event]) -> None:
        """Take failed attempts of one kind of error, at least one."""
        error, instants = error_name(events[0]), [event.at for event in events]
        earliest = min(instants)
        self.first_at = min(self.first_at, earliest) if self.failures else earliest
        self.last_at = max(self.last_at, *instants)
        self.failures += len(events)
        if error not in self.errors and len(self.errors) >= _MAX_KINDS:
            error = _OTHER
        self.errors[error] = self.errors.get(error, 0) + len(events)
        category = events[0].category
        self.categories[category] = self.categories.get(category, 0) + len(events)
        self._keep(events, error)

    def _keep(self, events: list[Event], error: str) -> None:
        samples = self.samples
        room = MAX_SAMPLES - len(samples)
        samples += [_sample(event, error) for event in events[:room]]
        if len(events) > room:
            del samples[self._spare(error)]
            samples.append(_sample(events[-1], error))

    def _spare(self, error: str) -> int:
        """Return which sample makes room: the latest of a kind that is shown otherwise; the first one stays."""
        kinds = [sample.error for sample in self.samples]
        others = (i for i in range(len(kinds) - 1, 0, -1) if kinds[i] in (*kinds[:i], *kinds[i + 1 :], error))
        return next(others, len(kinds) - 1)

    def request_ids(self) -> list[str]:
        """Return the samples' request ids, without repeats."""
        return list(dict.fromkeys(s.request_id for s in self.samples if s.request_id))

    def main_category(self) -> Category:
        """Return the most frequent category."""
        return Category(max(self.categories, key=self.categories.__getitem__, default="unknown"))

    def blame(self) -> str:
        """Return where to look first."""
        return KINDS[self.main_category()].blame.value

    def advice(self) -> str:
        """Return what the most frequent error asks a person to do."""
        return KINDS[self.main_category()].advice

    def listing(self) -> str:
        """Return the kinds of error with their counts, most first."""
        ranked = sorted(self.errors.items(), key=lambda kind: (-kind[1], kind[0]))
        return ", ".join(f"{name} × {n}" for name, n in ranked[:5])


def error_name(event: Event) -> str:
    """Return how an event's error is called on a page: type, code, status."""
    name = event.error_type or event.category
    if event.stream_end is not None and event.category == "stream":
        name = f"stream {event.stream_end.value}"
    if event.error_code:
        name += f"/{event.error_code}"
    name = name if len(name) <= 80 else name[:79] + "…"
    return f"{name} ({event.status})" if event.status is not None else name


def _sample(event: Event, error: str) -> Sample:
    return Sample(
        at=event.at,
        error=error,
        category=event.category,
        model=event.model,
        path=event.path,
        attempt=event.attempt,
        request_id=event.request_id or "",
        call_id=event.call_id or "",
        message=event.error_message or "",
    )
