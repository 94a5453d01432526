"""A fault of ours in what keeps calls alive costs the app neither its answers nor its errors."""

from __future__ import annotations

from typing import Any

import anthropic
import claxon
import pytest

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ask
from tests.client.ingest import Ingest
from tests.client.steered import BOTH, client_of, quick

FAULTS = [
    "claxon.steering.lone_call",
    "claxon.steering.close",
    "claxon.steering.emit",
    "claxon.steering.Attempt",
    "claxon.middleware.hold",
    "claxon.middleware.release",
    "claxon.middleware.digest_of",
    "claxon.retries.decide",
    "claxon.retries.absorbed",
    "claxon.retries.noted",
    "claxon.retries.parked",
    "claxon.marking.replace",
    "claxon.loops.noticed",
]


def _raise(*args: Any, **kwargs: Any) -> Any:
    raise ZeroDivisionError("ours")


@BOTH
@pytest.mark.parametrize("observed", [True, False], ids=["observed", "unobserved"])
@pytest.mark.parametrize("place", FAULTS)
async def test_a_fault_of_ours_at_any_place_never_reaches_the_app(
    place: str, observed: bool, kind: str, fake: FakeClaude, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if observed:
        claxon.instrument(url=ingest.url, interval_s=60)
    async with client_of(kind, fake, [quick()]) as client:
        monkeypatch.setattr(place, _raise)
        for _ in range(2):
            assert await ask(client, "200") is None
            assert isinstance(await ask(client, "401"), anthropic.AuthenticationError)
            assert isinstance(await ask(client, "529"), anthropic.OverloadedError)
            assert isinstance(await ask(client, "reset"), anthropic.APIConnectionError)
            assert isinstance(await ask(client, "429:retry_after=3600"), anthropic.RateLimitError)
    claxon.flush(0.2)
