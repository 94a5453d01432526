"""content: the arguments of a call as JSON, so that another process can make it.

What the SDK takes and JSON does not know is turned into what the SDK would have
sent; what only this process has, such as a stream's reader or a key, is refused.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..tagging import current_tags
from .errors import NotDeferrable
from .job import Content

RESOURCES = ("messages.create", "beta.messages.create")
_CREDENTIALS = frozenset({"authorization", "x-api-key", "proxy-authorization"})
_NAMED = ("path", "app", "environment")


def content_of(arguments: Mapping[str, Any], *, resource: str, context: Mapping[str, object] | None) -> Content:
    """Return the call as a store keeps it.

    Args:
        arguments: Of `client.messages.create`.
        resource: Which method; one of RESOURCES.
        context: Added to what `claxon.context` says here and now.

    Raises:
        NotDeferrable: Another process could not make this call.
    """
    if resource not in RESOURCES:
        raise NotDeferrable(f"defer: resource: {resource}: give one of {', '.join(RESOURCES)}")
    _check(arguments)
    plain = {name: _plain(value, name) for name, value in arguments.items() if not _is_left_out(value)}
    return Content(resource=resource, arguments=plain, context=_context(context))


def unwound(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with iterators turned into lists, so that they can be read twice."""
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in arguments.items()}


def _check(arguments: Mapping[str, Any]) -> None:
    for name in ("model", "max_tokens", "messages"):
        if name not in arguments:
            raise NotDeferrable(f"defer: {name}: missing: give what client.messages.create takes")
    if arguments.get("stream") is True:
        raise NotDeferrable("defer: stream: True: nobody reads along later: leave it out; handle gets the whole answer")
    headers = arguments.get("extra_headers")
    for name in headers if isinstance(headers, Mapping) else ():
        if str(name).lower() in _CREDENTIALS:
            raise NotDeferrable(f"defer: extra_headers: {name}: a queue keeps no keys: the worker's client has its own")


def _plain(value: object, where: str) -> Any:
    """Return a value as JSON knows it."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(part, f"{where}.{name}") for name, part in value.items() if not _is_left_out(part)}
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):  # a block of an earlier answer, put into the messages
        return _plain(dump(mode="json", exclude_unset=True, by_alias=True), where)
    if isinstance(value, (os.PathLike, io.IOBase)) and where.endswith(".data"):
        return _base64(value)
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, io.IOBase)):
        return [_plain(part, f"{where}[{number}]") for number, part in enumerate(value)]
    raise NotDeferrable(f"defer: {where}: {type(value).__name__}: give what JSON knows")


def _base64(value: Any) -> str:
    """Return a file's content as the SDK sends it."""
    content: str | bytes
    if isinstance(value, os.PathLike):
        content = Path(value).read_bytes()
    else:
        content = value.read()
        if value.seekable():
            value.seek(0)
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode("ascii")


def _is_left_out(value: object) -> bool:
    kind = type(value)
    return kind.__name__ in ("NotGiven", "Omit") and kind.__module__.startswith("anthropic")


def _context(given: Mapping[str, object] | None) -> dict[str, Any]:
    """Return the arguments of the `claxon.context` in which the worker will call."""
    tags, more = current_tags(), dict(given or {})
    named = {name: more.pop(name, None) or getattr(tags, name) for name in _NAMED}
    attributes = {**(tags.attributes or {}), **{str(name): str(value) for name, value in more.items()}}
    return {name: str(value) for name, value in named.items() if value} | (
        {"attributes": attributes} if attributes else {}
    )
