"""Config: what the operator's file says, checked. Every problem is reported, each with its path.

≠ files, environment, what a receiver needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import ConfigError
from .inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from .matchers import Matcher, parse_matcher
from .problems import Path, Problem, shown
from .routes import Route

__all__ = ["SCOPES", "SETTINGS", "Config", "KeyConfig", "Path", "Problem", "ReceiverConfig", "parse_config"]

SCOPES = ("ingest", "read", "admin")
SETTINGS = ("external_url", "rule_files", "route", "receivers", "inhibit_rules", "keys")
"""What a configuration file may have."""

# Alertmanager's settings that Claxon knows of and does not act on yet.
_LATER = {
    "": ("global", "templates", "time_intervals", "mute_time_intervals", "escalations"),
    "route": (
        "group_by",
        "group_wait",
        "group_interval",
        "repeat_interval",
        "mute_time_intervals",
        "active_time_intervals",
        "match",
        "match_re",
    ),
    "inhibit": ("source_match", "source_match_re", "target_match", "target_match_re"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """A receiver's name and its integrations: (kind, settings, path)."""

    name: str
    integrations: tuple[tuple[str, Mapping[str, object], Path], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfig:
    """A key: only the SHA-256 of it is known here.

    Attributes:
        name: For people.
        scope: What it may do: post events, read, or everything.
        sha256: 64 hex digits.
        app: The app of events that name none.
    """

    name: str
    scope: str
    sha256: str
    app: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file.

    Attributes:
        external_url: Where people reach this Claxon.
        route: Who is told of what.
        receivers: Who can be told.
        inhibit_rules: What mutes what.
        keys: Who may post and read.
        rule_files: Patterns of file names, as written; empty for the default rules.
    """

    external_url: str = ""
    route: Route = field(default_factory=lambda: Route(receiver="console"))
    receivers: tuple[ReceiverConfig, ...] = (
        ReceiverConfig(name="console", integrations=(("console_configs", {}, ("receivers", 0)),)),
    )
    inhibit_rules: tuple[InhibitRule, ...] = DEFAULT_INHIBIT_RULES
    keys: tuple[KeyConfig, ...] = ()
    rule_files: tuple[str, ...] = ()


def parse_config(data: object, kinds: tuple[str, ...]) -> tuple[Config, list[Problem]]:
    """Return the configuration that a file's content means, and all that is wrong with it.

    Args:
        data: What the YAML holds: mappings, lists, scalars; None for an empty file.
        kinds: Known kinds of receivers, such as "webhook_configs".
    """
    return _Reader(kinds).read(data)


class _Reader:
    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.kinds = kinds
        self.problems: list[Problem] = []

    def wrong(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path, text))

    def read(self, data: object) -> tuple[Config, list[Problem]]:
        if data is None:
            return Config(), []
        top = self.mapping(data, ())
        self.known(top, (), SETTINGS, "")
        default = Config()
        receivers = self.receivers(top["receivers"]) if "receivers" in top else default.receivers
        route = default.route
        if "route" in top:
            route = self.route(top["route"], ("route",), {r.name for r in receivers}, root=True)
        elif "receivers" in top:
            self.wrong(
                (),
                "route: missing: name the receiver that gets what no other route matches, as route: {receiver: NAME}",
            )
        inhibit = default.inhibit_rules
        if "inhibit_rules" in top:
            inhibit = self.inhibit_rules(top["inhibit_rules"])
        config = Config(
            external_url=self.url(top, "external_url"),
            route=route,
            receivers=receivers,
            inhibit_rules=inhibit,
            keys=self.keys(top.get("keys")),
            rule_files=self.rule_files(top),
        )
        return config, self.problems

    # ── parts ─────────────────────────────────────────────────────────────────

    def receivers(self, data: object) -> tuple[ReceiverConfig, ...]:
        found: list[ReceiverConfig] = []
        for path, entry in self.entries(data, ("receivers",)):
            name = self.text(entry, "name", path)
            if any(r.name == name for r in found):
                self.wrong((*path, "name"), f"{name!r}: used twice: give each receiver a name of its own")
            integrations: list[tuple[str, Mapping[str, object], Path]] = []
            for kind, settings in entry.items():
                if kind == "name":
                    continue
                if kind not in self.kinds:
                    self.wrong((*path, kind), f"not a kind of receiver: one of {', '.join(self.kinds)}")
                    continue
                for place, one in self.entries(settings, (*path, kind)):
                    integrations.append((kind, one, place))
            found.append(ReceiverConfig(name=name, integrations=tuple(integrations)))
        return tuple(found)

    def route(self, data: object, path: Path, names: set[str], *, root: bool = False, parent: str = "") -> Route:
        entry = self.mapping(data, path)
        self.known(entry, path, ("receiver", "matchers", "continue", "routes"), "route")
        receiver = self.text(entry, "receiver", path) if root or "receiver" in entry else parent
        if receiver and receiver not in names:
            remedy = f"one of {', '.join(sorted(names))}" if names else "there are none: add `receivers`"
            self.wrong((*path, "receiver"), f"{receiver!r}: no such receiver: {remedy}")
        matchers = self.matchers(entry.get("matchers"), (*path, "matchers"))
        if root and matchers:
            self.wrong((*path, "matchers"), "the first route takes every alert: put matchers on one of its routes")
        proceed = entry.get("continue", False)
        if not isinstance(proceed, bool):
            self.wrong((*path, "continue"), f"{proceed!r}: true or false")
        children = tuple(
            self.route(child, place, names, parent=receiver)
            for place, child in self.entries(entry.get("routes", []), (*path, "routes"))
        )
        return Route(receiver=receiver, matchers=matchers, proceed=proceed is True, routes=children)

    def inhibit_rules(self, data: object) -> tuple[InhibitRule, ...]:
        found: list[InhibitRule] = []
        for path, entry in self.entries(data, ("inhibit_rules",)):
            self.known(entry, path, ("source_matchers", "target_matchers", "equal"), "inhibit")
            source = self.matchers(entry.get("source_matchers"), (*path, "source_matchers"))
            target = self.matchers(entry.get("target_matchers"), (*path, "target_matchers"))
            equal = self.strings(entry.get("equal", []), (*path, "equal"))
            if not source or not target:
                self.wrong(
                    path,
                    "source_matchers and target_matchers are both needed, or everything would mute everything",
                )
            found.append(InhibitRule(source=source, target=target, equal=tuple(equal)))
        return tuple(found)

    def rule_files(self, top: Mapping[str, object]) -> tuple[str, ...]:
        if "rule_files" not in top:
            return ()
        path: Path = ("rule_files",)
        patterns = self.strings(top["rule_files"], path)
        if not patterns and top["rule_files"] == []:
            self.wrong(path, "[]: nobody would ever be paged: name a file, or leave it out for the default rules")
        for i, pattern in enumerate(patterns):
            if not pattern.strip() or "\0" in pattern:
                self.wrong((*path, i), f"{shown(pattern)}: expected a file name or a pattern such as rules/*.yml")
        return tuple(patterns)

    def keys(self, data: object) -> tuple[KeyConfig, ...]:
        found: list[KeyConfig] = []
        for path, entry in self.entries(data if data is not None else [], ("keys",)):
            self.known(entry, path, ("name", "scope", "sha256", "app"), "key")
            scope = self.text(entry, "scope", path)
            if scope and scope not in SCOPES:
                self.wrong((*path, "scope"), f"{scope!r}: one of {', '.join(SCOPES)}")
            digest = self.text(entry, "sha256", path)
            if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
                self.wrong(
                    (*path, "sha256"),
                    "not the SHA-256 of a key: 64 hex digits; `claxon keys create` prints one",
                )
            app = self.text(entry, "app", path) if "app" in entry else ""
            found.append(KeyConfig(name=self.text(entry, "name", path), scope=scope, sha256=digest, app=app))
        return tuple(found)

    # ── values ────────────────────────────────────────────────────────────────

    def known(self, entry: Mapping[str, object], path: Path, names: tuple[str, ...], part: str) -> None:
        for name in entry:
            if name in names:
                continue
            if name in _LATER.get(part, ()):
                self.wrong((*path, name), "not supported yet: leave it out")
            else:
                self.wrong((*path, name), f"not a setting: one of {', '.join(names)}")

    def mapping(self, data: object, path: Path) -> Mapping[str, object]:
        if isinstance(data, Mapping):
            return {str(name): value for name, value in data.items()}
        self.wrong(path, f"{shown(data)}: expected a mapping of settings")
        return {}

    def entries(self, data: object, path: Path) -> list[tuple[Path, Mapping[str, object]]]:
        if not isinstance(data, list):
            self.wrong(path, f"{shown(data)}: expected a list")
            return []
        return [((*path, i), self.mapping(entry, (*path, i))) for i, entry in enumerate(data)]

    def text(self, entry: Mapping[str, object], name: str, path: Path) -> str:
        value = entry.get(name)
        if isinstance(value, str) and value:
            return value
        if name not in entry:
            self.wrong(path, f"{name}: missing: write {name}: followed by a text")
        else:
            self.wrong((*path, name), f"{shown(value)}: expected a text that is not empty")
        return ""

    def strings(self, data: object, path: Path) -> list[str]:
        if isinstance(data, list) and all(isinstance(s, str) for s in data):
            return data
        self.wrong(path, f"{shown(data)}: expected a list of texts")
        return []

    def url(self, entry: Mapping[str, object], name: str) -> str:
        if name not in entry:
            return ""
        value = self.text(entry, name, ())
        if value and not value.startswith(("http://", "https://")):
            self.wrong((name,), f"{value!r}: write a URL that begins with http:// or https://")
        return value.rstrip("/")

    def matchers(self, data: object, path: Path) -> tuple[Matcher, ...]:
        found: list[Matcher] = []
        if data is None:
            return ()
        for i, text in enumerate(self.strings(data, path)):
            try:
                found.append(parse_matcher(text))
            except ConfigError as fault:
                self.wrong((*path, i), str(fault))
        return tuple(found)
