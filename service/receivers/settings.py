"""Reads one receiver's mapping from the configuration, strictly, and keeps every problem.

≠ which kinds of receiver there are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from alerts.durations import parse_duration
from alerts.errors import ConfigError, DurationError

from .base import Rate
from .secret import Check, Secret, SecretFile, SecretSource
from .text import brief

NO_SECRET = Secret("")
_LONGEST_PERIOD_S = 86_400.0


class ReceiverConfigError(ConfigError):
    """A receiver that cannot be built.

    Attributes:
        problems: Each as *where: value: remedy*, without secrets.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Settings:
    """The settings of one receiver, each read once; what nobody read is refused.

    A setting that is wrong is noted and read as its default, so that one pass
    finds every problem. A value is quoted only where it cannot be a secret.
    """

    def __init__(self, mapping: object, *, where: str, folder: Path, problems: list[str] | None = None) -> None:
        self.where = where
        self.problems: list[str] = [] if problems is None else problems
        self._folder = folder
        self._read: set[str] = set()
        self._values: Mapping[object, object] = {}
        if isinstance(mapping, Mapping):
            self._values = mapping
        elif mapping is not None:
            self.problems.append(f"{where}: not a mapping: write 'name: value' lines below it")

    def refuse(self, name: str, remedy: str, *, value: object = None) -> None:
        """Note a problem; `value` is quoted, so leave it out where it may be a secret."""
        quoted = "" if value is None else f"{brief(str(value), 60)}: "
        self.problems.append(f"{self.where}: {name}: {quoted}{remedy}")

    def has(self, name: str) -> bool:
        """Whether the setting is there and not null."""
        return self._values.get(name) is not None

    def text(self, name: str, *, default: str = "") -> str:
        """Return a text."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.refuse(name, "write a text, in quotes if it looks like a number", value=value)
            return default
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.refuse(name, "write true or false", value=value)
            return default
        return value

    def count(self, name: str, *, default: int) -> int:
        """Return a whole number, >= 0."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.refuse(name, "write a whole number, 0 or more", value=value)
            return default
        return value

    def seconds(self, name: str, *, default: float, most: float) -> float:
        """Return a duration in seconds; 0 is the default, for Claxon never waits for ever."""
        value = self._take(name)
        if value is None:
            return default
        try:
            seconds = parse_duration(str(value))
        except DurationError:
            self.refuse(name, "write a duration, such as 10s or 1m", value=value)
            return default
        if seconds > most:
            self.refuse(name, f"write at most {most:.0f}s", value=value)
        return seconds or default

    def path(self, name: str) -> Path | None:
        """Return the path of a file, which may start from the configuration's folder; None without one."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            self.refuse(name, "write the path of a file")
            return None
        return self._folder / value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; one that is no text is noted without being quoted."""
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            self.refuse(name, "write a list of texts")
            return ()
        return tuple(value)

    def names(self) -> tuple[str, ...]:
        """Return the names of all settings that are here."""
        return tuple(str(name) for name in self._values)

    def each(self, name: str) -> list[Settings]:
        """Return the settings of each mapping in a list."""
        value = self._take(name)
        if value is not None and not isinstance(value, list):
            self.refuse(name, "write a list of mappings")
        entries = value if isinstance(value, list) else []
        where = f"{self.where}: {name}"
        return [
            Settings(entry, where=f"{where}[{index}]", folder=self._folder, problems=self.problems)
            for index, entry in enumerate(entries)
        ]

    def secret(self, name: str, *, check: Check, default: str | None = None) -> SecretSource | None:
        """Return the secret in `name`, or in the file named by `name`_file; None without either."""
        value, path = self._take(name), self._take(f"{name}_file")
        if value is not None and path is not None:
            self.refuse(name, f"{name}_file is set too: keep one of them")
        elif path is not None:
            return self._secret_file(f"{name}_file", path, check)
        elif isinstance(value, str):
            if problem := check(value):
                self.refuse(name, problem)
            return Secret(value)
        elif value is not None:
            self.refuse(name, "write a text, in quotes if it looks like a number")
        elif default is not None:
            return Secret(default)
        else:
            return None
        return NO_SECRET

    def secret_file(self, name: str, path: str, *, check: Check) -> SecretSource:
        """Return the secret in a file that `name` lists."""
        return self._secret_file(name, path, check)

    def required_secret(self, name: str, *, check: Check) -> SecretSource:
        """Return the secret as `secret` does; its absence is a problem."""
        source = self.secret(name, check=check)
        if source is None:
            self.refuse(name, f"missing: write {name} or {name}_file")
            return NO_SECRET
        return source

    def below(self, name: str) -> Settings:
        """Return the settings of a nested mapping; its problems join these."""
        where = f"{self.where}: {name}"
        return Settings(self._take(name), where=where, folder=self._folder, problems=self.problems)

    def ignore(self, name: str) -> None:
        """Take a setting as read: it is dealt with elsewhere, or means nothing here."""
        self._read.add(name)

    def done(self, *, unsupported: Iterable[str] = ()) -> None:
        """Refuse what was not read.

        Args:
            unsupported: What Alertmanager knows by that name and Claxon does not do yet.
        """
        later = frozenset(unsupported)
        for name in (str(key) for key in self._values):
            if name in later:
                self.refuse(name, "not supported yet: remove it")
            elif name not in self._read:
                self.refuse(name, f"unknown: {self._nearest(name)}")

    def _nearest(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._read, n=1)
        return f"did you mean {near[0]}?" if near else f"write one of {', '.join(sorted(self._read))}"

    def _take(self, name: str) -> object:
        self._read.add(name)
        return self._values.get(name)

    def _secret_file(self, name: str, path: object, check: Check) -> SecretSource:
        if not isinstance(path, str) or not path:
            self.refuse(name, "write the path of a file")
            return NO_SECRET
        try:
            return SecretFile(self._folder / path, check=check)
        except ValueError as error:
            self.refuse(name, str(error), value=path)
            return NO_SECRET


def read_rate(settings: Settings, default: Rate | None) -> Rate | None:
    """Return `rate_limit: {max: 60, per: 1m}`; `default` without it, and None, no limit, with `max: 0`."""
    if not settings.has("rate_limit"):
        settings.text("rate_limit")
        return default
    limit = settings.below("rate_limit")
    most = limit.count("max", default=-1)
    per_s = limit.seconds("per", default=1.0, most=_LONGEST_PERIOD_S)
    if not limit.has("max"):
        limit.refuse("max", "missing: write how many messages, such as 60; 0 is no limit")
    limit.done()
    return Rate(most, per_s) if most > 0 else None
