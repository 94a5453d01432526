"""Templates to HTML, and the headers every page has.

Two things hold for every value a template prints, because the environment does
them and not the template: it is escaped, and characters that cannot be seen or
that move others are replaced.

≠ what a page shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import reasons
from . import format as fmt
from . import navigation, words
from .assets import load_assets, version_of

ASSETS = load_assets()
VERSION = version_of(ASSETS)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: then a browser posts our own form with `Origin: null`, which is refused.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _shown(value: object) -> object:
    if value is None:
        return fmt.UNKNOWN
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return fmt.plain(value)
    return value


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for function in (fmt.ago, fmt.clock, fmt.count, fmt.iso, fmt.percent, fmt.span, fmt.when):
        made.filters[function.__name__] = function
    for named in (words.blame_words, words.decision_words, words.delivery_words, words.numbers):
        made.filters[named.__name__] = named
    made.filters |= {"reason": reasons.reason, "about": reasons.about}
    made.globals |= {"version": VERSION, "pages": navigation.ENTRIES}
    return made


_TEMPLATES = _environment()


def render(template: str, *, root: str, **context: Any) -> str:
    """Return a page.

    Args:
        template: A file of templates/.
        root: The way from the page to "/", such as "../": links are relative, so
            that a proxy may serve Claxon under a path of its own.
        context: What the template needs; a name it lacks is a fault, not a gap.
    """
    return _TEMPLATES.get_template(template).render(root=root, **context)
