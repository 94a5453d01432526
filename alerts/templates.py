"""Annotations as templates: {{ labels.app }}, {{ value.share | percent }}, {% if ... %}.

Jinja's syntax, and of it only what can neither run long, nor grow, nor reach anything: no loop, no call, no
arithmetic. A template is refused when it is loaded; once it is loaded, rendering it never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import isfinite

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import SandboxedEnvironment

from .durations import format_duration
from .errors import ConfigError
from .problems import nearest

MAX_TEMPLATE = 4000
"""Characters of a template."""

MAX_RENDERED = 1000
"""Characters of what comes out."""

_MAX_DEPTH = 20
MISSING = "?"
"""What stands for a value that is not known at that moment."""

ALERT_NAMES = {
    "name": "the alert's name",
    "severity": "page, ticket or what the rule says",
    "status": "firing or resolved",
    "starts_at": "when it began to fire, RFC 3339 in UTC",
    "ends_at": "when it resolved; empty while it fires",
    "episode": "1 for the first time, one more each time it fires anew",
    "measured": "k of n in words",
    "errors": "what failed, most first",
    "blame": "provider, key, account, request, network or nobody",
    "advice": "what the most frequent error asks a person to do",
    "url": "the alert's page",
    "fingerprint": "16 hex digits of the labels",
}
"""What `alert` has in a template."""

WORDS = ("limit_kind",)
"""Values that are words in a template."""

ROOTS = ("labels", "value", "alert")
_ROOT_REMEDY = f"one of {', '.join(ROOTS)}, such as labels.app"


class TemplateError(ConfigError):
    """A template that cannot be used; the text is *value: remedy*."""


class _Missing(Undefined):
    """A value that is not known now: shown as a mark, and neither over nor under anything."""

    def __str__(self) -> str:
        return MISSING

    def _false(self, _: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _false  # type: ignore[assignment]  # the base's raise


# ── filters ───────────────────────────────────────────────────────────────────


def _plain(value: object) -> object:
    """Return a number as people read it: 9.0 -> 9, 0.14754 -> 0.148; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not isfinite(value):
        return MISSING
    if value == int(value):
        return str(int(value))
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.3g}"


def _number(make: Callable[[float], str]) -> Callable[[object], object]:
    """Return a filter on numbers; what is not known stays a mark."""

    def apply(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value if isinstance(value, _Missing) else MISSING
        return make(value) if isfinite(value) else MISSING

    return apply


def _text(make: Callable[[str], str]) -> Callable[[object], object]:
    return lambda value: value if isinstance(value, _Missing) else make(str(_plain(value)))


def _round(value: object, digits: object = 0) -> object:
    places = digits if isinstance(digits, int) and 0 <= digits <= 9 else 0
    return _number(lambda number: f"{number:.{places}f}")(value)


def _default(value: object, other: object = "") -> object:
    return other if isinstance(value, _Missing) or value == "" else value


def _truncate(value: object, length: object = 80) -> object:
    most = length if isinstance(length, int) and 1 <= length <= MAX_RENDERED else 80
    return _text(lambda text: text if len(text) <= most else text[: most - 1] + "…")(value)


_ARGUMENTS = {"round": int, "truncate": int, "default": object}
"""What the one argument of a filter may be; the others have none."""

FILTERS: dict[str, Callable[..., object]] = {
    "percent": _number(lambda share: f"{share * 100:.3g} %"),
    "duration": _number(format_duration),
    "count": _number(lambda number: f"{number:,.0f}"),
    "round": _round,
    "upper": _text(str.upper),
    "lower": _text(str.lower),
    "trim": _text(str.strip),
    "truncate": _truncate,
    "default": _default,
}


class _Sandbox(SandboxedEnvironment):
    """Looks names up in mappings and nowhere else: labels.items is the label, not Python's method."""

    def getattr(self, obj: object, attribute: str) -> object:
        return self.getitem(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        return self.undefined(obj=obj, name=str(argument))


def _sandbox() -> _Sandbox:
    # Not escaped: this is plain text, and every receiver escapes what it is sent.
    sandbox = _Sandbox(undefined=_Missing, finalize=_plain, autoescape=False)
    sandbox.filters = dict(FILTERS)
    sandbox.globals = {}
    return sandbox


_JINJA = _sandbox()


# ── what a template may hold ──────────────────────────────────────────────────

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Filter,
    nodes.Test,
)
_REMEDIES: tuple[tuple[type[nodes.Node] | tuple[type[nodes.Node], ...], str], ...] = (
    (nodes.For, "a loop: a template has none; write what it says once"),
    (nodes.Call, "a call: a template has none; filters do what is needed, such as | upper"),
    (nodes.BinExpr, "arithmetic: a template has none; write | percent, | duration or | round"),
    (nodes.Concat, "~: write one after the other, as in {{ labels.app }}/{{ labels.model }}"),
    ((nodes.Assign, nodes.AssignBlock), "set: a template has no names of its own; leave it out"),
    (
        (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block),
        "another template: write everything in this one",
    ),
)


def _check(node: nodes.Node, used: set[tuple[str, str]], depth: int) -> None:
    """Refuse what is not allowed; note the names that are used.

    Raises:
        TemplateError: Something is not allowed.
    """
    if depth > _MAX_DEPTH:
        raise TemplateError("too deeply nested: make it simpler")
    if not isinstance(node, _ALLOWED):
        raise TemplateError(_remedy(node))
    match node:
        case (
            nodes.Getattr(node=nodes.Name(name=root), attr=name)
            | nodes.Getitem(node=nodes.Name(name=root), arg=nodes.Const(value=str(name)))
        ):
            if root not in ROOTS:
                raise TemplateError(f"{root}: not something to show: {_ROOT_REMEDY}")
            used.add((root, name))
            return
        case nodes.Getattr() | nodes.Getitem():
            raise TemplateError("a part of a part: write ROOT.NAME, such as labels.app")
        case nodes.Name(name=name):
            remedy = f"write {name}.NAME" if name in ROOTS else _ROOT_REMEDY
            raise TemplateError(f"{name}: not something to show: {remedy}")
        case nodes.CondExpr(expr2=None):
            raise TemplateError("an if without else: write else and a text, as in ('many' if value.failed > 9 else '')")
        case nodes.Filter():
            _check_filter(node)
        case nodes.Test(name=name) if name not in ("defined", "undefined"):
            raise TemplateError(f"is {name}: not a test: is defined, or a comparison such as > 5")
    for child in node.iter_child_nodes():
        _check(child, used, depth + 1)


def _check_filter(node: nodes.Filter) -> None:
    if node.name not in FILTERS:
        raise TemplateError(f"{node.name}: not a filter: {nearest(node.name, FILTERS)}")
    kind = _ARGUMENTS.get(node.name)
    if node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) > (kind is not None):
        many = "none" if kind is None else "at most one, as in (2)" if kind is int else 'at most one, as in ("none")'
        raise TemplateError(f"{node.name}: too many arguments: {many}")
    if kind is int and not all(isinstance(a, nodes.Const) and type(a.value) is int for a in node.args):
        raise TemplateError(f"{node.name}: its argument is a whole number, as in {node.name}(2)")


