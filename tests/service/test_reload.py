"""Reload: the configuration is replaced as a whole or not at all, and nothing that still holds is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pager import Pager, Reply
from tests.support.running import Running, until

RULES = """
rules:
  - alert: ShopKey
    any: {{}}
    match: ['category="authentication"']
    by: [app]
    labels: {{severity: page}}
  - alert: ShopRate
    error_rate: {{above: {above}, window: 5m, min_failed: 3}}
    by: [app]
    for: {hold}
    labels: {{severity: ticket}}
"""


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


def config(pager: Pager, *, receiver: str = "on-call", more: str = "") -> str:
    return f"""
route: {{receiver: {receiver}}}
rule_files: [rules.yml]
receivers:
  - name: {receiver}
    webhook_configs: [{{url: "{pager.url}/{receiver}"}}]
{more}
"""


class Site:
    """A folder with a configuration, and a Claxon that runs by it."""

    def __init__(self, folder: Path, pager: Pager) -> None:
        self.folder = folder
        self.pager = pager
        self.rules()
        self.claxon = Running(folder, config=config(pager))

    def rules(self, *, above: str = "50%", hold: str = "0s", text: str | None = None) -> None:
        (self.folder / "rules.yml").write_text(text if text is not None else RULES.format(above=above, hold=hold))

    def config(self, **changed: Any) -> None:
        (self.folder / "claxon.yml").write_text(config(self.pager, **changed))

    def reload(self, status: int = 200) -> Any:
        found, answer, _ = self.claxon.request("POST", "/-/reload")
        assert found == status, answer
        return answer

    def firing(self) -> set[str]:
        return {name for name, _ in self.claxon.firing()}


@pytest.fixture
def site(tmp_path: Path, pager: Pager) -> Iterator[Site]:
    made = Site(tmp_path, pager)
    with made.claxon:
        yield made


def failed(n: int, **more: Any) -> list[dict[str, Any]]:
    return [{"model": "m", "app": "shop", "status": 400, "call_id": f"c{i}"} | more for i in range(n)]


def test_nothing_changed_is_said_to_be_nothing(site: Site) -> None:
    answer = site.reload()

    assert not any(answer.values()), answer


def test_a_changed_threshold_is_in_force_at_once_and_named_with_both_hashes(site: Site) -> None:
    before = {rule["id"]: rule["hash"] for rule in site.claxon.get("/v1/rules")["rules"]}
    site.claxon.post([{"model": "m", "app": "shop", "status": 200}] * 7 + failed(3))
    site.rules(above="20%")

    answer = site.reload()

    (changed,) = answer["rules_changed"]
    after = {rule["id"]: rule["hash"] for rule in site.claxon.get("/v1/rules")["rules"]}
    assert (changed["id"], changed["old"], changed["new"]) == (
        "ShopRate/ticket",
        before["ShopRate/ticket"],
        after["ShopRate/ticket"],
    )
    assert changed["old"] != changed["new"]
    assert before["ShopKey/page"] == after["ShopKey/page"]
    # What was counted under the old threshold is judged by the new one.
    assert until(lambda: "ShopRate" in site.firing(), 10)


TWO_BAD_RULES = "rules: [{alert: X, any: {}, by: [nonsense]}, {alert: Y, silent: {after: 1s}}]"
BAD_CONFIG = "route: {receiver: nobody}\nreceivers: [{name: a, webhook_configs: [{url: 1}]}]\nkeys: 3"


@pytest.mark.parametrize(
    ("rules", "config_text", "said"),
    [
        (TWO_BAD_RULES, None, ["nonsense", "after: 1s"]),
        ("rules: [", None, ["rules.yml:"]),
        (None, BAD_CONFIG, ["nobody", "keys"]),
    ],
)
def test_a_bad_file_changes_nothing_and_all_that_is_wrong_is_said(
    site: Site, rules: str | None, config_text: str | None, said: list[str]
) -> None:
    before = site.claxon.get("/v1/rules")
    if rules is not None:
        site.rules(text=rules)
    if config_text is not None:
        (site.folder / "claxon.yml").write_text(config_text)

    answer = site.reload(status=422)

    for words in said:
        assert any(words in problem for problem in answer["problems"]), answer
    assert site.claxon.get("/v1/rules")["rules"][0]["hash"] == before["rules"][0]["hash"]
    metrics = site.claxon.request("GET", "/metrics")[1]
    assert "claxon_config_last_reload_successful 0.0" in metrics
    site.claxon.post(failed(1, status=401))
    assert site.pager.wait_for(1)[0].path == "/on-call"

    site.rules()
    site.config()
    site.reload()
    assert "claxon_config_last_reload_successful 1.0" in site.claxon.request("GET", "/metrics")[1]


def test_a_removed_rule_that_fires_gets_its_close_and_says_why(site: Site) -> None:
    site.claxon.post(failed(1, status=401))
    site.pager.wait_for(1)
    site.rules(text="rules: [{alert: Other, any: {}, match: ['status=\"402\"'], by: [app]}]")

    answer = site.reload()

    assert answer["rules_removed"] == ["ShopKey/page", "ShopRate/ticket"]
    assert answer["rules_added"] == ["Other/page"]
    page, close = (received.json for received in site.pager.wait_for(2))
    assert (page["status"], close["status"]) == ("firing", "resolved")
    assert close["alerts"][0]["fingerprint"] == page["alerts"][0]["fingerprint"]
    assert "removed" in close["alerts"][0]["annotations"]["resolve_reason"]
    assert site.firing() == set()
    # Its page still tells all, by the rule as it was.
    found = site.claxon.get(f"/v1/alerts/{page['alerts'][0]['fingerprint']}")
    assert found["rule"]["definition"]["alert"] == "ShopKey"
    assert found["rule"]["hash_now"] == ""


def test_state_of_unchanged_rules_is_kept(site: Site) -> None:
    site.rules(hold="1h")
    site.reload()
    site.claxon.post([{"model": "m", "app": "shop", "status": 200}] * 2 + failed(4) + failed(1, app="cart", status=401))
    assert until(lambda: "ShopRate" in site.firing(), 10)
    before = {v["alert"]["fingerprint"]: v["alert"] for v in site.claxon.get("/v1/alerts")["alerts"]}

    site.rules(text=RULES.format(above="50%", hold="1h") + "  - {alert: New, any: {}, match: ['status=\"402\"']}\n")
    site.reload()

    after = {v["alert"]["fingerprint"]: v["alert"] for v in site.claxon.get("/v1/alerts")["alerts"]}
    assert {name: alert["active_at"] for name, alert in after.items()} == {
        name: alert["active_at"] for name, alert in before.items()
    }
    assert {alert["state"] for alert in after.values()} == {"pending", "firing"}
    assert len(site.pager.received) == 1


def test_what_waits_for_an_unchanged_receiver_goes_on(site: Site) -> None:
    site.pager.answer_with(*[Reply(status=503)] * 2, Reply(status=200))
    site.claxon.post(failed(1, status=401))
    site.pager.wait_for(1)

    site.config(more="  - name: other\n    webhook_configs: [{url: 'http://127.0.0.1:1/'}]\n")
    answer = site.reload()

    assert answer["receivers_added"] == ["other/webhook/0"]
    assert until(lambda: site.claxon.get("/v1/deliveries")["deliveries"][0]["state"] == "delivered", 20)
    assert len({received.headers["idempotency-key"] for received in site.pager.received}) == 1


def test_when_nobody_who_was_told_is_there_any_more_those_who_are_are_told(site: Site) -> None:
    site.claxon.post(failed(1, status=401))
    assert site.pager.wait_for(1)[0].path == "/on-call"

    site.config(receiver="new-team")
    answer = site.reload()

    assert (answer["receivers_removed"], answer["receivers_added"]) == (["on-call/webhook/0"], ["new-team/webhook/0"])
    assert answer["routes_changed"]
    assert site.pager.wait_for(2)[1].path == "/new-team"
    assert site.claxon.request("GET", "/-/healthy")[0] == 200


def test_another_address_of_a_receiver_is_used_from_the_next_page_on(site: Site) -> None:
    site.claxon.post(failed(1, status=401))
    site.pager.wait_for(1)
    text = config(site.pager).replace("/on-call", "/elsewhere")
    (site.folder / "claxon.yml").write_text(text)

    assert site.reload()["receivers_changed"] == ["on-call/webhook/0"]
    site.claxon.post(failed(1, app="cart", status=401))

    assert [received.path for received in site.pager.wait_for(2)] == ["/on-call", "/elsewhere"]


def test_keys_of_the_file_come_and_go_and_the_last_one_reloads(site: Site) -> None:
    from service.settings import hash_key

    admin = "claxon_admin_" + "x" * 30
    site.config(more=f"keys: [{{name: ada, scope: admin, sha256: {hash_key(admin)}}}]")
    assert site.reload()["keys_changed"]

    assert site.claxon.request("POST", "/-/reload")[0] == 401
    assert site.claxon.request("GET", "/v1/rules")[0] == 401
    site.config()
    assert site.claxon.request("POST", "/-/reload", headers={"Authorization": f"Bearer {admin}"})[0] == 200
    assert site.claxon.request("GET", "/v1/rules")[0] == 200


def test_an_inhibition_that_goes_lets_out_what_it_held_back(site: Site) -> None:
    mute = "inhibit_rules: [{source_matchers: ['alertname=\"ShopKey\"'], target_matchers: ['alertname=\"ShopRate\"']}]"
    site.config(more=mute)
    assert site.reload()["inhibit_rules_changed"]
    site.claxon.post(failed(5, status=401))
    assert until(lambda: site.firing() == {"ShopKey", "ShopRate"}, 10)
    assert len(site.pager.wait_for(1)) == 1

    site.config(more="inhibit_rules: []")
    site.reload()

    names = [received.json["groupLabels"]["alertname"] for received in site.pager.wait_for(2)]
    assert names == ["ShopKey", "ShopRate"]


def test_two_reloads_at_once_both_come_to_the_same_end(site: Site) -> None:
    answers: list[Any] = []
    site.rules(above="20%")
    threads = [threading.Thread(target=lambda: answers.append(site.reload())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(len(answer["rules_changed"]) for answer in answers) == [0, 0, 0, 0, 0, 1]
    assert site.claxon.service.deliverer.alive


def test_a_log_with_reloads_is_decided_again_with_the_rules_of_each_time(tmp_path: Path, pager: Pager) -> None:
    from service.cli import main

    site = Site(tmp_path, pager)
    with site.claxon:
        site.claxon.post(failed(1, status=401))
        site.rules(above="20%")
        site.reload()
        site.claxon.post([{"model": "m", "app": "cart", "status": 200}] * 7 + failed(3, app="cart"))
        assert until(lambda: len(site.claxon.get("/v1/alerts")["alerts"]) == 2, 10)

    assert main(["verify", "--data", str(tmp_path / "data")]) == 0
