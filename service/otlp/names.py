"""Which attributes are read, by which names, and what of their values is kept.

What is not listed here is never looked at, and so never kept. Each comes out under our own name, checked: a value that
is not of its kind is as good as absent. docs/reference/otlp.md has the same table for people.

Of several names for one thing the first is preferred: today's GenAI conventions and the anthropic SDK have it; the
others are older, or OpenLLMetry's or OpenInference's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

_MOST = 2**53
_WORD = re.compile(r"[A-Za-z0-9_]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

UNKNOWN = "unknown"
"""An error whose type is given and says nothing, or is no word: a text may quote the prompt."""

EVENT_NAME = "event.name"


def _text(value: Any) -> str | None:
    return value[:128] if isinstance(value, str) and value else None


def _lower(value: Any) -> str | None:
    return value[:128].lower() if isinstance(value, str) and value else None


def _message(value: Any) -> str | None:
    # For `errors` alone, which keeps only words of it.
    return value[:4096] if isinstance(value, str) and value else None


def _path(value: Any) -> str | None:
    return (value.partition("?")[0][:200] or None) if isinstance(value, str) else None


def _id(value: Any) -> str | None:
    # One word of visible ASCII; by the string's own methods, for each span has two of its own.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return None
    return value if 0 < len(value) <= 128 and " " not in value else None


def _error(value: Any) -> str:
    return value if isinstance(value, str) and value != "_OTHER" and _NAME.fullmatch(value) else UNKNOWN


def _reason(value: Any) -> str | None:
    """Return a stop reason; some write a list, or its JSON."""
    if isinstance(value, list):
        value = value[0] if value else None
    found = _WORD.search(value) if isinstance(value, str) else None
    return found[0] if found is not None else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST else None


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if 0 <= value < _MOST else None


def _status(value: Any) -> int | None:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and 100 <= value <= 599 else None


class Reading(NamedTuple):
    """How one attribute is read.

    Attributes:
        field: Our name for it.
        preferred: Whether it stands whatever the others of the field say.
        kept: What of a value is kept; None is nothing.
        repeats: Whether its values do, so that remembering them pays.
    """

    field: str
    preferred: bool
    kept: Callable[[Any], Any]
    repeats: bool = True


_TABLE: dict[str, tuple[Callable[[Any], Any], bool, tuple[str, ...]]] = {
    "provider": (_lower, True, ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")),
    "operation": (_text, True, ("gen_ai.operation.name", "llm.request.type")),
    "model": (
        _text,
        True,
        (
            "gen_ai.request.model",
            *("llm.request.model_name", "llm.model_name", "gen_ai.response.model", "llm.response.model_name"),
        ),
    ),
    "stream": (_flag, True, ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")),
    "status": (_status, True, ("http.response.status_code", "http.status_code")),
    "resent": (_count, True, ("http.request.resend_count",)),
    "path": (_path, True, ("claxon.path", "url.path")),
    "request_id": (_id, False, ("anthropic.request.id",)),
    "message_id": (_id, False, ("gen_ai.response.id",)),
    "workspace_id": (_id, True, ("anthropic.workspace.id",)),
    "organization_id": (_id, True, ("anthropic.organization.id",)),
    "stop_reason": (
        _reason,
        True,
        ("anthropic.message.stop_reason", "gen_ai.response.finish_reasons", "llm.finish_reason"),
    ),
    "max_tokens": (_count, True, ("gen_ai.request.max_tokens", "llm.request.max_tokens")),
    "input_tokens": (
        _count,
        True,
        (
            *("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
            *("llm.usage.prompt_tokens", "llm.token_count.prompt"),
        ),
    ),
    "output_tokens": (
        _count,
        True,
        (
            *("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
            *("llm.usage.completion_tokens", "llm.token_count.completion"),
        ),
    ),
    "cache_read_tokens": (
        _count,
        True,
        (
            *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
            "llm.token_count.prompt_details.cache_read",
        ),
    ),
    "cache_write_tokens": (
        _count,
        True,
        (
            *("gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
            *("gen_ai.usage.cache_creation_input_tokens", "llm.token_count.prompt_details.cache_write"),
        ),
    ),
    "first_chunk_s": (_seconds, False, ("gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token")),
    "duration_s": (_seconds, False, ("duration",)),
    "error_type": (_error, True, ("error.type",)),
    "exception_type": (_error, True, ("exception.type",)),
    "exception_message": (_message, False, ("exception.message",)),
    "service": (_text, True, ("service.name",)),
    "environment": (_text, True, ("deployment.environment.name", "deployment.environment")),
    # What kind of span it is, where an instrumentation has a word of its own for that.
    "openinference": (_lower, True, ("openinference.span.kind",)),
    "traceloop": (_lower, True, ("traceloop.span.kind",)),
    "logfire": (_lower, True, ("logfire.span_type",)),
}

READ: dict[str, Reading] = {
    name: Reading(field, place == 0, kept, repeats)
    for field, (kept, repeats, names) in _TABLE.items()
    for place, name in enumerate(names)
}
"""All that is read of spans, of their resource and of their exception events, by the attribute's name."""
