"""The watch ends with the service: at once where nothing is being told, and not in the middle of a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from service.watch.troubles import PATIENCE
from tests.support.pager import Pager, Received, Reply
from tests.support.running import Running, until
from tests.support.watching import HASTY, busy_core, two_receivers


def test_a_service_that_has_nothing_to_tell_does_not_wait_for_the_next_look(tmp_path: Path) -> None:
    claxon = Running(tmp_path)
    claxon.service.watch_limits = replace(PATIENCE, look=60.0)

    with claxon:
        pass

    assert claxon.service.watch is not None
    assert not claxon.service.watch._thread.is_alive()


def test_a_page_that_is_on_its_way_is_taken_before_the_watch_ends(tmp_path: Path) -> None:
    with Pager() as backup:

        def after_the_stop(_: Received) -> Reply:
            """Say nothing until the service is told to stop."""
            watch = claxon.service.watch
            assert watch is not None
            assert until(watch._stopping.done, 20)
            return Reply()

        with Pager(answer=after_the_stop) as pager:
            claxon = Running(tmp_path, config=two_receivers(pager.url, backup.url))
            claxon.service.watch_limits = replace(HASTY, look=1.0)
            with claxon, busy_core(claxon):
                pager.wait_for(1)

    assert claxon.service.watch_tally.blind_pages == {"delivered": 2, "failed": 0}
