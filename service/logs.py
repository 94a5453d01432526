"""The service's own log: structlog, JSON lines on stderr, readable text on a terminal.

Event names are past-tense facts with a dot: `alert.fired`, `notification.delivered`.
"""

from __future__ import annotations

import logging
import sys

import structlog

from .colour import wants_colour


def configure_logs(level: str = "info", *, as_json: bool = False) -> None:
    """Set up logging for the process; JSON lines on a terminal, too, if they are asked for."""
    terminal = sys.stderr.isatty() and not as_json
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=wants_colour(sys.stderr))]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _route_stdlib(shared, render, number)


def _route_stdlib(
    shared: list[structlog.typing.Processor], render: list[structlog.typing.Processor], level: int
) -> None:
    """Have libraries' records look like ours; their chatter below a warning is left out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
