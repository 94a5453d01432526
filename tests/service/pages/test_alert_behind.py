"""What an alert's page shows of the failures behind it: the chart of its time, what they share, ids for support."""

from __future__ import annotations

import re
import sqlite3

import pytest

from service.api.behind_alert import COUNTED
from service.pages.alert import SUPPORT_IDS
from tests.service.pages.world import World

SCRIPT = "<script>alert(1)</script>"
OK = {"app": "shop", "environment": "prod", "status": 200}


def failure(n: int, **more: object) -> dict[str, object]:
    return {"app": "shop", "environment": "prod", "status": 500, "request_id": f"req_{n}", "call_id": f"c_{n}"} | more


def lines(html: str, field: str) -> list[tuple[str, str]]:
    """Return the values and counts of one breakdown."""
    table = html.partition(f'id="by-{field}"')[2].partition("</table>")[0]
    return re.findall(r"<bdi>(.*?)</bdi>.*?class=\"number\">([\d,]+)<", table)


async def error_rate(world: World, failed: int = 12, **more: object) -> str:
    await world.post(*[failure(n, **more) for n in range(failed)])
    return await world.fingerprint("ClaudeErrorRate")


async def test_the_failures_are_counted_by_what_they_share_and_each_count_leads_to_them(world: World) -> None:
    await world.post(failure(99, app="other"))
    await world.post(*[failure(n, path="/pay", status=529) for n in range(4)], *[failure(n) for n in range(10, 18)])
    fingerprint = await world.fingerprint("ClaudeErrorRate")

    html = await world.page(f"/alerts/{fingerprint}")

    assert lines(html, "category") == [("server", "8"), ("overloaded", "4")]
    assert lines(html, "path") == [("/v1/messages", "8"), ("/pay", "4")]
    assert lines(html, "app") == [("shop", "12")]
    assert "The failures behind it: 12" in html
    behind = await world.page(f"/explorer?alert={fingerprint}&path=/pay")
    assert f'href="../explorer?alert={fingerprint}&amp;path=/pay"' in html
    assert len(set(re.findall(r"<code>(req_\d+)</code>", behind))) == 4


async def test_of_many_values_the_ten_most_frequent_are_listed_and_the_others_summed_up(world: World) -> None:
    many = [failure(100 * n + k, path=f"/p{n:02}") for n in range(12) for k in range(n + 1)]
    await world.post(*many)
    fingerprint = await world.fingerprint("ClaudeErrorRate")

    html = await world.page(f"/alerts/{fingerprint}")

    assert [n for _, n in lines(html, "path")] == [str(n) for n in range(12, 2, -1)]
    assert "and 2 more with 3 failures" in html


async def test_the_chart_marks_when_it_fired_and_when_it_resolved(world: World) -> None:
    fingerprint = await error_rate(world)
    firing = await world.page(f"/alerts/{fingerprint}")
    for _ in range(30):
        await world.wind(50)
        await world.post(*[OK] * 20)
    resolved = await world.page(f"/alerts/{fingerprint}")

    assert "fired-edge" in firing
    assert "resolved-edge" not in firing
    assert 'fired-edge" d="M' in resolved
    assert 'resolved-edge" d="M' in resolved
    assert "It fired " in resolved
    assert "It resolved " in resolved
    assert 'Share of calls that failed, over 5m, <span class="key key-threshold">threshold 5 %</span>' in resolved
    assert "as the rule measured it" in resolved


async def test_the_chart_of_a_rule_that_one_failure_fires_says_that_one_is_enough(world: World) -> None:
    await world.post(failure(1, status=401))
    fingerprint = await world.fingerprint("ClaudeAuthError")

    html = await world.page(f"/alerts/{fingerprint}")

    assert "one is enough" in html
    assert "1 failure behind it between" in html


async def test_up_to_twenty_request_ids_are_ready_to_paste_the_first_failure_among_them(world: World) -> None:
    fingerprint = await error_rate(world, 3)
    for batch in range(1, 4):
        await world.post(*[failure(100 * batch + n) for n in range(20)])

    html = await world.page(f"/alerts/{fingerprint}")
    block = html.partition('<pre class="block"><code data-copy>')[2].partition("</code>")[0]
    ids = re.findall(r"  (req_\d+)  ", block)

    assert len(ids) == len(set(ids)) == SUPPORT_IDS
    assert ids[0] in ("req_0", "req_1", "req_2")
    assert "req_319" in ids
    assert re.match(r"2026-09-21T14:13:20Z  req_\d  server \(500\)  claude-sonnet-5  /v1/messages\n", block)


async def test_of_more_failures_than_can_be_counted_it_says_which_were(world: World) -> None:
    fingerprint = await error_rate(world, COUNTED + 500)

    html = await world.page(f"/alerts/{fingerprint}")

    assert f"The failures behind it: the newest {COUNTED:,}" in html
    assert "Failed calls of the app, a bar is" in html


async def test_hostile_text_is_shown_and_never_obeyed(world: World) -> None:
    fingerprint = await error_rate(world, path=SCRIPT, error_message=SCRIPT, error_type=SCRIPT)

    html = await world.page(f"/alerts/{fingerprint}")

    assert SCRIPT not in html
    assert lines(html, "path") == [("&lt;script&gt;alert(1)&lt;/script&gt;", "12")]
    assert "path=%3Cscript%3Ealert%281%29%3C/script%3E" in html


async def test_a_log_that_cannot_be_read_takes_nothing_else_from_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = await error_rate(world)

    def broken() -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    world.service.searcher.close()
    monkeypatch.setattr(world.service.searcher, "_open_reader", broken)

    html = await world.page(f"/alerts/{fingerprint}")

    assert "The log cannot be read now; the rest of this page is true." in html
    assert "Acknowledge" in html


async def test_a_posted_alert_has_no_failures_to_show(world: World) -> None:
    fingerprint = await world.raise_alert(alertname="DiskFull", app="shop")

    html = await world.page(f"/alerts/{fingerprint}")

    assert "The failures behind it" not in html
