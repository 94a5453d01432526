"""partial_answer: what has arrived of a streamed answer, and what can be said of it; no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from anthropic import BaseModel

from . import guard
from .event import StreamEnd

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.beta import BetaMessage

BYTES_PER_TOKEN = 3.5
"""Of UTF-8, about: English prose has four, code and Chinese have three."""

NOTICES: dict[StreamEnd, str] = {
    StreamEnd.ERROR_EVENT: "The answer ends here: the service had a problem. Please try again.",
    StreamEnd.TRANSPORT_ERROR: "The answer ends here: the connection was lost. Please try again.",
    StreamEnd.TRUNCATED: "The answer ends here: the rest of it did not arrive. Please try again.",
    StreamEnd.CLOSED: "The answer was stopped here.",
    StreamEnd.DROPPED: "The answer was stopped here.",
}
"""What a reader is told unless the app says otherwise; a complete answer needs no notice."""

CUT = frozenset({StreamEnd.ERROR_EVENT, StreamEnd.TRANSPORT_ERROR, StreamEnd.TRUNCATED})
"""The endings that are somebody's fault, and not the app's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialAnswer:
    """An answer as far as it came, which in most cases is all of it.

    Attributes:
        message: The SDK's message so far; None if nothing came. After a cut its
            `usage.output_tokens` is what the first event said, which is no
            count: use `output_tokens`.
        text: All text so far, without thinking and without input of tools.
        thinking: All thinking so far.
        ending: One of the six endings of a stream.
        error: What the SDK raised; None for a clean end, even one too early.
        input_tokens: As the API said; None if it has not.
        output_tokens: As the API said at the end; None if it did not come to that.
        tokens_so_far: The output tokens; where those are unknown, an estimate from the size of what came.
        tokens_estimated: Whether `tokens_so_far` is that estimate.
        unfinished_block: The place in `message.content` of the block that was being written at the cut. If
            that is a `tool_use`, its input is not whole: do not run the tool.
        request_id: Of the HTTP answer, for support.
        notice: What to tell the reader; empty for a complete answer.
    """

    message: Message | BetaMessage | None
    text: str
    thinking: str = ""
    ending: StreamEnd
    error: Exception | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    tokens_so_far: int = 0
    tokens_estimated: bool = False
    unfinished_block: int | None = None
    request_id: str | None = None
    notice: str = ""

    @property
    def truncated(self) -> bool:
        """Whether something is missing. Not so when the model stopped at `max_tokens`: that is all it wrote."""
        return self.ending is not StreamEnd.COMPLETE

    @property
    def text_with_notice(self) -> str:
        """The text, and after an empty line the notice, if there is one."""
        return "\n\n".join(part for part in (self.text, self.notice) if part)


Notice: TypeAlias = str | Callable[[PartialAnswer], str]


def with_notice(answer: PartialAnswer, notice: Notice | None) -> PartialAnswer:
    """Return the answer with its notice; a complete one has none."""
    if not answer.truncated:
        return answer
    text = NOTICES[answer.ending]
    if isinstance(notice, str):
        text = notice
    elif notice is not None:
        try:
            text = notice(answer)
        except Exception as error:  # noqa: BLE001 - what arrived must not be lost for a notice
            guard.warn_once(
                "notice", f"read_stream: notice: {type(error).__name__}: the usual notice was given instead"
            )
    return replace(answer, notice=text)


class _Block:
    """A content block that is being written."""

    __slots__ = ("block", "json", "text", "thinking")

    def __init__(self, block: Any) -> None:
        self.block = block.model_copy()  # the event is the app's
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.json: list[str] = []

    def add(self, delta: Any) -> None:
        """Take a delta; one of a kind that is not known sets the fields that it has."""
        kind = delta.type
        if kind == "text_delta":
            self.text.append(delta.text)
        elif kind == "thinking_delta":
            self.thinking.append(delta.thinking)
        elif kind == "input_json_delta":
            self.json.append(delta.partial_json)
        elif kind == "citations_delta":
            self.block.citations = [*(self.block.citations or ()), delta.citation]
        else:
            for name, value in delta:
                if name != "type":
                    setattr(self.block, name, value)

    def finish(self) -> Any:
        """Return a copy of the block, with all that came for it."""
        block = self.block.model_copy()
        if self.text:
            block.text = getattr(block, "text", "") + "".join(self.text)
        if self.thinking:
            block.thinking = getattr(block, "thinking", "") + "".join(self.thinking)
        if self.json:
            block.input = read_cut_json("".join(self.json))
        return block


