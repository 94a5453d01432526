"""Who looks after an alert, until when, who is told next, and what holds it back: on the page and in the API."""

from __future__ import annotations

import pytest

from alerts.config import EscalationConfig, EscalationStep
from alerts.matchers import parse_matcher
from alerts.routes import Route
from alerts.silences import Silence, SilenceMatcher
from alerts.time_intervals import Span, TimeInterval
from service.audit import HANGUP
from tests.service.pages.world import NOON, World

REJECTED = {"app": "checkout", "environment": "prod", "status": 401}
STEPS = (EscalationStep(after_s=600, receiver="second"), EscalationStep(after_s=1500, receiver="lead"))
NIGHT = TimeInterval(name="night", spans=(Span(times=((840, 900),)),))
"""14:00 to 15:00, in which the tests' noon lies."""


async def _rejected(world: World) -> str:
    await world.post(REJECTED)
    return await world.fingerprint("ClaudeAuthError")


async def _escalate(world: World) -> None:
    matchers = (parse_matcher('severity="page"'),)
    await world.decide_by(receivers=None, escalations=(EscalationConfig(matchers=matchers, steps=STEPS),))


async def _silence(world: World, *, lasts_s: float = 3600.0, **labels: str) -> str:
    matchers = [SilenceMatcher(name=name, value=value, is_regex=False) for name, value in labels.items()]
    wanted = Silence(
        id="",
        matchers=matchers,
        starts_at=world.now,
        ends_at=world.now + lasts_s,
        updated_at=0,
        created_by="Ada",
        comment="a release",
    )
    made: Silence = await world.core(lambda: world.service.dispatch.silence(wanted, actor=HANGUP))
    return made.id


# ── acknowledgements ──────────────────────────────────────────────────────────


async def test_the_page_says_who_looks_after_it_and_until_when(world: World) -> None:
    name = await _rejected(world)
    await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Ada"})
    await world.wind(600)

    html = await world.page(f"/alerts/{name}")

    assert "Acknowledged by <bdi>Ada</bdi>, 10 min ago" in html
    assert 'Holds until <time datetime="2026-09-21T14:43:24Z">14:43:24 UTC</time> <span class="dim">(in 20 min)' in html


async def test_when_it_is_over_the_page_says_so_and_those_who_were_told_are_told_again(world: World) -> None:
    name = await _rejected(world)
    await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Ada"})
    for _ in range(6):
        await world.post(REJECTED)
        await world.wind(296)

    html = await world.page(f"/alerts/{name}")
    front = await world.page()

    assert await world.told() == ["first notification", "repeat interval elapsed"]
    assert "Nobody looks after it: the acknowledgement of <bdi>Ada</bdi>" in html
    assert "1 not acknowledged" in front
    assert ">Acknowledge<" in front
    assert "<strong>acknowledgement over</strong>" in html


async def test_a_ticket_is_acknowledged_for_as_long_as_it_fires(world: World) -> None:
    name = await world.raise_alert(alertname="Disk", severity="ticket")
    await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Ada"})

    assert "Holds for as long as it fires." in await world.page(f"/alerts/{name}")


async def test_taking_it_back_tells_everybody_again_and_says_who_did(world: World) -> None:
    name = await _rejected(world)
    await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Ada"})

    answer = await world.client.post(f"/alerts/{name}/unacknowledge", data={"name": "Grace"}, follow_redirects=True)

    assert [r.status_code for r in answer.history] == [303]
    assert "of Ada: taken back by Grace" in answer.text
    assert "Take it back" not in answer.text
    assert await world.told() == ["first notification", "repeat interval elapsed"]


async def test_taking_back_what_nobody_acknowledged_changes_nothing(world: World) -> None:
    name = await _rejected(world)

    assert (await world.client.post(f"/alerts/{name}/unacknowledge")).status_code == 303
    assert (await world.client.post("/alerts/0123456789abcdef/unacknowledge")).status_code == 404
    assert await world.told() == ["first notification"]


async def test_looking_takes_nothing_back_and_another_site_cannot(world: World) -> None:
    name = await _rejected(world)
    await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Ada"})

    assert (await world.client.get(f"/alerts/{name}/unacknowledge")).status_code == 303
    evil = {"Origin": "https://evil.example"}
    assert (await world.client.post(f"/alerts/{name}/unacknowledge", headers=evil)).status_code == 403
    assert "Acknowledged by <bdi>Ada</bdi>" in await world.page(f"/alerts/{name}")


async def test_the_api_acknowledges_and_takes_back(world: World) -> None:
    name = await _rejected(world)
    path = f"/v1/alerts/{name}"

    assert (await world.client.post(f"{path}/ack?by=Ada")).status_code == 200
    ack = (await world.client.get(path)).json()["current"]["ack"]
    assert (await world.client.delete(f"{path}/ack")).status_code == 204
    again = await world.client.delete(f"{path}/ack")

    assert ack == {"by": "Ada", "at": NOON + 4, "until": NOON + 4 + 1800}
    assert (await world.client.get(path)).json()["current"]["ack"] is None
    assert again.status_code == 404
    assert "there is nothing to take back" in again.json()["detail"]


# ── who is next ───────────────────────────────────────────────────────────────


