"""Reading: the values of a configuration, each checked; what is wrong is noted with its path, and reading goes on.

≠ which settings there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from .durations import parse_milliseconds
from .errors import ConfigError, DurationError
from .matchers import Matcher, make_matcher, parse_matchers, sorted_matchers
from .problems import Path, Problem, shown

Entry: TypeAlias = Mapping[str, object]

_LABEL_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")


class Reading:
    """One pass over a file: a value that is wrong is noted and read as its default."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, path: Path, text: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(path, text))

    def known(
        self, entry: Entry, path: Path, names: Collection[str], *, unsupported: Mapping[str, str] | None = None
    ) -> None:
        """Note every setting that is none; `unsupported` has what to do in place of those of Alertmanager."""
        for name in entry:
            if unsupported is not None and name in unsupported:
                self.wrong((*path, name), f"not supported: {unsupported[name]}")
            elif name not in names:
                self.wrong((*path, name), f"not a setting: one of {', '.join(names)}")

    def mapping(self, data: object, path: Path) -> Entry:
        """Return a mapping of settings; empty where there is none."""
        if isinstance(data, Mapping):
            return {str(name): value for name, value in data.items()}
        self.wrong(path, f"{shown(data)}: expected a mapping of settings")
        return {}

    def entries(self, data: object, path: Path) -> list[tuple[Path, Entry]]:
        """Return the mappings of a list, each with its path; null is an empty list."""
        if data is None:
            return []
        if not isinstance(data, list):
            self.wrong(path, f"{shown(data)}: expected a list")
            return []
        return [((*path, i), self.mapping(entry, (*path, i))) for i, entry in enumerate(data)]

    def text(self, entry: Entry, name: str, path: Path) -> str:
        """Return a text that must be there."""
        value = entry.get(name)
        if isinstance(value, str) and value:
            return value
        if name not in entry:
            self.wrong(path, f"{name}: missing: write {name}: followed by a text")
        else:
            self.wrong((*path, name), f"{shown(value)}: expected a text that is not empty")
        return ""

    def strings(self, data: object, path: Path) -> list[str]:
        """Return a list of texts; null is an empty one."""
        if data is None:
            return []
        if isinstance(data, list) and all(isinstance(s, str) for s in data):
            return data
        self.wrong(path, f"{shown(data)}: expected a list of texts")
        return []

    def flag(self, entry: Entry, name: str, path: Path) -> bool:
        """Return true or false; false where it is not there."""
        value = entry.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong((*path, name), f"{shown(value)}: true or false")
        return value is True

    def url(self, entry: Entry, name: str, path: Path = ()) -> str:
        """Return a URL without a slash at its end; "" where it is not there."""
        if name not in entry:
            return ""
        value = self.text(entry, name, path)
        if value and not value.startswith(("http://", "https://")):
            self.wrong((*path, name), f"{shown(value)}: write a URL that begins with http:// or https://")
        return value.rstrip("/")

    def seconds(self, entry: Entry, name: str, path: Path, *, default: float, above_zero: bool = False) -> float:
        """Return a duration in seconds; the default where it is not there, or cannot be read."""
        value = entry.get(name)
        if value is None:
            return default
        try:
            # YAML reads a bare 0 as a number, and Alertmanager as a duration.
            milliseconds = parse_milliseconds("0" if value == 0 and value is not False else _text_or_none(value))
        except DurationError:
            said = "not a duration: write a number and a unit, such as 30s, 5m, 1h30m, 30d"
            self.wrong((*path, name), f"{shown(value)}: {said}")
            return default
        if above_zero and milliseconds == 0:
            self.wrong((*path, name), f"{shown(value)}: must be more than 0")
            return default
        return milliseconds / 1000

    def receiver(self, name: str, path: Path, names: Collection[str]) -> None:
        """Note a receiver that the file does not have."""
        if name and name not in names:
            remedy = f"one of {', '.join(sorted(names))}" if names else "there are none: add `receivers`"
            self.wrong(path, f"{name!r}: no such receiver: {remedy}")

    # ── matchers ──────────────────────────────────────────────────────────────

    def matchers(self, data: object, path: Path) -> tuple[Matcher, ...]:
        """Return the matchers of a list of texts, or of one text; each text may hold several."""
        if isinstance(data, str):
            return sorted_matchers(self._matchers(data, path))
        texts = enumerate(self.strings(data, path))
        return sorted_matchers(m for i, text in texts for m in self._matchers(text, (*path, i)))

    def old_matchers(self, entry: Entry, name: str, path: Path) -> tuple[Matcher, ...]:
        """Return the matchers of Alertmanager's old mappings: `name` of values, `name`_re of regular expressions."""
        found: list[Matcher] = []
        for setting, operator in ((name, "="), (f"{name}_re", "=~")):
            place = (*path, setting)
            labels = self.mapping(entry[setting], place) if entry.get(setting) is not None else {}
            for label, value in labels.items():
                found += self._old_matcher(label, operator, value, (*place, label))
        return tuple(found)

    def label_names(self, data: object, path: Path) -> tuple[str, ...]:
        """Return a list of names of labels."""
        names = self.strings(data, path)
        for i, name in enumerate(names):
            if not name:
                self.wrong((*path, i), "'': expected the name of a label")
            elif name in names[:i]:
                self.wrong((*path, i), f"{shown(name)}: named twice: keep one")
        return tuple(names)

    def _matchers(self, text: str, path: Path) -> Iterable[Matcher]:
        try:
            found = parse_matchers(text)
        except ConfigError as fault:
            self.wrong(path, str(fault))
            return ()
        if not found:
            self.wrong(path, f'{shown(text)}: no matcher: write name="value", or leave it out')
        return found

    def _old_matcher(self, label: str, operator: str, value: object, path: Path) -> list[Matcher]:
        if not label or label[0].isdigit() or set(label) - _LABEL_LETTERS:
            self.wrong(path, "not the name of a label: letters, digits and _ alone")
        elif value is None and operator == "=":
            return [make_matcher(label, operator, "")]
        elif not isinstance(value, str):
            self.wrong(path, f"{shown(value)}: expected a text: write it in quotes")
        else:
            try:
                found = make_matcher(label, operator, value)
                # As Alertmanager has it in the keys of its groups.
                return [found if operator == "=" else make_matcher(label, operator, f"^(?:{value})$")]
            except ConfigError as fault:
                self.wrong(path, str(fault))
        return []


def _text_or_none(value: object) -> str:
    return value if isinstance(value, str) else ""
