"""Whether a span is a call to Claude.

≠ how it went.
"""

from __future__ import annotations

from .span import CLIENT, ERROR, INTERNAL, SERVER, Span

SDK_SCOPE = "com.anthropic."
"""How the names of the SDK's and of the API's own instrumentation begin."""

PLATFORM_SCOPE = "com.anthropic.claude-platform"

_CALLS = frozenset({"chat", "text_completion", "generate_content", "completion", "message", "messages"})
"""Operations that are one call of a model; an agent, a tool, an embedding is none."""


def is_ours(span: Span) -> bool:
    """Return whether a span is one call of a Claude model, or one request to the Claude API."""
    attributes, kind = span.attributes, span.kind
    operation = attributes.get("operation")
    if operation is not None and operation not in _CALLS:
        return False
    if span.origin.scope.startswith(SDK_SCOPE):
        # INTERNAL without an operation is a tool, or a step of a session.
        return kind in (CLIENT, SERVER) or (kind == INTERNAL and operation is not None)
    return kind in (0, INTERNAL, CLIENT) and _is_claude(span) and _is_whole(span)


def _is_claude(span: Span) -> bool:
    provider = span.attributes.get("provider")
    if provider is None or provider == "anthropic":
        return provider is not None
    # Bedrock, Vertex AI, Foundry and gateways have many models.
    return "claude" in span.attributes.get("model", "").lower()


def _is_whole(span: Span) -> bool:
    """Return whether it stands for a whole call, and not for what is around or beside one."""
    attributes = span.attributes
    if "traceloop" in attributes:
        return False
    if (kind := attributes.get("openinference")) is not None:
        return bool(kind == "llm")
    if span.kind != CLIENT and "operation" not in attributes:
        return False
    if not span.origin.scope.startswith("logfire"):
        return True
    if attributes.get("logfire") == "pending_span":
        return False
    # A stream has two spans there. The first ends when the stream begins: how it went is in the second.
    return span.status == ERROR or "message_id" in attributes or span.kind != CLIENT
