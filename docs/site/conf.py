"""The pages as a site, for Sphinx: `make docs`.

The source is the whole repository, so that a link from a page to a file beside `docs/` is as true on the site as it is
in a checkout. Pages stay plain Markdown: what only a site needs, such as its contents, is here and in `contents.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from contents import FIRST, below

project = "Claxon"
author = "The Claxon maintainers"
html_title = "Claxon"

extensions = ["myst_parser", "sphinx_copybutton"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**.md",
    *("client/README.md", "client-ts/README.md", "dashboards/README.md"),
    *("tests/README.md", "tests/data/README.md", "tests/dashboards/grafana/README.md"),
]

# The anchors that GitHub makes of headings; deeper ones than any page has.
myst_heading_anchors = 4
myst_linkify_fuzzy_links = False
# A page that speaks of a language which the highlighter does not know (or knows too strictly) is no mistake of the page.
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "text"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

html_theme = "furo"
html_static_path = ["static"]
html_favicon = "static/claxon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_last_updated_fmt = None
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#a32d14", "color-brand-content": "#8a2a12"},
    "dark_css_variables": {"color-brand-primary": "#ff9d7a", "color-brand-content": "#ffab8c"},
    "top_of_page_buttons": [],
    "footer_icons": [],
}
copybutton_prompt_text = "$ "
copybutton_copy_empty_lines = False


def add_contents(_: Sphinx, name: str, source: list[str]) -> None:
    """Append to a page that has others below it where they are: GitHub, which shows the page too, has folders for that."""
    source[0] += below(name)


def lead_to_the_first_page(app: Sphinx, failed: Exception | None) -> None:
    """Write the site's own index.html: pages lie below the folders of the repository."""
    if failed is None and app.builder.format == "html":
        lead = f'<!doctype html><meta charset="utf-8"><title>Claxon</title><meta http-equiv="refresh" content="0; url={FIRST}">'
        lead += '<link rel="icon" href="data:,">'
        (app.outdir / "index.html").write_text(f'{lead}\n<a href="{FIRST}">Claxon</a>\n', encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect the two."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", lead_to_the_first_page)