async def test_the_page_says_who_is_told_next_and_when(world: World) -> None:
    await _escalate(world)
    name = await _rejected(world)

    html = await world.page(f"/alerts/{name}")

    assert "second at <time" in html
    assert "(in 9 min 56 s)" in html
    assert html.index("second at") < html.index("lead at") < html.index("(in 24 min 56 s)")


async def test_a_step_that_was_taken_is_shown_with_whom_it_woke(world: World) -> None:
    await _escalate(world)
    name = await _rejected(world)
    await world.wind(601)

    html = await world.page(f"/alerts/{name}")

    assert "nobody looks after it: second" in html
    assert "second at" not in html
    assert "lead at" in html
    assert "console, second" in html


async def test_nobody_is_next_while_somebody_looks_after_it(world: World) -> None:
    await _escalate(world)
    name = await _rejected(world)
    await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Ada"})

    html = await world.page(f"/alerts/{name}")

    assert "Not while <bdi>Ada</bdi> looks after it, until <time" in html


async def test_a_group_says_what_it_is_of_and_when_it_is_looked_at_next(world: World) -> None:
    await world.decide_by(route=Route(receiver="console", group_by=("app",), group_wait_s=30.0, group_interval_s=300.0))
    name = await _rejected(world)

    before = await world.page(f"/alerts/{name}")
    await world.wind(30)
    after = await world.page(f"/alerts/{name}")

    assert '<code>app="checkout"</code>: 1 alert, not told of this one yet; looked at next in 26 s' in before
    assert "told of this one; looked at next in 4 min 5" in after


# ── what holds it back ────────────────────────────────────────────────────────


async def test_a_silence_says_whose_it_is_why_and_how_long_it_lasts(world: World) -> None:
    silence = await _silence(world, app="checkout")
    name = await _rejected(world)

    html = await world.page(f"/alerts/{name}")
    front = await world.page()

    assert "<strong>Silenced</strong> by <bdi>Ada</bdi> until" in html
    assert "<bdi>a release</bdi>" in html
    assert f"../silences#silence-{silence}" in html
    assert "nobody: silenced" in html
    assert "All silenced." in front
    assert "1 silence is in force and holds 1 alert back" in front


async def test_a_quiet_route_says_which_interval_it_is_and_when_it_is_over(world: World) -> None:
    route = Route(receiver="console", mute_time_intervals=("night",))
    await world.decide_by(route=route, time_intervals={"night": NIGHT})
    name = await _rejected(world)

    html = await world.page(f"/alerts/{name}")

    assert "console is told nothing new in the time interval <code>night</code>, until" in html
    assert ">15:00:00 UTC</time>" in html


# ── posted alerts ─────────────────────────────────────────────────────────────


async def test_a_posted_alert_is_on_the_front_page_and_has_a_page_of_its_own(world: World) -> None:
    name = await world.raise_alert(
        alertname="DiskFull",
        severity="page",
        instance="db-1",
        annotations={"summary": "db-1: the disk is full", "runbook": "look at <b>it</b>"},
        source="https://prometheus.example/graph?g0=1",
    )

    front = await world.page()
    html = await world.page(f"/alerts/{name}")

    assert "(1) Claxon" in front
    assert "1 alert fires" in front
    assert "db-1: the disk is full" in front
    assert 'class="posted"' in front
    assert "Posted alert: DiskFull" in html
    assert "look at &lt;b&gt;it&lt;/b&gt;" in html
    assert 'href="https://prometheus.example/graph?g0=1"' in html
    assert "Evidence" not in html


async def test_a_posted_alert_is_acknowledged_like_any_other(world: World) -> None:
    name = await world.raise_alert(alertname="DiskFull", severity="page")

    answer = await world.client.post(f"/alerts/{name}/acknowledge", data={"name": "Ada"}, follow_redirects=True)

    assert "Acknowledged by <bdi>Ada</bdi>, just now" in answer.text
    assert "All acknowledged." in await world.page()


async def test_a_posted_alert_that_ended_is_among_the_resolved(world: World) -> None:
    name = await world.raise_alert(alertname="DiskFull", severity="page", annotations={"summary": "the disk is full"})
    await world.wind(301)

    front = await world.page()
    html = await world.page(f"/alerts/{name}")

    assert "Recently resolved" in front
    assert "the disk is full" in front
    assert "not posted any more" in html
    assert "there is nothing to acknowledge" in html


@pytest.mark.parametrize("source", ["javascript:alert(1)", "data:text/html,x", "//evil.example"])
async def test_a_source_that_is_no_web_address_is_no_link(world: World, source: str) -> None:
    name = await world.raise_alert(alertname="X", severity="page", source=source)

    assert source not in await world.page(f"/alerts/{name}")


async def test_an_alert_without_a_name_breaks_no_page(world: World) -> None:
    name = await world.raise_alert(severity="page", instance="a")

    assert "1 alert fires" in await world.page()
    assert "without a name" in await world.page(f"/alerts/{name}")


async def test_the_api_lists_and_explains_posted_alerts(world: World) -> None:
    name = await world.raise_alert(alertname="DiskFull", severity="page")

    listed = (await world.client.get("/v1/alerts")).json()["alerts"]
    explained = (await world.client.get(f"/v1/alerts/{name}")).json()

    assert [(view["posted"], view["alert"]["fingerprint"]) for view in listed] == [(True, name)]
    assert explained["rule"] is None
    assert explained["telling"]["told"] == ["console"]
