"""Beyond loopback Claxon listens only with a key that lets somebody in: with TLS or without, IPv4 or IPv6."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from service.audit import HANGUP
from service.keys.book import Asked, Book
from service.storage.database import open_database
from tests.support.certificates import authority
from tests.support.running import refused_start

NOON = 1_790_000_000.0


def refused(data: Path, listen: str, *arguments: str) -> str:
    without = {name: value for name, value in os.environ.items() if not name.startswith("CLAXON_")}
    return refused_start("--listen", listen, "--data", str(data), *arguments, environment=without)


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "0:0", "somewhere.example:0"])
def test_it_is_refused_without_keys_and_nothing_is_made(tmp_path: Path, listen: str) -> None:
    said = refused(tmp_path / "data", listen)

    assert "anybody who reaches it could read and post: make a key by `claxon keys create" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_tls_is_no_key(tmp_path: Path, listen: str) -> None:
    own = authority(tmp_path).sign("server", alternative="IP:127.0.0.1")

    said = refused(tmp_path / "data", listen, "--tls-cert", str(own.cert), "--tls-key", str(own.key))

    assert "anybody who reaches it could read and post" in said


@pytest.mark.parametrize("how", ["expired", "revoked", "rotated away"])
def test_keys_that_are_all_dead_are_no_keys(tmp_path: Path, how: str) -> None:
    connection = open_database(tmp_path)
    book = Book(connection, clock=lambda: NOON)
    book.create(Asked(name="me", scope="admin", expires_in_s=60 if how == "expired" else None), actor=HANGUP)
    if how == "rotated away":
        book.rotate("me", overlap_s=60, actor=HANGUP)
        newest = max(book.all(), key=lambda one: one.row)
        book.revoke("me", which=newest.key.sha256, actor=HANGUP)
    elif how == "revoked":
        book.revoke("me", actor=HANGUP)
    connection.close()

    assert "anybody who reaches it" in refused(tmp_path, "0.0.0.0:0")
    # Nothing holds the database or its lock.
    open_database(tmp_path).close()


def test_an_address_that_is_taken_is_said_before_anything_is_opened(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"

        assert f"--listen: {listen}: Address already in use" in refused(tmp_path / "data", listen)

    assert not (tmp_path / "data").exists()
