"""A file of windows in which something was known to be wrong: CSV, or a JSON or YAML list.

≠ alerts. Every problem is reported, with its line or window.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from alerts.errors import MatcherError
from alerts.labels import Labels
from alerts.matchers import Matcher, parse_matcher
from alerts.rules import SCOPE_LABELS

from ..yaml_file import ConfigFileError

KNOWN_LABELS = (*SCOPE_LABELS, "alertname", "severity")
_INSTANT = "an RFC 3339 instant with a time zone, or Unix seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which something was wrong.

    Attributes:
        start: Unix seconds.
        end: Unix seconds; after `start`.
        matchers: What an alert's labels must say, where the alert has the label.
        note: For people.
    """

    start: float
    end: float
    matchers: tuple[Matcher, ...] = ()
    note: str = ""

    def concerns(self, labels: Labels) -> bool:
        """Whether an alert of these labels may be about it: no label of the alert contradicts it."""
        return all(m.matches(labels[m.name]) for m in self.matchers if m.name in labels)


def load_windows(path: Path, own_labels: Collection[str] = ()) -> list[Window]:
    """Return the windows of a file, in order of their start.

    Args:
        path: CSV with a header, or a JSON or YAML list of mappings.
        own_labels: Labels that rules add, which a window may name beside the usual ones.

    Raises:
        ConfigFileError: It cannot be read, or something in it is wrong.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigFileError([f"{path}: cannot be read: {fault}"]) from fault
    reader = _Reader(path, {*KNOWN_LABELS, *own_labels})
    windows = [window for place, entry in reader.entries(text) if (window := reader.window(place, entry))]
    if reader.problems:
        raise ConfigFileError(reader.problems)
    return sorted(windows, key=lambda window: (window.start, window.end))


class _Reader:
    def __init__(self, path: Path, known: Collection[str]) -> None:
        self.path = path
        self.known = known
        self.problems: list[str] = []

    def wrong(self, place: str, text: str) -> None:
        self.problems.append(f"{self.path}{place}: {text}")

    def entries(self, text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
        """Yield (place, mapping) of each window."""
        if text.lstrip()[:1] in ("[", "-", "#"):
            yield from self._listed(text)
            return
        rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
        if not {"start", "end"} <= set(rows.fieldnames or ()):
            self.wrong("", "neither a list nor CSV with the columns start and end: begin with `start,end,app`")
            return
        for row in rows:
            entry = {str(name): value for name, value in row.items() if value not in (None, "", [])}
            yield f":{rows.line_num}", entry

    def _listed(self, text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
        try:
            # Every scalar stays a text: an instant without a time zone must be refused, not guessed at.
            found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 — it builds nothing but texts, lists, mappings
        except (yaml.YAMLError, RecursionError) as fault:
            mark = getattr(fault, "problem_mark", None)
            self.wrong(f":{mark.line + 1}" if mark else "", "not a list in JSON or YAML")
            return
        if not isinstance(found, list):
            self.wrong("", "expected a list of windows: - {start: ..., end: ..., app: ...}")
            return
        for index, entry in enumerate(found):
            if isinstance(entry, dict):
                yield f": [{index}]", entry
            else:
                self.wrong(f": [{index}]", f"{entry!r}: expected a mapping with start and end")

    def window(self, place: str, entry: Mapping[str, object]) -> Window | None:
        before = len(self.problems)
        start, end = (self.instant(place, name, entry.get(name)) for name in ("start", "end"))
        if start is not None and end is not None and end <= start:
            self.wrong(place, f"end: {entry['end']}: after start, which is {entry['start']}")
        matchers = (*self.labels(place, entry), *self.matchers(place, entry.get("matchers", [])))
        if len(self.problems) > before or start is None or end is None:
            return None
        return Window(start=start, end=end, matchers=matchers, note=str(entry.get("note", "")))

    def instant(self, place: str, name: str, value: object) -> float | None:
        if not isinstance(value, str) or not value:
            self.wrong(place, f"{name}: missing: {_INSTANT}")
            return None
        try:
            return float(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.wrong(place, f"{name}: {value}: {_INSTANT}")
            return None
        return moment.timestamp()

    def labels(self, place: str, entry: Mapping[str, object]) -> Iterator[Matcher]:
        """Yield a matcher for each label, given by its own name or under `labels`."""
        named = {
            name: value for name, value in entry.items() if name not in ("start", "end", "matchers", "note", "labels")
        }
        inside = entry.get("labels", {})
        if isinstance(inside, dict):
            named |= inside
        else:
            self.wrong(place, f"labels: {inside!r}: expected a mapping of labels")
        for name, value in named.items():
            if name not in self.known:
                self.wrong(place, f"{name}: no alert has this label: one of {', '.join(sorted(self.known))}")
            elif not isinstance(value, str):
                self.wrong(place, f"{name}: {value!r}: expected a text")
            else:
                yield Matcher(name, "=", value)

    def matchers(self, place: str, value: object) -> Iterator[Matcher]:
        texts = value if isinstance(value, list) else str(value).split(";")
        for text in texts:
            try:
                matcher = parse_matcher(str(text))
            except MatcherError as fault:
                self.wrong(place, f"matchers: {fault}")
                continue
            if matcher.name in self.known:
                yield matcher
            else:
                self.wrong(place, f"matchers: {matcher.name}: no alert has this label")
