"""The audit: a page that fires and that nobody was told of is told of, whatever went wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from alerts.labels import fingerprint
from alerts.received import Posted
from alerts.silences import Silence, SilenceMatcher
from service.audit import HANGUP
from service.watch.audit import AFTER_S, NOT_DECIDED, NOT_DELIVERED, NOT_THERE
from tests.support.pager import Pager
from tests.support.running import Running, until
from tests.support.watching import two_receivers

NAME = "ClaxonPageUntold"
LABELS = {"alertname": "DatabaseDown", "severity": "page", "db": "orders"}


def raise_page(claxon: Running, labels: dict[str, str] | None = None) -> str:
    """Have a page fire that began before the audit's patience; return its fingerprint."""
    labels = labels or LABELS
    posted = Posted(
        labels=labels,
        annotations={"summary": "orders is down", "runbook": "https://example.org/db"},
        starts_at=time.time() - AFTER_S - 60,
        ends_at=time.time() + 3600,
    )
    assert claxon.core(lambda: claxon.service.dispatch.post([posted])) == []
    return fingerprint(labels)


def end_page(claxon: Running) -> None:
    over = Posted(labels=LABELS, ends_at=time.time() - 0.001)
    assert claxon.core(lambda: claxon.service.dispatch.post([over])) == []


def audit(claxon: Running) -> int:
    """Look, and return how many pages nobody was told of."""
    claxon.core(claxon.service.auditor.look)
    return claxon.service.watch_tally.untold


def of(pager: Pager, name: str) -> list[dict[str, Any]]:
    return [one.json for one in pager.received if one.json["commonLabels"].get("alertname") == name]


def rows(claxon: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = claxon.get("/v1/ledger?what=untold&limit=100")["ledger"]
    return found


def execute(claxon: Running, sql: str) -> None:
    claxon.core(lambda: claxon.service.core.connection.execute(sql))


def test_a_page_that_was_delivered_is_no_finding(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup, Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon:
        raise_page(claxon)
        pager.wait_for(1)

        assert audit(claxon) == 0
        assert rows(claxon) == []


def test_a_page_that_waits_for_a_receiver_that_is_down_is_no_finding(tmp_path: Path) -> None:
    with (
        Pager(503) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        raise_page(claxon)
        pager.wait_for(1)

        assert audit(claxon) == 0


def test_a_page_that_is_gone_from_the_outbox_is_told_of_with_all_it_says(tmp_path: Path) -> None:
    with (
        Pager(503) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        name = raise_page(claxon)
        pager.wait_for(1)
        execute(claxon, "DELETE FROM outbox")

        assert audit(claxon) == 1

        assert until(lambda: of(backup, NAME), 5)
        [told] = of(backup, NAME)
        assert told["commonLabels"] == {
            "alertname": NAME,
            "severity": "page",
            "page": "DatabaseDown",
            "fingerprint": name,
        }
        said = told["commonAnnotations"]
        assert said["summary"] == "nobody was told of this page: orders is down"
        assert said["why"] == NOT_THERE
        assert said["runbook"] == "https://example.org/db"
        assert said["label_db"] == "orders"
        [row] = rows(claxon)
        assert (row["subject"], row["labels"]) == (name, LABELS)


def test_a_page_that_everybody_refused_is_told_of_and_said_once(tmp_path: Path) -> None:
    with Pager(401) as pager:
        text = f"route: {{receiver: pager}}\nreceivers: [{{name: pager, webhook_configs: [{{url: '{pager.url}'}}]}}]\n"
        with Running(tmp_path, config=text) as claxon:
            raise_page(claxon)
            pager.wait_for(1)
            assert until(lambda: claxon.get("/v1/deliveries")["deliveries"][0]["state"] == "failed", 5)
            pager.answer_with(200)

            assert audit(claxon) == 1
            assert audit(claxon) == 1

            assert until(lambda: of(pager, NAME), 5)
            [told] = of(pager, NAME)
            assert told["commonAnnotations"]["why"] == NOT_DELIVERED
            assert len(rows(claxon)) == 1
            assert "claxon_untold_pages 1.0" in claxon.get("/metrics")


def test_what_the_fallback_took_was_told(tmp_path: Path) -> None:
    with (
        Pager(401) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        raise_page(claxon)
        backup.wait_for(1)
        assert until(lambda: claxon.get("/v1/deliveries")["deliveries"][0]["state"] == "delivered", 5)

        assert audit(claxon) == 0


def test_a_page_that_no_receiver_was_chosen_for_is_told_of(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup, Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon:
        name = raise_page(claxon)
        pager.wait_for(1)
        # As a bug would: nobody is remembered as told, and nobody is waited for.
        claxon.core(lambda: claxon.service.core.notifier.state.told.take(name))
        claxon.core(lambda: claxon.service.core.notifier._alone.untold.clear())

        assert audit(claxon) == 1

        assert until(lambda: of(backup, NAME), 5)
        assert of(backup, NAME)[0]["commonAnnotations"]["why"] == NOT_DECIDED


def test_the_finding_ends_with_the_page(tmp_path: Path) -> None:
    with (
        Pager(503) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        raise_page(claxon)
        pager.wait_for(1)
        execute(claxon, "DELETE FROM outbox")
        assert audit(claxon) == 1
        assert until(lambda: of(backup, NAME), 5)

        end_page(claxon)
        assert audit(claxon) == 0

        assert until(lambda: len(of(backup, NAME)) == 2, 5)
        assert [one["status"] for one in of(backup, NAME)] == ["firing", "resolved"]


@pytest.mark.parametrize("broken", [False, True])
def test_pages_that_are_told_in_groups_are_looked_for_in_every_message(tmp_path: Path, broken: bool) -> None:
    with Pager() as pager, Pager() as backup:
        text = two_receivers(pager.url, backup.url).replace(
            "route: {receiver: pager}",
            "route: {receiver: pager, group_by: [alertname], group_wait: 1s, group_interval: 1s}",
        )
        with Running(tmp_path, config=text) as claxon:
            for db in ("orders", "users", "carts"):
                raise_page(claxon, LABELS | {"db": db})
            # One began so long ago that the group need not wait; the others are in its second message.
            assert len(pager.wait_for(2, within=5)[-1].json["alerts"]) == 3
            assert until(lambda: claxon.get("/v1/deliveries")["deliveries"][0]["state"] == "delivered", 5)
            if broken:
                execute(claxon, "UPDATE outbox SET state = 'failed'")

            assert audit(claxon) == (3 if broken else 0)


def test_a_page_for_a_receiver_without_integrations_is_meant_to_be_heard_by_nobody(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup:
        text = two_receivers(pager.url, backup.url).replace("receivers:", "receivers:\n  - {name: nobody}")
        text = text.replace("route: {receiver: pager}", "route: {receiver: nobody}")
        with Running(tmp_path, config=text) as claxon:
            raise_page(claxon)

            assert audit(claxon) == 0


def test_a_silenced_page_is_no_finding(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup, Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon:
        now = time.time()
        silence = Silence(
            id="",
            matchers=[SilenceMatcher(name="alertname", value="DatabaseDown", is_regex=False)],
            starts_at=now,
            ends_at=now + 3600,
            updated_at=now,
            created_by="ada",
            comment="we move it",
        )
        claxon.core(lambda: claxon.service.dispatch.silence(silence, actor=HANGUP))
        raise_page(claxon)

        assert audit(claxon) == 0
