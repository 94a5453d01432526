"""/v1/keys and /v1/audit over HTTP: made, used, rotated, revoked, and written down without a secret."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.config import KeyConfig
from service.api.visit import FIELD
from service.settings import hash_key
from tests.support.running import Answer, Running

BOSS, EYE = "the-boss-is-the-boss-is-the-boss", "the-eye-is-the-eye-is-the-eye-is"
KEYS = (
    KeyConfig(name="boss", scope="admin", sha256=hash_key(BOSS), source="environment"),
    KeyConfig(name="eye", scope="read", sha256=hash_key(EYE)),
)
EVENT = {"model": "m", "status": 200}


class Site:
    """A Claxon, and whoever holds one of its keys."""

    def __init__(self, claxon: Running) -> None:
        self.claxon = claxon

    def ask(self, method: str, path: str, body: Any = None, *, key: str = BOSS) -> Answer:
        sent = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.claxon.request(method, path, sent, headers)

    def create(self, **asked: Any) -> dict[str, Any]:
        status, made, _ = self.ask("POST", "/v1/keys", asked)
        assert status == 201, made
        return made  # type: ignore[no-any-return]

    def post(self, key: str, *events: Any) -> Answer:
        return self.claxon.post(list(events) or [EVENT], Authorization=f"Bearer {key}")

    def keys(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(one["name"], one["id"]): one for one in self.ask("GET", "/v1/keys")[1]["keys"]}

    def audit(self, query: str = "") -> list[dict[str, Any]]:
        status, body, _ = self.ask("GET", f"/v1/audit{query}")
        assert status == 200, body
        return body["audit"]  # type: ignore[no-any-return]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Running(tmp_path, keys=KEYS) as claxon:
        yield Site(claxon)


def test_a_key_is_shown_once_and_works_at_once(site: Site) -> None:
    status, made, headers = site.ask("POST", "/v1/keys", {"name": "ci", "app": "shop"})

    assert (status, headers["Cache-Control"]) == (201, "no-store")
    assert made["key"].startswith("claxon_ingest_")
    assert site.post(made["key"])[0] == 202
    assert made["key"] not in json.dumps(site.ask("GET", "/v1/keys")[1])
    assert site.claxon.core(lambda: list(site.claxon.service.core.engine.state.totals)) == [("shop", "", "m")]


def test_keys_of_every_source_are_listed_with_how_to_revoke_them(site: Site) -> None:
    made = site.create(name="ci")

    found = {name: (one["source"], one["state"], one["revoke"]) for (name, _), one in site.keys().items()}

    assert found == {
        "boss": ("environment", "active", "take BOSS out of it and start Claxon again"),
        "eye": ("configuration", "active", "take it out of `keys` in the file and reload"),
        "ci": ("database", "active", "claxon keys revoke ci"),
    }
    assert made["id"] == hash_key(made["key"])[:8]


def test_both_keys_of_a_rotation_work_and_are_listed_and_the_old_one_has_an_end(site: Site) -> None:
    old = site.create(name="ci", app="shop", events_per_second=500)
    status, new, _ = site.ask("POST", "/v1/keys/ci/rotate", {"overlap": "1h"})

    assert (status, [one["id"] for one in new["replaced"]]) == (201, [old["id"]])
    assert (site.post(old["key"])[0], site.post(new["key"])[0]) == (202, 202)
    listed = site.keys()
    assert (listed["ci", old["id"]]["state"], listed["ci", new["id"]]["state"]) == ("ending", "active")
    assert 3500 < listed["ci", old["id"]]["ends_at"] - time.time() <= 3600
    assert (listed["ci", new["id"]]["app"], listed["ci", new["id"]]["events_per_second"]) == ("shop", 500)


def test_an_overlap_of_nothing_ends_the_old_key_at_once(site: Site) -> None:
    old = site.create(name="ci")["key"]
    new = site.ask("POST", "/v1/keys/ci/rotate", {"overlap": "0s"})[1]["key"]

    status, body, _ = site.post(old)
    assert (status, body["detail"].split(": ")[2]) == (401, "it has ended")
    assert site.post(new)[0] == 202


def test_a_second_rotation_does_not_lengthen_the_first_overlap(site: Site) -> None:
    first = site.create(name="ci")
    site.ask("POST", "/v1/keys/ci/rotate", {"overlap": "1h"})
    site.ask("POST", "/v1/keys/ci/rotate", {"overlap": "48h"})

    ends = [one["ends_at"] for one in site.keys().values() if one["name"] == "ci"]
    assert site.keys()["ci", first["id"]]["ends_at"] - time.time() <= 3600
    assert len(ends) == 3


def test_what_is_made_for_a_time_ends_at_its_time_rotated_or_not(site: Site) -> None:
    made = site.create(name="ci", expires_in="1h")
    new = site.ask("POST", "/v1/keys/ci/rotate", {"overlap": "24h"})[1]

    assert new["ends_at"] == made["ends_at"] == site.keys()["ci", made["id"]]["ends_at"]


def test_a_revoked_key_is_refused_from_the_next_request_on_and_the_other_of_its_name_is_not(site: Site) -> None:
    old = site.create(name="ci")
    new = site.ask("POST", "/v1/keys/ci/rotate", {})[1]

    status, said, _ = site.ask("DELETE", f"/v1/keys/ci?id={old['id']}")

    assert (status, [one["id"] for one in said["revoked"]], said["warning"]) == (200, [old["id"]], "")
    status, body, _ = site.post(old["key"])
    assert (status, body["detail"]) == (401, "Authorization: key 'ci': revoked: ask for another")
    assert site.post(new["key"])[0] == 202
    assert site.keys()["ci", old["id"]]["state"] == "revoked"
    assert site.ask("DELETE", "/v1/keys/ci")[0] == 200
    assert site.post(new["key"])[0] == 401


def test_a_revoked_name_may_be_given_again(site: Site) -> None:
    site.create(name="ci")
    site.ask("DELETE", "/v1/keys/ci")

    assert site.post(site.create(name="ci")["key"])[0] == 202


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"name": "ci"}, 409, "name: ci: taken: choose another, or `claxon keys rotate ci`"),
        ({"name": "boss"}, 409, "name: boss: of a key of the environment: choose another"),
        ({"name": "a b"}, 422, "name: 'a b': up to 64"),
        ({"name": "claxon_admin_key"}, 422, "name: claxon_admin_key: kept for keys of the environment"),
        ({"name": "x", "scope": "god"}, 422, "scope: 'god': one of ingest, read, admin"),
        ({"name": "x", "only_app": True}, 422, "only_app: true: for which app"),
        ({"name": "x", "events_per_second": -1}, 422, "events_per_second: -1: 0 for no limit"),
        ({"name": "x", "burst": "0s"}, 422, "burst: 0s: over 0s"),
        ({"name": "x", "burst": "soon"}, 422, "burst: 'soon': not a duration"),
        ({"name": "x", "expires_in": "0s"}, 422, "expires_in: 0s: over 0s"),
        ({"name": "x", "colour": "red"}, 422, "body: Object contains unknown field `colour`"),
        ({}, 422, "body: Object missing required field `name`"),
    ],
)
def test_what_cannot_be_made_says_why(site: Site, asked: dict[str, Any], status: int, said: str) -> None:
    site.create(name="ci")

    answer = site.ask("POST", "/v1/keys", asked)

    assert (answer[0], answer[1]["detail"][: len(said)]) == (status, said)


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("DELETE", "/v1/keys/eye", 409, "key: eye: of the configuration: take it out of `keys` in the file and reload"),
        ("POST", "/v1/keys/eye/rotate", 409, "key: eye: of the configuration: take it out"),
        ("DELETE", "/v1/keys/nobody", 404, "key: nobody: no such key: `claxon keys list` shows"),
        ("DELETE", "/v1/keys/ci?id=00000000", 404, "id: 00000000: no key 'ci' has this id"),
    ],
)
def test_what_cannot_be_changed_says_why(site: Site, method: str, path: str, status: int, said: str) -> None:
    site.create(name="ci")

    answer = site.ask(method, path, {} if method == "POST" else None)

    assert (answer[0], answer[1]["detail"][: len(said)]) == (status, said)


def test_only_an_admin_looks_at_keys_or_changes_them_and_a_reader_may_read_the_audit_log(site: Site) -> None:
    for method, path in (
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("POST", "/v1/keys/eye/rotate"),
        ("DELETE", "/v1/keys/eye"),
    ):
        assert site.ask(method, path, {}, key=EYE)[0] == 403, (method, path)
        assert site.ask(method, path, {}, key="")[0] == 401, (method, path)
    assert site.ask("GET", "/v1/audit", key=EYE)[0] == 200
    assert site.ask("GET", "/v1/audit", key=site.create(name="ci")["key"])[0] == 403


def test_when_a_key_was_used_is_kept_over_a_restart(tmp_path: Path) -> None:
    with Running(tmp_path, keys=KEYS) as claxon:
        made = Site(claxon).create(name="ci")
        assert made["last_used_at"] is None
        Site(claxon).post(made["key"])
        seen = Site(claxon).keys()["ci", made["id"]]["last_used_at"]
        assert abs(seen - time.time()) < 30
    with Running(tmp_path, keys=KEYS) as claxon:
        assert Site(claxon).keys()["ci", made["id"]]["last_used_at"] == seen
        assert Site(claxon).post(made["key"])[0] == 202


def test_the_first_key_is_an_admins_or_nobody_could_make_the_second(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        site = Site(claxon)
        status, body, _ = site.ask("POST", "/v1/keys", {"name": "ci"}, key="")
        assert (status, body["detail"][:25]) == (422, "scope: ingest: the first ")

        boss = site.ask("POST", "/v1/keys", {"name": "me", "scope": "admin"}, key="")[1]["key"]

        assert claxon.request("GET", "/v1/alerts")[0] == 401
        assert site.ask("POST", "/v1/keys", {"name": "ci"}, key=boss)[0] == 201


def test_revoking_the_last_key_lets_nobody_in_also_after_a_restart(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        boss = Site(claxon).ask("POST", "/v1/keys", {"name": "me", "scope": "admin"}, key="")[1]["key"]
        status, said, _ = Site(claxon).ask("DELETE", "/v1/keys/me", key=boss)
        assert (status, said["warning"][:28]) == (200, "keys: none is left, and nobo")
        assert claxon.request("GET", "/v1/alerts")[0] == 401
    with Running(tmp_path) as claxon:
        assert claxon.request("GET", "/v1/alerts")[0] == 401


def test_a_warning_says_that_no_admin_is_left(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        site = Site(claxon)
        boss = site.ask("POST", "/v1/keys", {"name": "me", "scope": "admin"}, key="")[1]["key"]
        site.ask("POST", "/v1/keys", {"name": "ci"}, key=boss)

        assert site.ask("DELETE", "/v1/keys/me", key=boss)[1]["warning"][:29] == "keys: none of scope admin is "


# ── what a key may ────────────────────────────────────────────────────────────


def test_events_of_another_app_are_refused_one_by_one(site: Site) -> None:
    key = site.create(name="ci", app="shop", only_app=True)["key"]

    status, body, _ = site.post(key, EVENT, EVENT | {"app": "cart"}, {"status": 200}, EVENT | {"app": "shop"})

    assert (status, body["accepted"], [one["index"] for one in body["rejected"]]) == (202, 2, [1, 2])
    assert body["rejected"][0]["error"].startswith("app: cart: the key 'ci' posts for 'shop' alone: ")
    totals = site.claxon.core(lambda: list(site.claxon.service.core.engine.state.totals))
    assert totals == [("shop", "", "m")]

    status, body, _ = site.post(key, EVENT | {"app": "cart"})
    assert (status, body["accepted"], body["rejected"][0]["index"]) == (403, 0, 0)


def test_what_the_log_holds_of_a_batch_with_foreign_events_is_replayed_the_same(tmp_path: Path) -> None:
    with Running(tmp_path, keys=KEYS) as claxon:
        key = Site(claxon).create(name="ci", app="shop", only_app=True)["key"]
        Site(claxon).post(key, EVENT | {"app": "cart"}, EVENT | {"event_id": "1"}, EVENT, {})
        Site(claxon).post(key, EVENT | {"event_id": "1"}, EVENT | {"app": "cart", "event_id": "1"})
        before = claxon.core(lambda: claxon.service.core.engine.state.totals["shop", "", "m"].ok)
    with Running(tmp_path, keys=KEYS) as claxon:
        assert claxon.core(lambda: claxon.service.core.engine.state.totals["shop", "", "m"].ok) == before == 2


def test_a_key_over_its_events_is_told_how_long_to_wait_and_nothing_of_the_batch_is_kept(site: Site) -> None:
    key = site.create(name="ci", events_per_second=10, burst="1s")["key"]
    assert site.post(key, *[EVENT] * 10)[0] == 202

    status, body, headers = site.post(key, *[EVENT] * 10)

    assert (status, headers["Content-Type"], headers["Retry-After"]) == (429, "application/problem+json", "1")
    assert body["detail"].startswith("key 'ci': over 10 events a second: send these again after ")
    assert site.claxon.core(lambda: site.claxon.service.core.tally.events) == 10
    metrics = site.ask("GET", "/metrics")[1]
    assert 'claxon_requests_limited_total{key="ci",limit="events"} 1.0' in metrics


def test_a_key_over_its_requests_is_told_how_long_to_wait(site: Site) -> None:
    key = site.create(name="prometheus", scope="read", requests_per_second=0.5, burst="2s")["key"]

    answers = [site.ask("GET", "/v1/alerts", key=key) for _ in range(3)]

    assert [status for status, _, _ in answers][-1] == 429
    assert int(answers[-1][2]["Retry-After"]) in (1, 2)
    assert answers[-1][1]["detail"].startswith("key 'prometheus': over 0.5 requests a second: ")


def test_who_tries_keys_is_told_to_wait_and_who_had_the_right_one_goes_on(site: Site) -> None:
    guessed = [site.post(f"guess-{n}")[0] for n in range(25)]
    status, _, headers = site.post("guess")

    assert guessed == [401] * 20 + [429] * 5
    assert (status, 0 < int(headers["Retry-After"]) <= 60) == (429, True)
    assert site.ask("GET", "/v1/alerts", key=EYE)[0] == 429
    # Not seen before those guesses; a minute later it is let in.
    assert site.claxon.service.keys.denied["guessing"] == 7


# ── the audit log ─────────────────────────────────────────────────────────────


def test_changes_of_keys_are_written_down_newest_first_with_who_and_from_where(site: Site) -> None:
    made = site.create(name="ci", app="shop")
    new = site.ask("POST", "/v1/keys/ci/rotate", {})[1]
    site.ask("DELETE", "/v1/keys/ci")
    site.ask("POST", "/v1/keys", {"name": "boss"})

    found = site.audit()

    assert [one["what"] for one in found] == ["key.revoked", "key.revoked", "key.rotated", "key.created"]
    assert {(one["who"], one["via"], one["address"], one["subject"]) for one in found} == {
        ("boss", "api", "127.0.0.1", "ci")
    }
    assert found[-1]["after"] == {"id": made["id"], "scope": "ingest", "app": "shop", "only_app": False}
    assert found[2]["before"]["ids"] == [made["id"]]
    assert found[2]["after"]["id"] == new["id"]


def test_silences_acknowledgements_reloads_and_drills_are_written_down(tmp_path: Path) -> None:
    config = "route: {receiver: r}\nreceivers: [{name: r, console_configs: [{}]}]\n"
    with Running(tmp_path, config=config, keys=KEYS) as claxon:
        site = Site(claxon)
        site.ask("POST", "/v1/events", [EVENT | {"status": 401, "app": "shop"}])
        alert = site.ask("GET", "/v1/alerts")[1]["alerts"][0]["alert"]["fingerprint"]
        site.ask("POST", f"/v1/alerts/{alert}/ack?by=ada")
        site.ask("DELETE", f"/v1/alerts/{alert}/ack?by=bob")
        silence = {
            "matchers": [
                {"name": "app", "value": "s.*", "isRegex": True},
                {"name": "b", "value": "c", "isRegex": False},
            ],
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)),
            "createdBy": "ada",
            "comment": "because",
        }
        name = site.ask("POST", "/api/v2/silences", silence)[1]["silenceID"]
        silence["startsAt"] = site.ask("GET", f"/api/v2/silence/{name}")[1]["startsAt"]
        site.ask("POST", "/api/v2/silences", silence | {"id": name, "comment": "still"})
        site.ask("DELETE", f"/api/v2/silence/{name}")
        (tmp_path / "claxon.yml").write_text(config + f"keys: [{{name: ci, scope: ingest, sha256: {'a' * 64}}}]\n")
        site.ask("POST", "/-/reload")
        site.ask("POST", "/v1/fire-drill", {"receiver": "r"})

        found = site.audit()

        assert [(one["what"], one["who"]) for one in found] == [
            ("drill.begun", "boss"),
            ("config.reloaded", "boss"),
            ("silence.expired", "boss"),
            ("silence.changed", "boss"),
            ("silence.made", "boss"),
            ("alert.unacknowledged", "boss"),
            ("alert.acknowledged", "boss"),
        ]
        drill, reload, ended, changed, made, back, acked = found
        assert (drill["subject"], drill["after"]["integrations"]) == ("r", ["r/console/0"])
        assert reload["after"]["keys_added"] == ["ci"]
        assert (made["before"], made["after"]["matchers"]) == (None, ["app=~s.*", "b=c"])
        assert (changed["before"]["comment"], changed["after"]["comment"]) == ("because", "still")
        assert ended["after"]["ends_at"] < ended["before"]["ends_at"]
        assert (acked["subject"], acked["after"]["by"], back["before"]["by"], back["after"]["by"]) == (
            alert,
            "ada",
            "ada",
            "bob",
        )


def test_what_comes_by_the_page_or_a_signal_says_so(tmp_path: Path) -> None:
    with Running(tmp_path, config="route: {receiver: r}\nreceivers: [{name: r, console_configs: [{}]}]\n") as claxon:
        claxon.post([EVENT | {"status": 401}])
        alert = claxon.get("/v1/alerts")["alerts"][0]["alert"]["fingerprint"]
        forms = claxon.service.forms
        cookie = {"Cookie": f"{forms.cookie('form')}=a-browser"}
        form = f"{FIELD}={forms.token('a-browser')}&name=ada".encode()
        claxon.request("POST", f"/alerts/{alert}/acknowledge", form, cookie)
        link = claxon.service.acknowledge_url(alert, 1)
        claxon.request("POST", link.removeprefix(claxon.service.settings.url), b"name=eve")

        found = claxon.get("/v1/audit?what=alert")["audit"]

        assert [(one["via"], one["who"], one["after"]["by"]) for one in found] == [
            ("link", "", "eve"),
            ("page", "", "ada"),
        ]


def test_a_change_that_could_not_be_written_is_not_written_down(site: Site) -> None:
    site.claxon.core(
        lambda: site.claxon.service.core.connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'disk is full'); END"
        )
    )

    status, body, _ = site.ask("POST", "/v1/keys", {"name": "ci"})

    assert (status, body["detail"].split(": ")[:2]) == (507, ["database", "disk is full"])
    assert ("ci" in {name for name, _ in list(site.keys())}, site.audit()) == (False, [])


def test_the_audit_log_is_found_by_who_what_subject_and_time(site: Site) -> None:
    boss = site.create(name="second", scope="admin")["key"]
    site.ask("POST", "/v1/keys", {"name": "ci"}, key=boss)
    site.ask("DELETE", "/v1/keys/ci", key=boss)

    def subjects(query: str) -> list[tuple[str, str]]:
        return [(one["what"], one["subject"]) for one in site.audit(query)]

    assert subjects("?who=second") == [("key.revoked", "ci"), ("key.created", "ci")]
    assert subjects("?what=key.created") == [("key.created", "ci"), ("key.created", "second")]
    assert len(subjects("?what=key")) == 3
    assert subjects("?what=ke") == []
    assert subjects("?subject=second") == [("key.created", "second")]
    assert subjects("?limit=1") == [("key.revoked", "ci")]
    assert subjects("?until=1h") == []
    assert len(subjects("?since=1h")) == 3
    assert site.ask("GET", "/v1/audit?since=soon")[0] == 422


def test_no_key_is_in_the_database_the_audit_log_or_an_answer_but_the_one_that_made_it(tmp_path: Path) -> None:
    with Running(tmp_path, keys=KEYS) as claxon:
        site = Site(claxon)
        secrets = [site.create(name="ci")["key"], site.ask("POST", "/v1/keys/ci/rotate", {})[1]["key"]]
        # Pasted where a name belongs, or where somebody signs.
        answers = [
            site.ask("DELETE", f"/v1/keys/{secrets[0]}"),
            site.ask("POST", "/v1/keys", {"name": secrets[0]}),
            site.ask("GET", "/v1/keys"),
            site.ask("GET", "/v1/audit"),
            site.ask("GET", "/metrics"),
            site.post(secrets[0] + "x"),
        ]
        claxon.post([EVENT | {"status": 401}], Authorization=f"Bearer {BOSS}")
        alert = site.ask("GET", "/v1/alerts")[1]["alerts"][0]["alert"]["fingerprint"]
        site.ask("POST", f"/v1/alerts/{alert}/ack?by={secrets[1]}")
        answers.append(site.ask("GET", "/v1/audit"))
        site.ask("DELETE", "/v1/keys/ci")
    kept = b"".join(
        path.read_bytes() for path in (tmp_path / "data").iterdir() if path.is_file() and "sqlite" in path.name
    )
    for secret in (*secrets, BOSS, EYE):
        assert secret not in json.dumps([answer[1] for answer in answers[:6]])
        assert secret not in json.dumps(answers[6][1])
    for secret in (secrets[0], BOSS, EYE):
        assert secret.encode() not in kept
