"""POST /api/v2/webhook: what an Alertmanager in front sends, against the real service."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.running import Running, until

from .asking import alert, at, listed, send

ZERO = "0001-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("webhook")) as running:
        yield running


def message(*alerts: Any, **more: Any) -> dict[str, Any]:
    """Return a message of version 4."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="a"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "claxon",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": list(alerts),
    } | more


def told(name: str, *, ended: bool = False) -> dict[str, Any]:
    """Return an alert of a message."""
    members = {"fingerprint": "0123456789abcdef", "generatorURL": "", "annotations": {"what": "full"}}
    state = {"status": "resolved", "endsAt": at(-1)} if ended else {"status": "firing", "endsAt": ZERO}
    return alert(name) | members | {"startsAt": at(-60)} | state


def test_an_alert_of_a_message_fires_until_a_message_ends_it(claxon: Running) -> None:
    assert send(claxon, "webhook", message(told("a"), told("b")))[:2] == (200, "")

    found = listed(claxon)
    assert found["a"]["annotations"] == {"what": "full"}
    assert found["a"]["endsAt"] > at(24 * 3600), "an Alertmanager repeats it after hours only"

    assert send(claxon, "webhook", message(told("a", ended=True), told("b"), status="firing"))[0] == 200
    assert "a" not in listed(claxon)
    assert "b" in listed(claxon)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"no JSON", "body: not valid JSON"),
        (b"[]", "body: expected `object`, got `array`"),
        (b"[" * 100_000, "body: "),
        ({"alerts": []}, "body: object missing required field `version`"),
        ({"version": "4"}, "body: object missing required field `alerts`"),
        (message(version="3"), "version: '3': this takes version 4"),
        (message(version=4), "version: expected `str`, got `int`"),
        (message({}), "alerts[0].body: object missing required field `labels`"),
        (message({"labels": {}}), "alerts[0].labels: none that is not empty"),
        (message(told("x") | {"status": "odd"}), "alerts[0].status: firing, or resolved with an endsAt"),
        (message(told("x") | {"status": "resolved", "endsAt": None}), "alerts[0].status: firing, or resolved"),
        (message(told("x") | {"generatorURL": "no url"}), "alerts[0].generatorURL: "),
    ],
)
def test_rubbish_is_a_400(claxon: Running, body: Any, said: str) -> None:
    status, answer, _ = send(claxon, "webhook", body)

    assert status == 400
    assert said in answer


def test_a_bad_alert_loses_no_other(claxon: Running) -> None:
    assert send(claxon, "webhook", message(told("good"), {"labels": {}}))[0] == 400
    assert "good" in listed(claxon)


def test_what_cannot_be_written_is_a_503_so_that_it_is_sent_again(claxon: Running) -> None:
    claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA query_only = 1"))
    try:
        status, answer, _ = send(claxon, "webhook", message(told("later")))
    finally:
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA query_only = 0"))

    assert (status, answer[:28]) == (503, "database: cannot be written:")
    assert send(claxon, "webhook", message(told("later")))[0] == 200


@pytest.mark.parametrize("path", ["webhook", "alerts", "silences"])
def test_a_core_that_has_too_much_to_do_is_a_503_never_a_429(claxon: Running, path: str) -> None:
    free = threading.Event()
    claxon.service.core.submit(free.wait)
    for _ in range(600):
        claxon.service.core.submit(lambda: None)
    try:
        assert until(lambda: claxon.service.core.waiting > 512, 5)
        status, answer, headers = send(claxon, path, json.dumps([]).encode())
    finally:
        free.set()

    assert (status, answer) == (503, "queue: full: send again after a second")
    assert headers["retry-after"] == "1"
