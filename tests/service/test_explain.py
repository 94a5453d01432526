"""`claxon explain`: an alert, or an app's decisions, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.cli import main
from tests.support.pager import Pager
from tests.support.running import Running, until

CONFIG = """
route: {{receiver: on-call}}
receivers:
  - name: on-call
    webhook_configs: [{{url: {url}}}]
"""


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


def failing(claxon: Running) -> str:
    """Have a key rejected, and what follows from it held back; return the cause's fingerprint."""
    good = [{"model": "m", "app": "shop", "environment": "prod", "status": 200}] * 20
    bad = [
        {"model": "m", "app": "shop", "environment": "prod", "status": 401, "request_id": f"req_{n}"} for n in range(9)
    ]
    claxon.post(good + bad)
    assert until(lambda: len(claxon.firing()) == 3, 10)
    assert until(lambda: claxon.get("/v1/ledger?what=delivered")["ledger"], 10)
    return str(claxon.firing()["ClaudeAuthError", "page"]["alert"]["fingerprint"])


def test_an_alert_is_explained_from_its_numbers_to_what_the_receiver_said(
    tmp_path: Path, pager: Pager, capsys: pytest.CaptureFixture[str]
) -> None:
    with Running(tmp_path, config=CONFIG.format(url=pager.url)) as claxon:
        fingerprint = failing(claxon)
        rule = claxon.service.core.engine.rules["ClaudeAuthError/page"]

        assert main(["explain", fingerprint, "--url", claxon.url]) == 0

    told = capsys.readouterr().out
    assert f"ClaudeAuthError (page) {fingerprint} fires, episode 1" in told
    assert "shop (prod): the Claude API rejects the key" in told
    assert f"The rule  ClaudeAuthError/page, hash {rule.hash}, shipped with Claxon" in told
    assert "one matching attempt is enough" in told
    assert "req_0" in told
    assert "ClaudeErrorRate (page) app=shop, environment=prod, model=m" in told.partition("Held back")[2]
    assert "firing to on-call/webhook/0: delivered" in told
    assert "200 ok" in told


def test_an_app_is_explained_with_what_did_not_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([{"model": "m", "app": "shop", "path": "/a", "status": 429, "final": True, "exhausted": False}])
        claxon.post([{"model": "m", "app": "cart", "status": 500, "final": True, "exhausted": False}])

        assert until(lambda: claxon.get("/v1/ledger?app=cart")["ledger"], 10)

        assert main(["explain", "--app", "shop", "--since", "1h", "--url", claxon.url]) == 0
        told = capsys.readouterr().out
        assert main(["explain", "--app", "nobody", "--url", claxon.url]) == 0

    assert "a lone 429; shop, m, /a; times 1; rate_limit" in told
    assert "a single 429: nobody is paged for one" in told
    assert "cart" not in told
    assert "nobody, since 1h: nothing was decided" in capsys.readouterr().out


def test_json_is_what_the_api_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([{"model": "m", "app": "shop", "status": 401}])
        fingerprint = claxon.firing()["ClaudeAuthError", "page"]["alert"]["fingerprint"]

        assert main(["explain", fingerprint, "--url", claxon.url, "--format", "json"]) == 0

    # The service, in this process, writes its log there too.
    answer = json.loads(next(line for line in capsys.readouterr().out.splitlines() if line.startswith("{")))
    assert answer["current"]["alert"]["fingerprint"] == fingerprint
    assert answer["rule"]["definition"]["alert"] == "ClaudeAuthError"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["explain"], 2, "name either a FINGERPRINT or --app APP"),
        (["explain", "abc", "--app", "x"], 2, "name either a FINGERPRINT or --app APP"),
        (["explain", "abc", "--url", "http://127.0.0.1:1"], 2, "start `claxon serve`"),
        (["explain", "abc", "--url", "ftp://x"], 2, "begins with http:// or https://"),
        (["explain", "abc", "--key-file", "/nowhere/key"], 2, "holds the key and nothing else"),
    ],
)
def test_what_cannot_be_asked_is_said_with_its_remedy(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status

    assert said in capsys.readouterr().err


def test_an_alert_that_never_fired_is_said_to_have_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Running(tmp_path) as claxon:
        assert main(["explain", "0" * 16, "--url", claxon.url]) == 1

    assert "never fired" in capsys.readouterr().err


def test_a_key_is_taken_from_a_file_or_the_environment_and_asked_for_where_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from alerts.config import KeyConfig
    from service.settings import hash_key

    key = "claxon_read_" + "x" * 30
    (tmp_path / "key").write_text(key + "\n")
    with Running(tmp_path, keys=(KeyConfig(name="ada", scope="read", sha256=hash_key(key)),)) as claxon:
        command = ["explain", "--app", "shop", "--url", claxon.url]

        assert main(command) == 2
        assert "--key-file, or set CLAXON_READ_KEY" in capsys.readouterr().err
        assert main([*command, "--key-file", str(tmp_path / "key")]) == 0
        monkeypatch.setenv("CLAXON_READ_KEY", key)
        assert main(command) == 0


def test_text_of_an_event_cannot_move_the_terminals_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\u202egnp\nfired"
    with Running(tmp_path) as claxon:
        claxon.post([{"model": hostile, "app": "shop", "path": hostile, "status": 401, "request_id": hostile}])
        fingerprint = claxon.firing()["ClaudeAuthError", "page"]["alert"]["fingerprint"]
        main(["explain", fingerprint, "--url", claxon.url])
        main(["explain", "--app", "shop", "--url", claxon.url])

    told = capsys.readouterr().out
    assert not set("\x1b\x07\u202e") & set(told)
    assert "\nfired" not in told
