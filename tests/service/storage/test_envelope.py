"""The message that carries events to who evaluates them: written by one version, read by another."""

from __future__ import annotations

import msgspec
import pytest

from service.storage import envelope
from service.storage.envelope import Envelope, NewerError, UnreadableError

FIRST = (1, 12.5, "shop", "prod", "k", 2, "", False, 3, "http://a:5290", b"zstd")
"""What the first version wrote, field by field: whoever comes later must read it."""


def sample(**changed: object) -> Envelope:
    return msgspec.structs.replace(envelope.read(msgspec.msgpack.encode(FIRST)), **changed)


def test_what_is_written_is_read() -> None:
    assert envelope.read(envelope.write(sample(key=None))) == sample(key=None)


def test_a_message_of_the_first_version_is_read_and_written_as_ever() -> None:
    found = sample()
    assert (found.app, found.environment, found.key, found.n) == ("shop", "prod", "k", 2)
    assert (found.received_at, found.client_dropped, found.node, found.body) == (12.5, 3, "http://a:5290", b"zstd")
    assert envelope.write(found) == msgspec.msgpack.encode(FIRST)


def test_fields_that_a_later_one_adds_at_the_end_are_passed_over() -> None:
    assert envelope.read(msgspec.msgpack.encode((*FIRST, "more", {"a": 1}))) == sample()


@pytest.mark.parametrize("fields", [(2, *FIRST[1:]), (2, "nothing", "as", "before"), (7,)])
def test_a_newer_version_is_not_taken_for_rubbish(fields: tuple[object, ...]) -> None:
    with pytest.raises(NewerError, match=r"^envelope: version [27]: this Claxon knows 1: upgrade"):
        envelope.read(msgspec.msgpack.encode(fields))


RUBBISH = [None, b"", b"{}", b"\xff", envelope.write(sample())[:-1], b"\x90", msgspec.msgpack.encode((0, *FIRST[1:]))]


@pytest.mark.parametrize("message", [*RUBBISH, msgspec.msgpack.encode((10**12, *FIRST[1:]))])
def test_what_somebody_else_wrote_is_told_apart(message: bytes | None) -> None:
    with pytest.raises(UnreadableError, match=r"only Claxon may write here$"):
        envelope.read(message)
