"""Where the database is: the command line before the environment, and that before the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.config import StorageConfig
from service.placing import data_place, log_url, read_storage
from service.settings import DEFAULT_DATA
from service.storage.database import open_database
from service.storage.errors import StorageError
from service.storage.places import PostgresUrl
from tests.support.postgres import Postgres, start_postgres

URL = "postgresql://me:hush@db/claxon"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    return file


def test_the_first_that_says_so_is_right(secret: Path) -> None:
    storage = StorageConfig(data="/srv/file", log="kafka://c:9092/file")
    environment = {"CLAXON_DATA": "/srv/environment", "CLAXON_LOG": "kafka://c:9092/environment"}

    assert data_place(Path("flag"), environment, storage) == Path("flag")
    assert data_place(None, environment, storage) == Path("/srv/environment")
    assert data_place(None, {"CLAXON_DATA_FILE": str(secret)}, storage) == PostgresUrl(URL)
    assert data_place(None, {}, storage) == Path("/srv/file")
    assert data_place(None, {}, StorageConfig(data_file=str(secret))) == PostgresUrl(URL)
    assert data_place(None, {"CLAXON_DATA_DEFAULT": "/data"}, storage) == Path("/srv/file")
    assert data_place(None, {"CLAXON_DATA_DEFAULT": "/data"}) == Path("/data")
    assert data_place(None, {}) == DEFAULT_DATA
    assert log_url("kafka://c:9092/flag", environment, storage) == "kafka://c:9092/flag"
    assert log_url(None, environment, storage) == "kafka://c:9092/environment"
    assert log_url(None, {}, storage) == "kafka://c:9092/file"
    assert log_url(None, {}) is None


def test_names_in_the_configuration_are_reached_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "claxon.yml"
    file.write_text("storage: {data: here}")
    assert read_storage(file).data == str(tmp_path / "here")
    file.write_text("storage: {data_file: url, log: 'kafka://c:9092/x'}\nroute: {receiver: nobody}")
    assert read_storage(file) == StorageConfig(data_file=str(tmp_path / "url"), log="kafka://c:9092/x")
    file.write_text("storage: {data: 'postgresql://db/claxon'}")
    assert read_storage(file).data == "postgresql://db/claxon"
    assert read_storage(None) == StorageConfig()


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty"), (f"{URL}\n{URL}", "two lines"), (None, "No such file or directory")]
)
def test_a_file_without_a_url_is_named_and_its_content_is_not(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StorageError, match=f"CLAXON_DATA_FILE: {file}: {said}") as refused:
        data_place(None, {"CLAXON_DATA_FILE": str(file)})
    assert "hush" not in str(refused.value)


def test_two_variables_are_one_too_many(secret: Path) -> None:
    with pytest.raises(StorageError, match="set one of them"):
        data_place(None, {"CLAXON_DATA": "x", "CLAXON_DATA_FILE": str(secret)})


# ── a password, of a real server ──────────────────────────────────────────────


@pytest.fixture
def guarded() -> Iterator[Postgres]:
    with start_postgres() as server:
        server.sql("CREATE ROLE clerk LOGIN SUPERUSER PASSWORD 'hush'")
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text("host all clerk 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        server.sql("SELECT pg_reload_conf()")
        yield server


def test_the_password_comes_from_a_file(guarded: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = guarded.url(guarded.create_database()).replace("claxon@", "clerk@")
    passwords = tmp_path / "passwords"
    passwords.write_text("*:*:*:clerk:hush\n")
    passwords.chmod(0o600)
    whole = tmp_path / "url"
    whole.write_text(bare.replace("clerk@", "clerk:hush@"))

    with pytest.raises(StorageError, match="password") as refused:
        open_database(PostgresUrl(bare))
    assert "clerk@" not in str(refused.value)
    open_database(PostgresUrl(f"{bare}?passfile={passwords}")).close()
    open_database(data_place(None, {"CLAXON_DATA_FILE": str(whole)})).close()
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    open_database(PostgresUrl(bare)).close()
