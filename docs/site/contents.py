"""What the site's navigation shows, in order.

A chapter that ends with `*` takes each other page of its folder too, so a new page is in the navigation by being there.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST = "docs/index.html"

CHAPTERS: dict[str, dict[str, list[str]]] = {
    "docs/index": {
        "": ["docs/quickstart", "docs/why", "docs/howto/README", "docs/reference/README", "docs/glossary"],
        "The client": [
            "In Python <client/README>",
            "In TypeScript <docs/client/typescript>",
            "Keep calls alive <docs/client/README>",
        ],
        "How it works": [
            "docs/architecture",
            "docs/scaling",
            "docs/partitions",
            "docs/alerting",
            "docs/noise",
            "docs/performance",
            "docs/alertmanager",
            "docs/mutation",
        ],
        "The project": ["Read me <README>", "CONTRIBUTING", "SECURITY", "CHANGELOG", "tests/README"],
    },
    "docs/howto/README": {
        "": [
            "docs/howto/slack",
            "docs/howto/pagerduty",
            "docs/howto/on-call-page",
            "docs/howto/acknowledge-and-silence",
            "docs/howto/find-failures",
            "docs/howto/systemd",
            "docs/howto/kubernetes",
            "docs/howto/nodes",
            "docs/howto/proxy",
            "docs/howto/keys",
            "docs/howto/backup",
            "docs/howto/who-watches-the-watcher",
            "docs/howto/otlp",
            "docs/howto/claude-export",
            "docs/howto/fluent-bit",
            "docs/howto/vector",
            "docs/howto/grafana",
            "docs/howto/terminal",
            "docs/howto/scrape",
            "docs/howto/push-metrics",
            "docs/howto/prometheus-rules",
            "docs/howto/test-rules",
            "docs/howto/backtest",
            "docs/howto/*",
        ]
    },
    "docs/reference/README": {
        "": [
            "docs/reference/events",
            "docs/reference/rules",
            "docs/reference/decisions",
            "docs/reference/configuration",
            "docs/reference/receivers/README",
            "docs/reference/delivery",
            "docs/reference/api",
            "docs/reference/cli",
            "docs/reference/metrics",
            "docs/reference/*",
        ]
    },
    "docs/reference/receivers/README": {"": ["docs/reference/receivers/*"]},
    "docs/client/README": {
        "": ["docs/client/production", "docs/client/shipping", "docs/client/retries", "docs/client/*"]
    },
    "docs/client/typescript": {"": ["The package claxon <client-ts/README>"]},
    "tests/README": {"": ["tests/data/README", "tests/dashboards/grafana/README"]},
    "README": {"": ["dashboards/README"]},
}


def below(page: str) -> str:
    """Return the directives that put pages below this one; empty for a page that has none."""
    return "".join(_toctree(title, listed(pages)) for title, pages in CHAPTERS.get(page, {}).items())


def listed(pages: list[str]) -> list[str]:
    """Return the pages of a chapter, with those that its `*` stands for: each other one of the folder."""
    named = [page for page in pages if not page.endswith("*")]
    taken = {_path(page) for chapters in CHAPTERS.values() for pages in chapters.values() for page in pages}
    for folder in [page.removesuffix("*") for page in pages if page.endswith("*")]:
        found = sorted(folder + path.stem for path in (ROOT / folder).glob("*.md"))
        named += [page for page in found if page not in taken and not page.endswith("/README")]
    return named


def _toctree(title: str, pages: list[str]) -> str:
    caption = f":caption: {title}\n" if title else ""
    entries = "\n".join(page.replace("<", "</") if "<" in page else f"/{page}" for page in pages)
    return f"\n\n```{{toctree}}\n:hidden:\n{caption}\n{entries}\n```\n"


def _path(page: str) -> str:
    """Return the page of an entry that may bring a shorter title, as in `Title <page>`."""
    return page.partition("<")[2].removesuffix(">") or page
