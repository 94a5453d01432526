"""What holds for all kinds: each setting is documented, and a huge notification is taken."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from service.receivers import ReceiverConfigError, build
from service.receivers.layout import MANY, laid_out
from tests.service.receivers.notifications import alert, notification
from tests.support.pager import Pager, Reply
from tests.support.repository import ROOT

KINDS = ("webhook", "opsgenie", "msteamsv2", "alertmanager")
_ADDRESS = {"webhook": "url", "opsgenie": "api_url", "msteamsv2": "webhook_url"}


def settings_of(kind: str) -> list[str]:
    """The names that an entry of a kind may hold, as an error lists them."""
    with pytest.raises(ReceiverConfigError) as caught:
        build(f"{kind}_configs", {"zzzzzz": 1}, where="test")
    (listed,) = (text for text in caught.value.problems if "zzzzzz: unknown: write one of " in text)
    return listed.partition("write one of ")[2].split(", ")


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_documented(kind: str) -> None:
    text = (ROOT / f"docs/reference/receivers/{kind}.md").read_text()

    names = settings_of(kind)
    assert {"http_config", "timeout", "send_resolved", "rate_limit"} <= set(names)
    unnamed = [name for name in names if f"`{name}`" not in text]
    # `api_url_file` goes without saying where `api_url` has a default.
    assert [name for name in unnamed if name != "api_url_file"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_documented_example_is_a_configuration(kind: str) -> None:
    text = (ROOT / f"docs/reference/receivers/{kind}.md").read_text()

    example = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]
    written = set(re.findall(r"^ {6}[- ] (\w+):", example, re.MULTILINE))
    assert written
    assert written <= set(settings_of(kind))


@pytest.mark.parametrize("kind", KINDS)
async def test_ten_thousand_alerts_are_taken(pager: Pager, kind: str) -> None:
    pager.answer_with(Reply(status=202, body=""))
    where: dict[str, Any] = {_ADDRESS[kind]: pager.url} if kind in _ADDRESS else {"urls": [pager.url]}
    key = {"api_key": "k-0123"} if kind == "opsgenie" else {}
    receiver = build(f"{kind}_configs", {**where, **key, "timeout": "60s"}, where="test")
    labels = ({"alertname": "X", "n": str(n)} for n in range(10_000))

    answer = await receiver.send(notification(*(alert(labels=each) for each in labels)))
    await receiver.close()

    assert answer.status in (200, 202)


@pytest.mark.parametrize(("alerts", "elsewhere"), [(1, False), (MANY, False), (MANY + 1, True)])
async def test_many_alerts_are_laid_out_beside_the_event_loop(alerts: int, elsewhere: bool) -> None:
    """Events are taken on that loop, and 10,000 alerts take half a second."""
    thread = await laid_out(alerts, threading.get_ident)

    assert (thread != threading.get_ident()) is elsewhere
