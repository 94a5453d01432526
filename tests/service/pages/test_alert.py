"""One alert's page, and the form that acknowledges, through the real app."""

from __future__ import annotations

import pytest

from tests.service.pages.world import World

OVERLOADED = {
    "app": "checkout",
    "environment": "prod",
    "status": 529,
    "error_type": "overloaded_error",
    "error_message": "Overloaded",
    "max_attempts": 3,
    "attempt": 3,
}


async def _streak(world: World) -> str:
    """Have two calls fail in a row, too few for an error rate; return the alert's fingerprint."""
    await world.post(*[{**OVERLOADED, "request_id": f"req_{n}", "call_id": f"call_{n}"} for n in range(2)])
    return await world.fingerprint("ClaudeConsecutiveServerErrors")


async def test_it_tells_all_that_a_page_tells_and_more(world: World) -> None:
    fingerprint = await _streak(world)

    html = await world.page(f"/alerts/{fingerprint}")

    assert "2 server errors in a row on /v1/messages</title>" in html
    assert "The model is overloaded: shed load" in html
    assert "the Claude API (provider)" in html
    assert "2 failed attempts since it was last healthy; all of them:" in html
    assert html.count("<bdi>Overloaded</bdi>") == 2
    assert "2026-09-21T14:13:20Z  req_1  overloaded_error (529)  claude-sonnet-5  /v1/messages" in html
    assert "2 failures in a row, of different calls, with no success between" in html
    assert world.service.core.engine.rules["ClaudeConsecutiveServerErrors/page"].hash in html
    assert "<strong>fired</strong>" in html
    assert "first notification: console" in html
    assert "Shaded: this alert fired" in html
    assert "Last hour: 2 calls, 2 failed" in html


async def test_it_says_whom_it_was_told_and_what_they_answered(world: World) -> None:
    fingerprint = await _streak(world)
    for _ in range(200):
        rows = (await world.client.get("/v1/deliveries")).json()["deliveries"]
        if rows and all(row["state"] == "delivered" for row in rows):
            break

    html = await world.page(f"/alerts/{fingerprint}")

    assert 'console/console/0: <strong class="delivery-delivered">delivered</strong>' in html
    assert "<bdi>printed</bdi>" in html


async def test_what_is_held_back_and_what_holds_it_back_name_each_other(world: World) -> None:
    await world.post(*[{"app": "checkout", "status": 401}] * 12)
    cause = await world.fingerprint("ClaudeAuthError")
    symptom = await world.fingerprint("ClaudeErrorRate")

    held = await world.page(f"/alerts/{symptom}")
    holding = await world.page(f"/alerts/{cause}")

    assert (
        f'<strong>Held back:</strong> nobody is told of it while <a href="../alerts/{cause}">ClaudeAuthError</a> fires'
        in held
    )
    assert "nobody: held back" in held
    assert f'<a href="../alerts/{symptom}">ClaudeErrorRate (page)</a>' in holding


async def test_what_the_page_of_another_symptom_speaks_for_says_so_though_that_one_has_ended(world: World) -> None:
    await world.post(*[OVERLOADED] * 3)
    told = await world.fingerprint("ClaudeErrorRate")
    held = await world.fingerprint("ClaudeConsecutiveServerErrors")

    html = await world.page(f"/alerts/{held}")
    world.service.core.notifier.state.firing.pop(told)
    later = await world.page(f"/alerts/{held}")

    assert f'nobody is told of it while <a href="../alerts/{told}">ClaudeErrorRate</a> fires' in html
    assert f'it belongs to the page of <a href="../alerts/{told}">ClaudeErrorRate</a>' in later


async def test_an_unknown_alert_is_a_404_in_the_same_look(world: World) -> None:
    html = await world.page("/alerts/<script>alert(1)</script>"[:-9], status=404)

    assert "No such alert" in html
    assert "&lt;script&gt;alert(1)" in html
    assert "page.css" in html


async def test_looking_never_acknowledges(world: World) -> None:
    fingerprint = await _streak(world)

    answer = await world.client.get(f"/alerts/{fingerprint}/acknowledge?name=scanner")
    await world.page(f"/alerts/{fingerprint}")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"../{fingerprint}#acknowledge"
    assert {alert.acked_by for alert in world.service.core.engine.firing()} == {""}


async def test_the_form_acknowledges_and_leads_back(world: World) -> None:
    fingerprint = await _streak(world)

    answer = await world.client.post(
        f"/alerts/{fingerprint}/acknowledge", data={"name": " Ada\u202e <b>Lovelace</b>\n"}, follow_redirects=True
    )

    assert [r.status_code for r in answer.history] == [303]
    assert str(answer.url).endswith(f"/alerts/{fingerprint}")
    assert "Acknowledged by <bdi>Ada &lt;b&gt;Lovelace&lt;/b&gt;</bdi>, just now" in answer.text
    assert "<strong>acknowledged</strong>" in answer.text
    assert "Take over" in answer.text


async def test_another_site_cannot_make_a_browser_acknowledge(world: World) -> None:
    fingerprint = await _streak(world)

    answer = await world.client.post(
        f"/alerts/{fingerprint}/acknowledge", data={"name": "evil"}, headers={"Origin": "https://evil.example"}
    )

    assert answer.status_code == 403
    assert "evil" not in await world.page(f"/alerts/{fingerprint}")


async def test_acknowledging_what_never_fired_is_a_404(world: World) -> None:
    answer = await world.client.post("/alerts/0123456789abcdef/acknowledge", data={"name": "Ada"})

    assert answer.status_code == 404
    assert "No such alert" in answer.text


@pytest.mark.parametrize("body", [b"name=" + b"x" * 5000, b"name"])
async def test_an_odd_form_faults_nothing(world: World, body: bytes) -> None:
    fingerprint = await _streak(world)

    answer = await world.client.post(f"/alerts/{fingerprint}/acknowledge", content=body)

    assert answer.status_code in (303, 413)


async def test_a_resolved_alert_shows_its_end_and_has_no_form(world: World) -> None:
    fingerprint = await _streak(world)
    await world.post({"app": "checkout", "environment": "prod", "status": 200})
    for _ in range(4):
        await world.wind(300)

    html = await world.page(f"/alerts/{fingerprint}")

    assert "Resolved" in html
    assert "recovered: the condition has been false for 15m" in html
    assert "there is nothing to acknowledge" in html
    assert "<form" not in html


async def test_earlier_episodes_stay_readable(world: World) -> None:
    fingerprint = await _streak(world)
    await world.post({"app": "checkout", "environment": "prod", "status": 200})
    for _ in range(4):
        await world.wind(300)
    await world.post(*[{**OVERLOADED, "call_id": f"again_{n}"} for n in range(5)])

    html = await world.page(f"/alerts/{fingerprint}")

    assert "Earlier episodes" in html
    assert "at its worst 2 in a row from different calls (threshold 2)" in html
    assert "</code>, episode 2" in html
