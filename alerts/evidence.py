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
    """One failed attempt."""

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

    def add(self, event: Event) -> None:
        """Take one failed attempt."""
        error = error_name(event)
        self.first_at = min(self.first_at, event.at) if self.failures else event.at
        self.last_at = max(self.last_at, event.at)
        self.failures += 1
        new = error not in self.errors
        if new and len(self.errors) >= _MAX_KINDS:
            error, new = _OTHER, False
        self.errors[error] = self.errors.get(error, 0) + 1
        self.categories[event.category] = self.categories.get(event.category, 0) + 1
        self._keep(_sample(event, error), new=new)

    def _keep(self, sample: Sample, *, new: bool) -> None:
        samples = self.samples
        if len(samples) < MAX_SAMPLES:
            samples.append(sample)
        elif new:
            # Another of a kind that is shown already makes room; the first and the last stay.
            kinds = [s.error for s in samples]
            spare = next((i for i in range(1, len(kinds)) if kinds[i] in kinds[:i]), len(samples) - 1)
            samples[spare] = sample
        else:
            samples[-1] = sample

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