def read_cut_json(text: str) -> object:
    """Return what can be read of JSON that may end anywhere; an empty object where nothing can."""
    from jiter import from_json  # the SDK's own

    try:
        return from_json(text.encode(), partial_mode=True)
    except ValueError:
        return {}


class NotAnEvent(TypeError):
    """What was given is none of the SDK's streams."""


class Arrived:
    """What has arrived of one answer; takes the SDK's events, raw ones and those of `messages.stream()`."""

    def __init__(self) -> None:
        self.done = False
        self._start: Any = None
        self._blocks: dict[int, _Block] = {}
        self._delta: Any = None
        self._pieces: list[str] = []
        self._open: int | None = None

    def take(self, event: Any) -> str:
        """Take the next event; return the text that it brings, which may be empty.

        Raises:
            NotAnEvent: It is none of the SDK's events.
        """
        kind = getattr(event, "type", None)
        if kind == "content_block_delta":
            return self._add(event.index, event.delta)
        if kind == "content_block_start":
            self._open = event.index
            self._blocks[event.index] = _Block(event.content_block)
            return self._piece(_text_of(event.content_block))
        if kind == "content_block_stop":
            self._open = None
        elif kind == "message_start":
            self._start = event.message
        elif kind == "message_delta":
            self._delta = event
        elif kind == "message_stop":
            self.done = True
        elif not isinstance(event, BaseModel):
            raise NotAnEvent(f"read_stream: {type(event).__name__}: give a stream of the SDK's, or its events")
        return ""

    def _add(self, index: int, delta: Any) -> str:
        # There is no block when the app had read its beginning before it gave us the stream.
        block = self._blocks.get(index)
        if block is not None:
            block.add(delta)
        return self._piece(delta.text if delta.type == "text_delta" else "")

    def _piece(self, text: str) -> str:
        if text:
            self._pieces.append(text)
        return text

    @property
    def text(self) -> str:
        """All text that came, since the app gave us the stream."""
        return "".join(self._pieces)

    def message(self) -> Any:
        """Return the message so far; None if it has not begun, or began before the app gave us the stream."""
        if self._start is None:
            return None
        blocks = [block.finish() for _, block in sorted(self._blocks.items())]
        message = self._start.model_copy(update={"content": [*self._start.content, *blocks]})
        for block in blocks:
            if block.type == "fallback":  # the SDK's refusal middleware: another model goes on from here
                message.model = block.to.model
        if self._delta is not None:
            _conclude(message, self._delta)
        return message

    def answer(
        self, ending: StreamEnd, error: Exception | None = None, *, snapshot: Any = None, request_id: str | None = None
    ) -> PartialAnswer:
        """Return the answer, which ended so.

        Args:
            ending: How the stream ended.
            error: What the SDK raised.
            snapshot: The message as the SDK's own stream object has put it together, where there is one: it
                knows what the app read before, and the parsed output.
            request_id: Of the HTTP answer.
        """
        message = self.message() if snapshot is None else snapshot
        content = [] if message is None else message.content
        text = self.text if message is None else "".join(map(_text_of, content))
        known = self._output_tokens(snapshot)
        return PartialAnswer(
            message=message,
            text=text,
            thinking="".join(getattr(block, "thinking", "") for block in content if block.type == "thinking"),
            ending=ending,
            error=error,
            input_tokens=None if message is None else message.usage.input_tokens,
            output_tokens=known,
            tokens_so_far=self._estimate(content, text) if known is None else known,
            tokens_estimated=known is None,
            unfinished_block=None if self.done else self._open,
            request_id=request_id,
        )

    def _output_tokens(self, snapshot: Any) -> int | None:
        """Return the count that the end of the answer brings; what its beginning says is none."""
        said: int | None = None
        if self._delta is not None:
            said = self._delta.usage.output_tokens
        elif snapshot is not None and snapshot.stop_reason is not None:  # read by the app, before
            said = snapshot.usage.output_tokens
        return said

    def _estimate(self, content: list[Any], text: str) -> int:
        size = len(text.encode())
        for block in content:
            size += len(getattr(block, "thinking", "").encode())
        size += sum(len(piece) for block in self._blocks.values() for piece in block.json)
        return math.ceil(size / BYTES_PER_TOKEN)


def _text_of(block: Any) -> str:
    return block.text if block.type == "text" else ""


def _conclude(message: Any, event: Any) -> None:
    """Write what the last `message_delta` says into the message; its counts are totals."""
    for name, value in event.delta:
        if value is not None or name != "container":  # of which a null says nothing
            setattr(message, name, value)
    for name, value in event:
        if value is not None and name not in ("type", "delta", "usage"):
            setattr(message, name, value)
    message.usage = message.usage.model_copy(
        update={name: value for name, value in event.usage if value is not None},
    )
