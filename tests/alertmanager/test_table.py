"""docs/alertmanager.md says what the timetables hold; `python -m docs.alertmanager_table` writes it anew."""

from __future__ import annotations

from docs.alertmanager_table import MARK, PAGE, tables

from .timetables import TIMETABLES


def test_the_page_has_the_tables_of_the_timetables() -> None:
    assert PAGE.read_text().partition(MARK)[2].strip() == tables().strip()


def test_every_timetable_is_on_the_page() -> None:
    page = PAGE.read_text()

    assert [one.name for one in TIMETABLES if one.shows.replace("|", "\\|") not in page] == []