def _remedy(node: nodes.Node) -> str:
    for kinds, remedy in _REMEDIES:
        if isinstance(node, kinds):
            return remedy
    return f"{type(node).__name__.lower()}: not in a template: write {{{{ labels.app }}}}, a filter or {{% if %}}"


# ── templates ─────────────────────────────────────────────────────────────────


class Template:
    """A text with places to fill in."""

    def __init__(self, text: str, compiled: JinjaTemplate, names: frozenset[tuple[str, str]]) -> None:
        self.text = text
        self.names = names
        self._compiled = compiled

    def check_names(self, *, labels: Iterable[str], value: Iterable[str]) -> None:
        """Refuse names that an alert of a rule can never have, and what fails on those it has.

        Raises:
            TemplateError: One is unknown, or a text is compared with a number.
        """
        known = {"labels": list(labels), "value": list(value), "alert": list(ALERT_NAMES)}
        for root, name in sorted(self.names):
            if name not in known[root]:
                raise TemplateError(f"{root}.{name}: no alert of this rule has it: {nearest(name, known[root])}")
        try:
            self._render(dict.fromkeys(known["labels"], "x"), _sample(known["value"]), dict.fromkeys(ALERT_NAMES, "x"))
        except Exception as fault:
            remedy = "compare labels with texts and values with numbers"
            raise TemplateError(f"fails when it is filled in ({fault}): {remedy}") from fault

    def render(
        self,
        *,
        labels: Mapping[str, object],
        value: Mapping[str, object],
        alert: Mapping[str, object],
    ) -> str:
        """Return the text filled in, at most 1,000 characters; whatever fails leaves a visible mark."""
        try:
            text = self._render(labels, value, alert)
        except Exception as fault:  # noqa: BLE001 — a page with an ugly text wakes people, an exception does not
            text = f"[not filled in: {type(fault).__name__}] {self.text}"
        return text if len(text) <= MAX_RENDERED else text[: MAX_RENDERED - 1] + "…"

    def _render(self, labels: Mapping[str, object], value: Mapping[str, object], alert: Mapping[str, object]) -> str:
        text = self._compiled.render(labels=labels, value=value, alert=alert)
        # An escape in a template may name half a character, which nobody can be sent.
        return text.encode("utf-8", "replace").decode()


def _sample(names: Iterable[str]) -> dict[str, object]:
    return {name: "x" if name in WORDS else 1.0 for name in names}


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """Return the template of a text.

    Raises:
        TemplateError: It is not one, or does what no template may.
    """
    if len(text) > MAX_TEMPLATE:
        raise TemplateError(f"{len(text)} characters: at most {MAX_TEMPLATE}")
    used: set[tuple[str, str]] = set()
    try:
        tree = _JINJA.parse(text)
        _check(tree, used, 0)
        compiled = _JINJA.from_string(text)
    except TemplateSyntaxError as fault:
        raise TemplateError(f"line {fault.lineno}: {fault.message}: write {{{{ labels.app }}}}") from fault
    except (RecursionError, SyntaxError, MemoryError, ValueError) as fault:
        if isinstance(fault, TemplateError):
            raise
        raise TemplateError(f"cannot be read ({type(fault).__name__}): make it simpler") from fault
    return Template(text, compiled, frozenset(used))


def fill_in(text: str, **names: Mapping[str, object]) -> str:
    """Return an annotation filled in; one that is no template, as it is and with a visible mark.

    Args:
        text: The annotation.
        names: `labels`, `value` and `alert`.
    """
    if "{" not in text:
        return text[:MAX_RENDERED]
    try:
        return compile_template(text).render(**names)
    except TemplateError as fault:
        return f"[not filled in: {fault}] {text}"[:MAX_RENDERED]
