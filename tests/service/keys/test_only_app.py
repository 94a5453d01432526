"""A key that posts for its own app alone: the others' events are refused one by one, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

from alerts.config import KeyConfig
from service.decoding import Batch, decode
from service.keys.only_app import keep_to_app

KEY = KeyConfig(name="ci", scope="ingest", sha256="0" * 64, app="shop", only_app=True)
NOON = 1_790_000_000.0


def batch_of(*events: dict[str, Any]) -> Batch:
    return decode(json.dumps(events).encode(), ndjson=False, received_at=NOON, app="shop")


def test_each_refused_event_has_its_place_in_what_was_posted_and_the_rest_its_body() -> None:
    mine: dict[str, Any] = {"model": "m", "status": 200}
    batch = batch_of(mine, mine | {"app": "cart"}, {"status": 200}, mine | {"app": "shop"}, mine | {"app": "till"})

    keep_to_app(batch, KEY)

    assert [refusal.index for refusal in batch.refusals] == [1, 2, 4]
    assert batch.refusals[0].error == (
        "app: cart: the key 'ci' posts for 'shop' alone: leave app out, or post with a key of that app"
    )
    assert [event.app for event in batch.events] == ["shop", "shop"]
    assert json.loads(batch.body) == [mine, mine | {"app": "shop"}]


def test_what_an_event_is_known_by_goes_with_it() -> None:
    batch = batch_of({"model": "m", "app": "cart"}, {"model": "m"}, {"model": "m"})
    batch.claims = {0: ("a",), 2: ("c",)}
    batch.others = [0, 1, 2]

    keep_to_app(batch, KEY)

    assert batch.claims == {1: ("c",)}
    assert batch.others == [0, 1]


def test_a_batch_of_other_apps_alone_leaves_nothing() -> None:
    batch = batch_of({"model": "m", "app": "cart"})

    keep_to_app(batch, KEY)
    assert (batch.events, batch.body) == ([], b"[]")


def test_other_keys_may_post_for_any_app() -> None:
    batch = batch_of({"model": "m", "app": "cart"})
    before = batch.body

    keep_to_app(batch, KeyConfig(name="ci", scope="ingest", sha256="0" * 64, app="shop"))

    assert batch.body is before
    assert not batch.refusals
