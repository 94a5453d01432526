"""One entry of `expect` -> Expectation.

≠ events. An expectation about alerts that no rule can make is refused: it would hold for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from claxon.event import shown

from ..decisions import What
from ..labels import Labels
from ..notification import Status
from ..problems import Path
from ..rules import Rule
from .check import COUNTED
from .reading import Entry, Reader
from .records import (
    Count,
    Counts,
    Expectation,
    Ledger,
    Notifies,
    Refused,
    Span,
    Standing,
    Stands,
    Turn,
    Turns,
    Wanted,
    WantedNotification,
)

_KINDS = ("firing", "pending", "fires", "resolves", "never", "notifications", "counts", "ledger", "refused")
_SPAN = ("at", "between")
_COUNT = ("exactly", "at_least", "at_most")
_ALLOWED: dict[str, tuple[str, ...]] = {
    "firing": ("at",),
    "pending": ("at",),
    "fires": _SPAN + _COUNT,
    "resolves": _SPAN + _COUNT,
    "never": _SPAN,
    "notifications": ("of",),
    "counts": ("of",),
    "ledger": _SPAN + _COUNT,
    "refused": _SPAN + _COUNT,
}
_OWN = "Claxon"
"""What an alert about Claxon itself begins with; the engine makes it, no rule of a file."""


class ExpectReader:
    """Reads expectations about the alerts that some rules can make."""

    def __init__(self, reader: Reader, rules: Iterable[Rule]) -> None:
        self.reader = reader
        self.rules = tuple(rules)

    def read(self, data: object, path: Path) -> Expectation | None:
        """Return what an entry of `expect` means; None where it cannot be read."""
        entry = self.reader.filled(data, path, "a mapping, such as {at: 1m, firing: []}")
        kind = self.reader.one_of(entry, path, _KINDS) if entry else ""
        if not kind:
            return None
        self.reader.known(entry, path, (kind, *_ALLOWED[kind]))
        inside, said = (*path, kind), entry[kind]
        match kind:
            case "firing" | "pending":
                return self.stands(Standing(kind), entry, path)
            case "fires" | "resolves":
                alert = self.wanted(said, inside, reason=kind == "resolves")
                return Turns(
                    path=path, turn=Turn(kind), alert=alert, span=self.span(entry, path), count=self.count(entry, path)
                )
            case "never":
                alert = Wanted(labels=self.labels(said, inside))
                none = Count(least=0, most=0)
                return Turns(path=path, turn=Turn.FIRES, alert=alert, span=self.span(entry, path), count=none)
            case "notifications":
                return self.notifies(entry, path)
            case "counts":
                return Counts(path=path, of=self.of(entry, path), numbers=self.counted(said, inside))
            case "ledger":
                return self.ledger(entry, path)
        text = self.reader.text(said, inside)
        return Refused(path=path, text=text, span=self.span(entry, path), count=self.count(entry, path))

    # ── kinds ─────────────────────────────────────────────────────────────────

    def stands(self, standing: Standing, entry: Entry, path: Path) -> Stands:
        if "at" not in entry:
            self.reader.wrong(path, f"at: missing: write when exactly these are {standing.value}, such as at: 5m")
        alerts = self.reader.items(entry[standing.value], (*path, standing.value), "a list of alerts; [] is none")
        return Stands(
            path=path,
            standing=standing,
            at=self.reader.offset(entry.get("at", 0), (*path, "at")),
            alerts=tuple(self.wanted(item, place) for place, item in alerts),
        )

    def notifies(self, entry: Entry, path: Path) -> Notifies:
        inside = (*path, "notifications")
        items = self.reader.items(entry["notifications"], inside, "a list of notifications; [] is none")
        wanted = tuple(self.notification(item, place) for place, item in items)
        return Notifies(path=path, of=self.of(entry, path), wanted=wanted)

    def notification(self, data: object, path: Path) -> WantedNotification:
        entry = self.reader.mapping(data, path, "a mapping, such as {status: firing, alertname: ClaudeAuthError}")
        ours = (*_SPAN, "status", "receiver", "annotations")
        status = self.reader.text(entry["status"], (*path, "status")) if "status" in entry else None
        if status and status not in list(Status):
            self.reader.wrong((*path, "status"), f"{shown(status)}: one of {', '.join(Status)}")
        return WantedNotification(
            span=self.span(entry, path),
            status=status,
            receiver=self.reader.text(entry["receiver"], (*path, "receiver")) if "receiver" in entry else None,
            labels=self.labels({name: value for name, value in entry.items() if name not in ours}, path),
            annotations=self.reader.texts(entry.get("annotations", {}), (*path, "annotations")),
        )

    def counted(self, data: object, path: Path) -> dict[str, int]:
        entry = self.reader.filled(data, path, "a mapping, such as {pages: 1, resolves: 1}")
        self.reader.known(entry, path, COUNTED)
        return {name: self.reader.whole(n, (*path, name)) for name, n in entry.items()}

    def ledger(self, entry: Entry, path: Path) -> Ledger:
        inside = (*path, "ledger")
        row = self.reader.texts(entry["ledger"], inside)
        what = row.get("what", "")
        if what not in list(What):
            self.reader.wrong(
                (*inside, "what") if "what" in row else inside, f"what: {shown(what)}: one of {', '.join(What)}"
            )
        return Ledger(
            path=path,
            what=what,
            labels={name: value for name, value in row.items() if name not in ("what", "note")},
            note=row.get("note", ""),
            span=self.span(entry, path),
            count=self.count(entry, path),
        )

    # ── parts ─────────────────────────────────────────────────────────────────

    def of(self, entry: Entry, path: Path) -> Labels:
        return self.labels(entry.get("of", {}), (*path, "of"))

    def wanted(self, data: object, path: Path, *, reason: bool = False) -> Wanted:
        entry = self.reader.mapping(data, path, "a mapping of labels, such as {alertname: ClaudeErrorRate}")
        value = self.reader.mapping(entry.get("value", {}), (*path, "value"), "a mapping, such as {failed: 4}")
        ours = ("value", "reason") if reason else ("value",)
        return Wanted(
            labels=self.labels({name: text for name, text in entry.items() if name not in ours}, path),
            value={name: self.reader.number(n, (*path, "value", name)) for name, n in value.items()},
            reason=self.reader.text(entry["reason"], (*path, "reason")) if reason and "reason" in entry else "",
        )

    def labels(self, data: object, path: Path) -> Labels:
        """Return labels that an alert of some rule can have."""
        before = len(self.reader.problems)
        found = self.reader.texts(data, path)
        if len(self.reader.problems) == before and not self.possible(found):
            self.reader.wrong(path, self.remedy(found))
        return found

    def possible(self, labels: Labels) -> bool:
        # Without rules there is a problem already; that no rule makes an alert would only repeat it.
        if not self.rules or labels.get("alertname", "").startswith(_OWN):
            return True
        return not labels or any(_may_have(rule, labels) for rule in self.rules)

    def remedy(self, labels: Labels) -> str:
        """Return why no rule makes an alert with these labels, and what to write."""
        name = labels.get("alertname")
        named = [rule for rule in self.rules if rule.alert == name] if name else list(self.rules)
        if not named:
            known = dict.fromkeys(rule.alert for rule in self.rules)
            return f"alertname: {shown(str(name))}: no rule of this scenario is called so: one of {', '.join(known)}"
        made = dict.fromkeys(
            ", ".join([f"{n}={v}" for n, v in sorted(rule.labels.items())] + [f"{n}=…" for n in rule.by])
            for rule in named
        )
        return f"no rule of this scenario makes an alert with all these labels: they make {'; '.join(made)}"

    def span(self, entry: Entry, path: Path) -> Span:
        if "at" in entry and "between" in entry:
            self.reader.wrong(path, "at and between: write one of them")
        if "at" in entry:
            at = self.reader.offset(entry["at"], (*path, "at"))
            return Span(start=at, end=at)
        if "between" not in entry:
            return Span()
        inside = (*path, "between")
        ends = self.reader.items(entry["between"], inside, "two instants, such as [2m, 3m]")
        found = [self.reader.offset(end, place) for place, end in ends]
        if ends and (len(found) != 2 or found[0] > found[1]):
            self.reader.wrong(
                inside, f"{shown(entry['between'])}: write two instants, the earlier first, such as [2m, 3m]"
            )
        return Span(start=found[0], end=found[-1]) if found else Span()

    def count(self, entry: Entry, path: Path) -> Count:
        said = {name: self.reader.whole(entry[name], (*path, name)) for name in _COUNT if name in entry}
        if not said:
            return Count()
        if "exactly" in said:
            if len(said) > 1:
                self.reader.wrong((*path, "exactly"), "with at_least or at_most: write one of them")
            return Count(least=said["exactly"], most=said["exactly"])
        return Count(least=said.get("at_least", 0), most=said.get("at_most"))


def _may_have(rule: Rule, labels: Labels) -> bool:
    fixed = {"alertname": rule.alert, **rule.labels}
    return all(name in rule.by if name not in fixed else fixed[name] == value for name, value in labels.items())
