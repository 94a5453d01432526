"""Alerts of API v2, against the real service on a real socket and real SQLite."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from alerts.config import KeyConfig
from service.settings import hash_key
from tests.support.running import Running

from . import schema
from .asking import alert, at, listed, send, silence

CONFIG = """\
route:
  receiver: page
  routes:
    - {receiver: mail, matchers: [team=red], continue: true, group_by: [app], group_wait: 1h}
    - {receiver: page, matchers: [alertname=~".*"], mute_time_intervals: [always]}
receivers: [{name: page}, {name: mail}]
time_intervals: [{name: always, time_intervals: [{years: ["2000:2999"]}]}]
inhibit_rules:
  - {source_matchers: [alertname=cause], target_matchers: [alertname=symptom], equal: [app]}
"""


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("v2")) as running:
        yield running


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("routed"), config=CONFIG) as running:
        yield running


# ── posting ───────────────────────────────────────────────────────────────────


def test_an_alert_that_is_posted_is_listed_as_it_was_posted(claxon: Running) -> None:
    link = "http://prometheus.example/graph?g0.expr=up"
    told = alert(
        "posted",
        app="shop",
        empty="",
        StartsAt="2026-01-02T03:04:05.678901234+01:00",
        EndsAt="2099-01-01T00:00:00Z",
        Annotations={"summary": "ünicode"},
        GeneratorURL=link,
    )

    status, body, _ = send(claxon, "alerts", [told])

    assert (status, body) == (200, "")
    found = listed(claxon)["posted"]
    schema.check([found], schema.ALERTS)
    assert found["labels"] == {"alertname": "posted", "app": "shop"}
    assert found["annotations"] == {"summary": "ünicode"}
    assert (found["startsAt"], found["endsAt"]) == ("2026-01-02T02:04:05.678Z", "2099-01-01T00:00:00.000Z")
    assert found["generatorURL"] == link
    assert found["receivers"] == [{"name": "console"}]
    assert found["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}


def test_null_and_the_year_one_are_as_if_nothing_was_said(claxon: Running) -> None:
    zero = "0001-01-01T00:00:00.000Z"

    send(claxon, "alerts", [alert("zero", StartsAt=zero, EndsAt=zero, Annotations=None, GeneratorURL=None)])
    send(claxon, "alerts", [alert("null", StartsAt=None, EndsAt=None)])

    for name in ("zero", "null"):
        found = listed(claxon)[name]
        assert found["startsAt"][:4] != "0001"
        assert "generatorURL" not in found
        assert _seconds(found["endsAt"]) - _seconds(found["updatedAt"]) == pytest.approx(300, abs=1)


def _seconds(text: str) -> float:
    return float(text[11:13]) * 3600 + float(text[14:16]) * 60 + float(text[17:23])


def test_an_alert_that_has_ended_is_not_listed(claxon: Running) -> None:
    send(claxon, "alerts", [alert("brief")])
    assert "brief" in listed(claxon)

    send(claxon, "alerts", [alert("brief", EndsAt=at(-1))])

    assert "brief" not in listed(claxon)


def test_the_same_alert_twice_in_a_request_is_one(claxon: Running) -> None:
    status, _, _ = send(
        claxon, "alerts", [alert("twice", Annotations={"n": "1"}), alert("twice", Annotations={"n": "2"})]
    )

    assert status == 200
    assert listed(claxon)["twice"]["annotations"] == {"n": "2"}


@pytest.mark.parametrize(
    ("bad", "status", "said"),
    [
        ({"labels": {}}, 400, "alerts[1].labels: none that is not empty"),
        ({"labels": {"a": ""}}, 400, "alerts[1].labels: none that is not empty"),
        ({"labels": {"": "a", "b": "c"}}, 400, "alerts[1].labels: a name is empty"),
        ({"labels": {"alertname": 1}}, 400, "alerts[1].labels: expected `str`, got `int`"),
        ({"labels": ["a"]}, 400, "alerts[1].labels: expected `object`, got `array`"),
        ({}, 422, "alerts[1].body: object missing required field `labels`"),
        ([], 400, "alerts[1].body: expected `object`, got `array`"),
        (None, 400, "alerts[1].body: expected `object`, got `null`"),
        (alert("bad", StartsAt="yesterday"), 400, "alerts[1].startsAt: invalid RFC3339"),
        (alert("bad", StartsAt="2026-01-01T00:00:00"), 400, "alerts[1].startsAt: expected `datetime` with a timezone"),
        (alert("bad", StartsAt=at(60), EndsAt=at(30)), 400, "alerts[1].endsAt: before startsAt"),
        (alert("bad", GeneratorURL="no url"), 422, "alerts[1].generatorURL: 'no url': write an http or https URL"),
        (alert("bad", GeneratorURL="javascript:alert(1)"), 422, "alerts[1].generatorURL: "),
        (alert("bad", Annotations={"a": 1}), 400, "alerts[1].annotations: expected `str`"),
        (alert("bad", Annotations={"a": "x" * 70_000}), 400, "alerts[1].labels: 70"),
        (alert("bad", **{f"l{i}": "x" for i in range(300)}), 400, "alerts[1].labels: over 256 of them"),
    ],
)
def test_a_bad_alert_is_refused_by_its_place_and_loses_no_other(
    claxon: Running, bad: Any, status: int, said: str
) -> None:
    name = f"good-{time.monotonic_ns()}"

    got, answer, headers = send(claxon, "alerts", [alert(name), bad, alert(f"{name}-2")])

    assert got == status, answer
    schema.check(answer, schema.REFUSED if status == 422 else {"type": "string"})
    assert said in (answer["message"] if status == 422 else answer)
    assert headers["content-type"] == "application/json"
    assert {name, f"{name}-2"} <= listed(claxon).keys()
    assert "bad" not in listed(claxon)


def test_all_that_is_wrong_is_said_and_a_flood_of_it_is_cut(claxon: Running) -> None:
    _, answer, _ = send(claxon, "alerts", [{"labels": {}}, alert("bad", StartsAt="x"), {"labels": {}}])
    status, many, _ = send(claxon, "alerts", [{"labels": {}}] * 100)

    assert [line.partition(".")[0] for line in answer.split("\n")] == ["alerts[0]", "alerts[1]", "alerts[2]"]
    assert (status, len(many.split("\n"))) == (400, 21)
    assert many.endswith("and 80 more; the others were taken")


def test_the_labels_of_an_alert_that_a_rule_decided_cannot_be_taken(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        own = _fire(claxon)

        status, answer, _ = send(claxon, "alerts", [{"labels": own["labels"]}, alert("other")])

        assert status == 400
        assert answer.startswith("labels: those of an alert of Claxon's own")
        assert "other" in listed(claxon)


def _fire(claxon: Running) -> dict[str, Any]:
    """Have one of the default rules fire; return its alert."""
    failed = {"model": "m", "app": "shop", "status": 401, "error_type": "authentication_error"}
    claxon.post([failed] * 20)
    (own,) = [one for one in claxon.get("/api/v2/alerts") if one["labels"]["alertname"].startswith("Claude")]
    return own


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"", {}, 400, "body: not valid JSON"),
        (b"no JSON", {}, 400, "body: not valid JSON"),
        (b"[" * 100_000, {}, 400, "body: "),
        (b'[{"labels":{"a":' + b"[" * 100_000, {}, 400, "body: "),
        (b'[{"labels":{"a":"\xff"}}]', {}, 400, "body: not valid JSON"),
        (b"{}", {}, 400, "body: expected `array`, got `object`"),
        (b"null", {}, 400, "body: expected `array`, got `null`"),
        (b"[" + b",".join([b'{"labels":{"a":"b"}}'] * 10_001) + b"]", {}, 413, "body: 10001 alerts: at most 10000"),
        (b"[" + b",".join([b"{}"] * 10_001) + b"]", {}, 413, "body: 10001 alerts: at most 10000"),
        (b" " * (17 * 1024 * 1024), {}, 413, "body: over 16777216 bytes"),
        (gzip.compress(b" " * (80 * 1024 * 1024), mtime=0), {"Content_Encoding": "gzip"}, 413, "decompressed"),
        (b"no gzip", {"Content_Encoding": "gzip"}, 400, "not valid gzip"),
        (b"[]", {"Content_Encoding": "br"}, 415, "Content-Encoding: br"),
        (b"[]", {"Content_Type": "text/html"}, 415, "Content-Type: text/html"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_json_string(
    claxon: Running, body: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    got, answer, _ = send(claxon, "alerts", body, **headers)

    assert got == status, answer
    assert isinstance(answer, str)
    assert said in answer


def test_an_empty_list_and_a_compressed_body_are_taken(claxon: Running) -> None:
    assert send(claxon, "alerts", [])[0] == 200
    assert (
        send(claxon, "alerts", gzip.compress(json.dumps([alert("zipped")]).encode()), Content_Encoding="gzip")[0] == 200
    )
    assert "zipped" in listed(claxon)


def test_many_senders_at_once_lose_nothing(claxon: Running) -> None:
    batches = [[alert(f"storm-{i}-{j}") for j in range(64)] for i in range(20)]

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda batch: send(claxon, "alerts", batch)[0], batches))

    assert statuses == {200}
    assert {one["labels"]["alertname"] for batch in batches for one in batch} <= listed(claxon).keys()


def test_ten_thousand_alerts_in_one_request_are_taken_and_listed(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        assert send(claxon, "alerts", [alert("many", instance=str(i)) for i in range(10_000)])[0] == 200

        found = claxon.get("/api/v2/alerts")
        groups = claxon.get("/api/v2/alerts/groups")

    assert len(found) == 10_000
    assert [one["fingerprint"] for one in found] == sorted(one["fingerprint"] for one in found)
    assert sum(len(group["alerts"]) for group in groups) == 10_000


def test_what_was_posted_is_there_after_a_restart(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        send(claxon, "alerts", [alert("kept", EndsAt=at(600))])
        before = listed(claxon)["kept"]

    with Running(tmp_path) as claxon:
        assert listed(claxon)["kept"] == before


def test_a_disk_that_is_full_is_a_500_and_api_v2_goes_on(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA max_page_count = 1"))
        big = [alert(f"full-{i}", Annotations={"a": f"{i * 7919:05000d}"}) for i in range(200)]

        status, answer, _ = send(claxon, "alerts", big)

        assert (status, answer[:28]) == (500, "database: cannot be written:")
        claxon.core(lambda: claxon.service.core.connection.execute("PRAGMA max_page_count = 1073741823"))
        assert send(claxon, "alerts", [alert("after")])[0] == 200


# ── listing ───────────────────────────────────────────────────────────────────


def test_an_alert_of_claxons_own_is_listed_as_one_that_fires_on(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        own = _fire(claxon)

        schema.check([own], schema.ALERTS)
        assert own["annotations"]["summary"]
        assert own["generatorURL"].endswith(f"/alerts/{own['fingerprint']}")
        assert own["startsAt"] <= own["updatedAt"] < own["endsAt"]
        (group,) = claxon.get("/api/v2/alerts/groups")
        schema.check([group], schema.GROUPS)
        assert group["labels"] == own["labels"]


def test_alerts_are_chosen_by_state_receiver_and_matchers(routed: Running) -> None:
    told = [alert("cause", app="a"), alert("symptom", app="a", team="red"), alert("hushed", team="red"), alert("plain")]
    send(routed, "alerts", told)
    made = send(routed, "silences", silence("alertname=hushed"))[1]["silenceID"]

    found = listed(routed)
    assert found["symptom"]["status"]["inhibitedBy"] == [found["cause"]["fingerprint"]]
    assert found["hushed"]["status"]["silencedBy"] == [made]
    assert found["plain"]["status"] == {
        "state": "suppressed",
        "silencedBy": [],
        "inhibitedBy": [],
        "mutedBy": ["always"],
    }
    assert found["hushed"]["status"]["mutedBy"] == []
    assert found["hushed"]["receivers"] == [{"name": "mail"}, {"name": "page"}]
    for query, names in {
        "?silenced=false": {"cause", "symptom", "plain"},
        "?inhibited=false": {"cause", "hushed", "plain"},
        "?muted=false": {"symptom", "hushed"},
        "?active=false&unprocessed=false": {"cause", "symptom", "hushed", "plain"},
        "?receiver=mail": {"symptom", "hushed"},
        "?receiver=mai": set(),
        "?filter=team%3Dred&filter=app%3D": {"hushed"},
        "?filter=app%3D~%22a%7Cb%22&silenced=perhaps": {"cause", "symptom"},
        "?receiver_matchers=owner%3Dx": set(),
        "?receiver_matchers=owner%3D": {"cause", "symptom", "hushed", "plain"},
    }.items():
        assert listed(routed, query).keys() == names, query


def test_groups_hold_what_is_told_together_and_what_is_told_alone(routed: Running) -> None:
    send(routed, "alerts", [alert("g1", app="b", team="red"), alert("g2", app="b", team="red"), alert("g3", app="b")])

    groups = routed.get("/api/v2/alerts/groups?filter=app%3Db")
    schema.check(groups, schema.GROUPS)

    assert [(g["receiver"]["name"], g["labels"], [a["labels"]["alertname"] for a in g["alerts"]]) for g in groups] == [
        ("mail", {"app": "b"}, ["g1", "g2"]),
        ("page", {"alertname": "g3", "app": "b"}, ["g3"]),
        ("page", {"alertname": "g1", "app": "b", "team": "red"}, ["g1"]),
        ("page", {"alertname": "g2", "app": "b", "team": "red"}, ["g2"]),
    ]
    assert {a["status"]["state"] for a in groups[0]["alerts"]} == {"active"}
    assert {a["status"]["mutedBy"][0] for g in groups[1:] for a in g["alerts"]} == {"always"}
    only_mail = routed.get("/api/v2/alerts/groups?filter=app%3Db&muted=false")
    assert [g["receiver"]["name"] for g in only_mail] == ["mail"]
    assert routed.get("/api/v2/alerts/groups?receiver_matchers=owner%3Dx") == []
    (one,) = routed.get("/api/v2/alerts/groups?filter=app%3Db&receiver=mail")
    assert [a["receivers"] for a in one["alerts"]] == [[{"name": "mail"}]] * 2


def test_receivers_are_those_of_the_file(routed: Running) -> None:
    found = routed.get("/api/v2/receivers")

    schema.check(found, schema.RECEIVERS)
    assert found == [{"name": "page"}, {"name": "mail"}]
    assert routed.get("/api/v2/receivers?receiver_matchers=owner%3Dx") == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("alerts?filter=~", "filter: "),
        ("alerts?filter=a%3D~%22(%22", "filter: "),
        ("alerts?receiver=(", "receiver: '(': not a regular expression"),
        ("alerts?receiver_matchers=~", "receiver_matchers: "),
        ("alerts/groups?filter=~", "filter: "),
        ("silences?filter=~", "filter: "),
        ("receivers?receiver_matchers=~", "receiver_matchers: "),
        ("alerts?" + "&".join(["filter=a%3Db"] * 101), "filter: 101 matchers: at most 100"),
    ],
)
def test_a_query_that_makes_no_sense_is_a_400(claxon: Running, query: str, said: str) -> None:
    status, answer, _ = claxon.request("GET", f"/api/v2/{query}")

    assert status == 400
    assert said in answer


# ── keys ──────────────────────────────────────────────────────────────────────


def test_an_ingest_key_posts_a_read_key_reads_and_an_admin_key_silences(tmp_path: Path) -> None:
    words = {scope: f"{scope}-key-{'x' * 20}" for scope in ("ingest", "read", "admin")}
    keys = tuple(KeyConfig(name=scope, scope=scope, sha256=hash_key(word)) for scope, word in words.items())
    with Running(tmp_path, keys=keys) as claxon:

        def status(scope: str, method: str, path: str, body: Any = None) -> int:
            headers = {"Authorization": f"Bearer {words[scope]}"} if scope else {}
            code, answer, _ = send(claxon, path, body, method, **headers)
            assert code == 200 or isinstance(answer, str)
            return code

        may = {
            ("POST", "alerts"): {"ingest", "admin"},
            ("POST", "webhook"): {"ingest", "admin"},
            ("GET", "alerts"): {"read", "admin"},
            ("GET", "alerts/groups"): {"read", "admin"},
            ("GET", "receivers"): {"read", "admin"},
            ("GET", "status"): {"read", "admin"},
            ("GET", "silences"): {"read", "admin"},
            ("POST", "silences"): {"admin"},
        }
        bodies = {"webhook": {"version": "4", "alerts": []}, "silences": silence("a=b")}
        for (method, path), scopes in may.items():
            for scope in words:
                wanted = 200 if scope in scopes else 403
                assert status(scope, method, path, bodies.get(path, [])) == wanted, (method, path, scope)
            assert status("", method, path, bodies.get(path, [])) == 401
        (made,) = claxon.request("GET", "/api/v2/silences", None, {"Authorization": f"Bearer {words['read']}"})[1][:1]
        assert status("read", "GET", f"silence/{made['id']}") == 200
        assert status("read", "DELETE", f"silence/{made['id']}") == 403
        assert status("admin", "DELETE", f"silence/{made['id']}") == 200


def test_a_fault_of_claxons_own_is_a_json_string_too(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        del claxon.service.dispatch

        status, answer, _ = send(claxon, "alerts", [alert("a")])

    assert (status, answer) == (500, "a fault of Claxon's own: its log says more")
