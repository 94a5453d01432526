"""A Claxon that runs, with a real Alertmanager behind it that pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pager import Pager
from tests.support.peers import start_alertmanager
from tests.support.running import Process

BEHIND = """
route: {{receiver: hook, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}
receivers: [{{name: hook, webhook_configs: [{{url: "{url}"}}]}}]
"""
CONFIG = """
route: {{receiver: company}}
receivers: [{{name: company, alertmanager_configs: [{{urls: ["{url}"]}}]}}]
"""


@pytest.mark.peer("alertmanager")
def test_an_auth_error_is_paged_by_the_alertmanager_behind(tmp_path: Path) -> None:
    event = {"model": "claude-test", "app": "shop", "status": 401, "error_type": "authentication_error"}
    with (
        Pager() as pager,
        start_alertmanager(BEHIND.format(url=pager.url), tmp_path) as peer,
        Process(tmp_path, config=CONFIG.format(url=peer.url)) as claxon,
    ):
        claxon.post([event])
        page = pager.wait_for(1)[0].json

    assert (page["receiver"], page["status"]) == ("hook", "firing")
    (alert,) = page["alerts"]
    assert (alert["labels"]["alertname"], alert["labels"]["app"]) == ("ClaudeAuthError", "shop")
    assert alert["annotations"]["blame"] == "key"
    assert alert["generatorURL"].startswith(f"{claxon.url}/")
