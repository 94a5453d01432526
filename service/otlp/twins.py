"""Spans of one body that are one call: two instrumentations each see it; and what each call is known by later.

Two spans are one call if they have the same request id, message id or span id; if one is the other's parent and
both name the same model; or if nothing else tells, and two scopes of one resource saw the same model for the
same time, to 50 ms (one to one). Of the spans of a call the one that says most is kept.

Across bodies the names do it: those of all spans of a call are noted with the one that is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..known import Asked, Noted, inside, message, request, span_inside, span_taken
from .calls import Call

_CLOSE_NS = 50_000_000


def merged(calls: list[Call]) -> list[tuple[Call, tuple[str, ...]]]:
    """Return one call for each family, in the order of the body, each with the names it is known by."""
    families = _Families(len(calls))
    _join_by_name(calls, families)
    if len({call.span.origin.scope for call in calls}) > 1:
        _join_by_time(calls, families)
    if families.alone:
        return [(call, known_by([call])) for call in calls]
    members: dict[int, list[Call]] = defaultdict(list)
    for i, call in enumerate(calls):
        members[families.root(i)].append(call)
    return [(_best(family), known_by(family)) for family in members.values()]


class _Families:
    """Which calls are one, as a forest."""

    def __init__(self, n: int) -> None:
        self._parents = list(range(n))
        self.alone = True

    def root(self, i: int) -> int:
        while self._parents[i] != i:
            i = self._parents[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Make two calls one; the earlier one is the root, so families stay in order."""
        a, b = sorted((self.root(i), self.root(j)))
        self._parents[b] = a
        self.alone &= a == b


def _join_by_name(calls: list[Call], families: _Families) -> None:
    holders: dict[str, int] = {}
    for i, call in enumerate(calls):
        for name in _own_names(call):
            j = holders.setdefault(name, i)
            if j != i:
                families.join(i, j)
    for i, call in enumerate(calls):
        if call.whole and call.span.parent_id:
            around = span_taken(call.span.trace_id, call.span.parent_id, call.fields["model"])
            if (parent := holders.get(around)) is not None:
                families.join(i, parent)


def _own_names(call: Call) -> Iterator[str]:
    request_id, message_id = call.fields.get("request_id"), call.message_id
    if request_id is not None:
        yield request(request_id)
    if message_id is not None:
        yield message(message_id)
    if call.whole:
        yield span_taken(call.span.trace_id, call.span.span_id, call.fields["model"])


def _join_by_time(calls: list[Call], families: _Families) -> None:
    """Join what no name joins: an instrumentation that is no parent of the SDK's span, at a call without ids."""
    single = [i for i in range(len(calls)) if families.root(i) == i and calls[i].whole]
    rooted = {families.root(i) for i in range(len(calls)) if families.root(i) != i}
    waiting: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i in sorted(single, key=lambda i: calls[i].span.start):
        call = calls[i]
        if i in rooted or not call.span.start:
            continue
        key = (call.span.origin.number, call.fields["model"], call.span.parent_id)
        twin = next((j for j in waiting[key] if _are_twins(calls[j], call)), None)
        if twin is None:
            waiting[key].append(i)
        else:
            waiting[key].remove(twin)
            families.join(i, twin)


def _are_twins(a: Call, b: Call) -> bool:
    ids = [("request_id" in call.fields, call.message_id is not None) for call in (a, b)]
    # Each has an id of a kind that both have: then they would have been the same.
    if any(ids[0][kind] and ids[1][kind] for kind in (0, 1)):
        return False
    return (
        a.span.origin.scope != b.span.origin.scope
        and ("error_type" in a.fields) == ("error_type" in b.fields)
        and abs(a.span.start - b.span.start) <= _CLOSE_NS
        and abs(a.span.end - b.span.end) <= _CLOSE_NS
    )


def _best(family: list[Call]) -> Call:
    """Return the call that says most, with the code of the error if only another one has it.

    A spend limit is a plain rate limit to the SDK's own span; who records the exception knows better.
    """
    best = max(family, key=_says)
    code = next((call.fields["error_code"] for call in family if "error_code" in call.fields), None)
    if code is not None and "error_type" in best.fields:
        best.fields.setdefault("error_code", code)
    return best


def _says(call: Call) -> int:
    """Return how much a span says; of equal ones the first is taken."""
    fields = call.fields
    return 4 * ("request_id" in fields) + 2 * bool(fields.get("status", 200) != 200) + len(fields)


def known_by(family: list[Call]) -> tuple[str, ...]:
    """Return the names of a call: first what is asked, then what is noted as well."""
    asked: dict[str, None] = {}
    names: dict[str, None] = {}
    for call in family:
        names.update(dict.fromkeys(_own_names(call)))
        if not call.whole:
            continue
        trace, model = call.span.trace_id, call.fields["model"]
        asked[Asked(inside(trace, call.span.span_id, model))] = None
        asked[Asked(span_inside(trace, call.span.span_id, model))] = None
        if call.span.parent_id:
            asked[Asked(span_taken(trace, call.span.parent_id, model))] = None
            names[Noted(inside(trace, call.span.parent_id, model))] = None
    return (*asked, *names)
