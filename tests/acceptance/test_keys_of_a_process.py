"""`claxon keys` and `claxon audit` against a real `claxon serve`: under traffic, and with nothing running."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.support.running import Process, until

EVENT = [{"model": "m", "status": 200}]
CANARY = "canary-canary-canary-canary"


def claxon(*arguments: str, folder: Path, key: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; `key` is what CLAXON_ADMIN_KEY holds."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=folder,
        env=environment(CLAXON_ADMIN_KEY=key),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(**more: str) -> Mapping[str, str]:
    path = os.pathsep.join(os.path.abspath(part) for part in sys.path if part)
    return {name: value for name, value in os.environ.items() if not name.startswith("CLAXON_")} | {
        "PYTHONPATH": path,
        **{name: value for name, value in more.items() if value},
    }


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.strip()}"}


class Traffic:
    """Posts without a pause, with the key of the moment."""

    def __init__(self, process: Process, key: str) -> None:
        self.key = key
        self.answers: Counter[int] = Counter()
        self._process = process
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._post) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _post(self) -> None:
        while not self._over.is_set():
            self.answers[self._process.post(EVENT, **bearer(self.key))[0]] += 1

    def more(self, n: int) -> None:
        """Wait until so many more were answered."""
        goal = self.answers.total() + n
        assert until(lambda: self.answers.total() >= goal, 30)

    def end(self) -> Counter[int]:
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.answers


def test_a_key_is_rotated_under_traffic_without_a_refused_request_and_revoked_at_once(tmp_path: Path) -> None:
    first = claxon("keys", "create", "boss", "--scope", "admin", "--data", "data", folder=tmp_path)
    boss = first.stdout.strip()
    with Process(tmp_path, environment=environment()) as process:
        at = ("--url", process.url)
        old = claxon("keys", "create", "shop", "--app", "shop", *at, folder=tmp_path, key=boss).stdout.strip()
        traffic = Traffic(process, old)
        try:
            traffic.more(100)
            rotated = claxon("keys", "rotate", "shop", "--overlap", "1h", *at, folder=tmp_path, key=boss)
            assert rotated.returncode == 0, rotated.stderr
            assert "works until 2" in rotated.stderr
            traffic.more(100)
            traffic.key = rotated.stdout.strip()
            traffic.more(100)
        finally:
            answers = traffic.end()
        assert set(answers) == {202}, answers
        listed = claxon("keys", "list", *at, folder=tmp_path, key=boss).stdout
        assert [line.split()[:2] + line.split()[5:6] for line in listed.splitlines() if line.startswith("shop")] == [
            ["shop", listed_id(old), "ending"],
            ["shop", listed_id(rotated.stdout.strip()), "active"],
        ]

        revoked = claxon("keys", "revoke", "shop", "--id", listed_id(old), *at, folder=tmp_path, key=boss)

        assert revoked.stdout == f"revoked: shop (id {listed_id(old)}): refused from the next request on\n"
        assert process.post(EVENT, **bearer(old))[0] == 401
        assert process.post(EVENT, **bearer(rotated.stdout))[0] == 202
        told = claxon("audit", *at, folder=tmp_path, key=boss).stdout
        assert [line.split()[1] for line in told.splitlines() if line.startswith("2")] == [
            "key.revoked",
            "key.rotated",
            "key.created",
            "key.created",
        ]
        assert "by boss (api 127.0.0.1)" in told
    everything = process.log.read_text() + listed + told + revoked.stdout + revoked.stderr
    assert [key for key in (boss, old, rotated.stdout.strip()) if key in everything] == []


def listed_id(key: str) -> str:
    import hashlib

    return hashlib.sha256(key.encode()).hexdigest()[:8]


def test_an_overlap_ends_by_itself(tmp_path: Path) -> None:
    boss = claxon("keys", "create", "boss", "--scope", "admin", "--data", "data", folder=tmp_path).stdout.strip()
    with Process(tmp_path, environment=environment()) as process:
        at = ("--url", process.url)
        old = claxon("keys", "create", "shop", *at, folder=tmp_path, key=boss).stdout
        assert claxon("keys", "rotate", "shop", "--overlap", "4s", *at, folder=tmp_path, key=boss).returncode == 0
        assert process.post(EVENT, **bearer(old))[0] == 202

        assert until(lambda: process.post(EVENT, **bearer(old))[0] == 401, 10)


def test_with_nothing_running_the_folder_is_opened_and_the_keys_count_from_the_start_on(tmp_path: Path) -> None:
    boss = claxon("keys", "create", "boss", "--scope", "admin", "--data", "data", folder=tmp_path)
    ci = claxon("keys", "create", "ci", "--data", "data", folder=tmp_path)
    new = claxon("keys", "rotate", "ci", "--overlap", "0s", "--data", "data", folder=tmp_path)
    gone = claxon("keys", "create", "gone", "--data", "data", folder=tmp_path)
    assert claxon("keys", "revoke", "gone", "--data", "data", folder=tmp_path).returncode == 0

    assert [made.returncode for made in (boss, ci, new, gone)] == [0, 0, 0, 0]
    with Process(tmp_path, environment=environment()) as process:
        answers = [process.post(EVENT, **bearer(made.stdout))[0] for made in (boss, ci, new, gone)]
        assert answers == [202, 401, 202, 401]
        assert process.post(EVENT)[0] == 401
    told = claxon("audit", "--data", "data", folder=tmp_path).stdout
    assert [line.split()[1] for line in told.splitlines() if line.startswith("2")] == [
        "key.revoked",
        "key.created",
        "key.rotated",
        "key.created",
        "key.created",
    ]
    assert "(command line)" in told


def test_a_folder_in_use_is_not_opened_but_its_service_asked(tmp_path: Path) -> None:
    with Process(tmp_path, environment=environment(CLAXON_ADMIN_KEY=CANARY)) as process:
        data = ("--data", str(process.data))
        alone = claxon("keys", "list", *data, folder=tmp_path, key=CANARY)
        told = claxon("keys", "list", *data, "--url", process.url, folder=tmp_path, key=CANARY)

        assert told.returncode == 0, told.stderr
        assert told.stdout.splitlines()[1].split()[:5] == [
            "claxon_admin_key",
            listed_id(CANARY),
            "admin",
            "-",
            "environment",
        ]
        assert (alone.returncode, "in use" in alone.stderr, "--url" in alone.stderr) == (2, True, True)


def test_what_is_asked_wrongly_says_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY + "\n")
    with Process(tmp_path, environment=environment(CLAXON_ADMIN_KEY=CANARY)) as process:
        at = ("--url", process.url)
        cases = [
            (
                ("keys", "create", "ci", *at),
                "",
                f"{process.url}: 401: name a file with a key of scope admin by --key-file",
            ),
            (("keys", "list", *at, "--key-file", "none"), "", "--key-file: none: "),
            (("keys", "create", "a b", *at), CANARY, "name: 'a b': up to 64 of"),
            (("keys", "rotate", "ci", *at), CANARY, "key: ci: no such key"),
            (("keys", "rotate", "claxon_admin_key", *at), CANARY, "key: claxon_admin_key: of the environment: take"),
            (("keys", "revoke", "ci", "--data", "nowhere"), "", "key: ci: no such key"),
            (
                ("keys", "rotate", "ci", "--overlap", "soon", "--data", "nowhere"),
                "",
                "--overlap: 'soon': not a duration",
            ),
            (("audit", "--since", "soon", "--data", "nowhere"), "", "--since: 'soon': write how long ago"),
            (("keys", "create", "ci", "--url", "http://127.0.0.1:1"), "", "http://127.0.0.1:1: "),
        ]
        for arguments, key, said in cases:
            done = claxon(*arguments, folder=tmp_path, key=key)
            assert (done.returncode, done.stdout) == (2, ""), (arguments, done)
            assert done.stderr.startswith(f"claxon: {said}"), (arguments, done.stderr)
        assert claxon("keys", "list", *at, "--key-file", "key", folder=tmp_path).returncode == 0
    assert CANARY not in process.log.read_text()


def test_a_folder_that_is_not_there_is_not_made_by_a_look_around(tmp_path: Path) -> None:
    done = claxon("keys", "list", "--url", "http://127.0.0.1:1", folder=tmp_path)

    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
