"""What came with events is shown and obeyed in nothing."""

from __future__ import annotations

import pytest

from tests.service.pages.world import World

MARKUP = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{% raw %}"
REVERSED = "safe\u202egnp.exe\u200b\ufeff"
CONTROLS = "a\x00b\x1b[31mred\x07\r\nSet-Cookie: x=1\u2028"
LONG = "W" * 200

HOSTILE = [MARKUP, REVERSED, CONTROLS, LONG, "'\"><svg/onload=alert(1)>", "😀" * 30, "𝔘𝔫𝔦\u0301\u0301\u0301\u0301"]


def _events(text: str) -> list[dict[str, object]]:
    bad: dict[str, object] = {
        "app": text[:64],
        "environment": text[:64],
        "model": text[:128],
        "path": text,
        "error_type": text,
        "error_code": text,
        "error_message": text * 20,
        "request_id": text[:128],
        "call_id": text[:128],
        "stop_reason": text[:128],
    }
    rejected: dict[str, object] = bad | {"error_type": "authentication_error", "error_code": None, "status": 401}
    return [*[bad | {"call_id": f"{n}"} for n in range(12)], rejected]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_escaped_on_every_page(world: World, text: str) -> None:
    await world.post(*_events(text))
    alerts = (await world.client.get("/v1/alerts")).json()["alerts"]
    assert len(alerts) >= 2

    pages = [await world.page(), *[await world.page(f"/alerts/{a['alert']['fingerprint']}") for a in alerts]]

    for html in pages:
        assert "<script>" not in html
        assert "<img" not in html
        assert "<svg/onload" not in html
        for unseen in "\x00\x1b\x07\r\u2028\u202e\u200b\ufeff":
            assert unseen not in html


@pytest.mark.parametrize("time", [0, 1e-300, 0.5])
async def test_impossible_times_are_said_and_fault_nothing(world: World, time: float) -> None:
    """A sender may claim any number as a time; one bad event must not take the page away."""
    await world.post(*[{"app": "batch", "status": 500, "time": time, "call_id": f"old_{n}"} for n in range(12)])
    await world.post(*[{"app": "batch", "status": 500, "call_id": f"new_{n}"} for n in range(12)])

    await world.page()
    for alert in (await world.client.get("/v1/alerts")).json()["alerts"]:
        await world.page(f"/alerts/{alert['alert']['fingerprint']}")


async def test_a_request_id_cannot_forge_a_line_of_the_block_for_support(world: World) -> None:
    await world.post({"app": "batch", "status": 401, "request_id": "req_1\n2026-01-01T00:00:00Z  req_forged"})
    fingerprint = await world.fingerprint("ClaudeAuthError")

    html = await world.page(f"/alerts/{fingerprint}")
    block = html.partition("<pre")[2].partition("</pre>")[0]

    assert "\n2026-01-01" not in block
    assert "req_1 2026-01-01T00:00:00Z req_forged" in block
