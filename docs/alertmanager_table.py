"""Writes the tables of docs/alertmanager.md from the timetables: python -m docs.alertmanager_table

tests/alertmanager/test_table.py holds the page to it, tests/alertmanager/test_timetables.py the timetables to a real
Alertmanager and to Claxon.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from alerts.config_receivers import ALERTMANAGER_KINDS
from service.config_file import ConfigFileError, load_config
from service.receivers import KINDS
from tests.alertmanager.timetable import Timetable
from tests.alertmanager.timetables import CHAPTERS, TIMETABLES

PAGE = Path(__file__).parent / "alertmanager.md"
MARK = "<!-- from here on: python -m docs.alertmanager_table -->"

SETTINGS = {
    "`templates`": "templates: [x.tmpl]",
    "`tracing`": "tracing: {}",
    "`event_recorder`": "event_recorder: {}",
    "`labels` of a route": "route: {receiver: x, labels: {a: b}}",
    "`labels` of a receiver": "receivers: [{name: x, labels: {a: b}}]",
}
"""What Alertmanager 0.34 has in its file and Claxon has not, and how it is written."""


def tables() -> str:
    """Return the generated part of the page."""
    same = sum(one.same for one in TIMETABLES)
    parts = [
        f"{len(TIMETABLES)} timetables: {same} the same, "
        f"{sum(bool(one.improvement) for one in TIMETABLES)} better, {sum(bool(one.newer) for one in TIMETABLES)} newer.",
        "A line such as `3 page: +a -b` is a message: its second, its receiver, what fires and what is resolved.",
        "",
        "## Better",
        "",
        *_differing([one for one in TIMETABLES if one.improvement], why=lambda one: one.improvement),
        "",
        "## As Alertmanager 0.34, and not as 0.25",
        "",
        *_differing([one for one in TIMETABLES if one.newer], why=lambda one: one.newer),
        "",
        "## Not supported",
        "",
        "A file that has one of these does not load, and is told so:",
        "",
        "| setting | what Claxon says |",
        "|---|---|",
        *_refusals(),
        "",
        "## The same",
        *(line for title, chapter in CHAPTERS.items() for line in _chapter(title, chapter)),
    ]
    return "\n".join(parts) + "\n"


def _refusals() -> Iterable[str]:
    """Return a line for each thing that is said, with all settings of which it is said."""
    said: dict[str, list[str]] = {}
    for name, text in SETTINGS.items():
        said.setdefault(_refusal(text), []).append(name)
    for kind in (kind for kind in ALERTMANAGER_KINDS if kind not in KINDS):
        said.setdefault(_refusal(f"receivers: [{{name: x, {kind}: [{{}}]}}]"), []).append(f"`{kind}`")
    return (f"| {', '.join(names)} | {_cell(text)} |" for text, names in said.items())


def _refusal(text: str) -> str:
    """Return what Claxon says of a setting, without where it is."""
    whole = {"route": {"receiver": "x"}, "receivers": [{"name": "x"}]} | yaml.safe_load(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claxon.yml"
        path.write_text(yaml.safe_dump(whole))
        try:
            load_config(path)
        except ConfigFileError as fault:
            (problem,) = fault.problems
            return problem.split(": ", 2)[2]
    raise AssertionError(f"{text}: Claxon takes it: leave it out of SETTINGS")


def _differing(timetables: Sequence[Timetable], *, why: Any) -> Iterable[str]:
    yield "| what Claxon does | Alertmanager 0.25 tells | Claxon tells | why |"
    yield "|---|---|---|---|"
    for one in timetables:
        there = _lines(one.told, one.answers) + (", mostly" if one.wobbles else "")
        yield f"| {_cell(one.shows)} | {there} | {_lines(one.claxon, one.claxon_answers)} | {_cell(why(one))} |"


def _lines(told: Sequence[str] | None, answers: Sequence[int] | None) -> str:
    answered = [f"answers {', '.join(map(str, answers))}"] if answers else []
    return "<br>".join([*answered, *(f"`{line}`" for line in told or ())]) or "nothing"


def _chapter(title: str, chapter: Sequence[Timetable]) -> Iterable[str]:
    yield from ("", f"### {title}", "")
    yield from (f"- {one.shows}" for one in chapter if one.same)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page anew."""
    written = PAGE.read_text()
    PAGE.write_text(written[: written.index(MARK)] + f"{MARK}\n\n{tables()}")


if __name__ == "__main__":
    main()
