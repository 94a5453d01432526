"""`python -m claxon deferred`: what it shows and does, and what it keeps to itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from claxon.__main__ import main
from claxon.later import DeferredCalls, Reason, Ticket

from tests.client.later.working import arguments

REASON = Reason(category="invalid_request", type="invalid_request_error", status=400, request_id="req_1")
SECRET = "the secret prompt"


@pytest.fixture
def url(queue: DeferredCalls) -> str:
    return str(queue.store)


def run(url: str, *words: str) -> int:
    return main(["deferred", "--queue", url, *words])


def bury(queue: DeferredCalls, key: str) -> Ticket:
    ticket = queue.defer(**arguments(SECRET), key=key, context={"path": "checkout"})
    (lease,) = queue.store.take(lease_s=60, most=1)
    queue.store.bury(lease, REASON)
    return ticket


def test_jobs_are_listed_with_why_they_failed_and_without_their_prompts(
    queue: DeferredCalls, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = bury(queue, "order-17")
    waiting = queue.defer(**arguments(SECRET), key="order-18", after_s=90)

    status = run(url, "list")

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert [line.split() for line in lines[:2]] == [
        ["ID", "STATE", "RUNS", "WHEN", "KEY", "WHY"],
        [waiting.id, "waiting", "0", "in", "90", "s", "order-18", "-"],
    ]
    assert lines[2].startswith(f"{dead.id}  dead ")
    assert lines[2].endswith("order-17  invalid_request: invalid_request_error, status 400, request req_1")
    assert SECRET not in "".join(lines)


def test_a_state_can_be_chosen(queue: DeferredCalls, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    bury(queue, "order-17")
    queue.defer(**arguments(SECRET), key="order-18")

    run(url, "list", "--state", "waiting", "--json")

    assert [job["key"] for job in json.loads(capsys.readouterr().out)] == ["order-18"]


@pytest.mark.parametrize("as_json", [False, True])
def test_one_job_is_shown_by_id_or_key_and_its_prompt_only_if_asked(
    queue: DeferredCalls, url: str, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    ticket = bury(queue, "order-17")
    more = ["--json"] if as_json else []

    statuses = [run(url, "show", ticket.id, *more), run(url, "show", "order-17", *more)]
    plain = capsys.readouterr().out
    run(url, "show", "order-17", "--content", *more)
    full = capsys.readouterr().out

    assert statuses == [0, 0]
    assert plain.count("checkout") == 2
    assert "req_1" in plain
    assert SECRET not in plain
    assert SECRET in full


def test_dead_letters_are_driven_again_one_by_one_or_all(
    queue: DeferredCalls, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        bury(queue, f"order-{number}")

    statuses = [run(url, "retry", "order-0"), run(url, "retry", "--dead", "--json"), run(url, "retry", "nobody")]

    said = capsys.readouterr()
    assert statuses == [0, 0, 1]
    assert said.out == 'retried 1\n{\n  "retried": 3\n}\n'
    assert said.err == "deferred: nobody: no dead or waiting job: see `list`\n"
    assert (queue.stats().waiting, queue.stats().dead) == (4, 0)


def test_a_job_is_dropped(queue: DeferredCalls, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    bury(queue, "order-17")

    statuses = [run(url, "drop", "order-17"), run(url, "drop", "order-17")]

    assert statuses == [0, 1]
    assert capsys.readouterr().out == "dropped 1\n"
    assert queue.jobs() == []


def test_done_jobs_are_purged_only_if_one_says_so(
    queue: DeferredCalls, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.defer(**arguments(SECRET), key="order-17")
    queue.store.finish(queue.store.take(lease_s=60, most=1)[0])

    with pytest.raises(SystemExit) as refused:
        run(url, "purge")
    later = run(url, "purge", "--done", "--older-s", "1000")
    now = run(url, "purge", "--done")

    assert (refused.value.code, later, now) == (2, 0, 0)
    assert capsys.readouterr().out == "purged 0\npurged 1\n"


def test_the_counts_are_said(queue: DeferredCalls, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    bury(queue, "order-17")
    queue.defer(**arguments(SECRET), after_s=60)

    run(url, "stats")
    run(url, "stats", "--json")

    text, _, rest = capsys.readouterr().out.partition("\n")
    assert text == "waiting 1  running 0  done 0  dead 1  (none is due)"
    assert json.loads(rest) == {"waiting": 1, "running": 0, "done": 0, "dead": 1, "oldest_due_s": None}


def test_the_variable_names_the_queue(
    queue: DeferredCalls, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.defer(**arguments(SECRET))
    monkeypatch.setenv("CLAXON_LATER", url)

    assert main(["deferred", "stats"]) == 0
    assert capsys.readouterr().out.startswith("waiting 1 ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--queue", "sqlite:/nowhere/later.db", "list"], "deferred: sqlite:/nowhere/later.db: no such file"),
        (
            ["--queue", "mysql://user:secret@x", "list"],
            "deferred: queue: mysql: no such store: give a URL like sqlite:///",
        ),
        (["list"], "deferred: --queue: missing: give a URL like sqlite:///"),
    ],
)
def test_a_queue_that_cannot_be_meant_is_refused_and_none_is_made(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deferred", *words]) == 2
    assert capsys.readouterr().err.startswith(said)


def test_a_queue_that_cannot_be_read_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "later.db"
    path.write_bytes(b"no database " * 100)

    assert run(f"sqlite:{path}", "list") == 1
    assert capsys.readouterr().err.startswith(f"deferred: sqlite:{path}: file is not a database: ")
