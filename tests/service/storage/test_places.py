"""Places: what is shown of a URL never holds what is secret of it, whatever its password breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.storage.errors import StorageError
from service.storage.places import PostgresUrl, folder_of, is_shared, place_of


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("postgresql://me:hush@db:5432/claxon?password=hush", "postgresql://db:5432/claxon"),
        ("postgresql://me:hush@a:1,b:2/claxon?target_session_attrs=read-write", "postgresql://a:1,b:2/claxon"),
        ("postgresql:///claxon?host=/run/postgresql&user=me&password=hush", "postgresql:///claxon"),
        ("postgres://db/claxon", "postgresql://db/claxon"),
        ("postgresql://db?password=hush", "postgresql://db"),
        ("postgresql://me:hush/x@db/claxon", "postgresql://"),
        ("postgresql://me:hush?x@db/claxon", "postgresql://db/claxon"),
        ("postgresql://me:hush/s?x@db/claxon", "postgresql://"),
        ("postgresql://me:hush#x@db/claxon", "postgresql://db/claxon"),
        ("postgresql://me:hush[x@db/claxon", "postgresql://db/claxon"),
        ("postgresql://me:hush@x@db/claxon", "postgresql://db/claxon"),
    ],
)
def test_a_url_is_shown_without_its_secrets(secret: str, shown: str) -> None:
    url = PostgresUrl(secret)
    assert str(url) == shown
    assert "hush" not in repr(url)


def test_a_place_is_a_folder_or_a_server() -> None:
    assert place_of("claxon-data") == Path("claxon-data")
    assert not is_shared(place_of("./postgresql"))
    assert is_shared(place_of("postgres://db/claxon"))
    assert folder_of(Path("x")) == Path("x")
    with pytest.raises(StorageError, match="pg_dump"):
        folder_of(place_of("postgresql://db/claxon"))
