"""Log lines: JSON, one a line, and only the fields listed here.

A library's own message may hold an address, a header or a body, so of it only its name, level and place are kept.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

FIELDS = frozenset(
    {"event", "level", "timestamp", "request_id", "route", "status", "milliseconds"}
    | {"client", "issuer", "tenant", "token_id", "reason", "hook_instance", "patient"}
    | {
        "digest",
        "class",
        "rule",
        "silence",
        "card",
        "set_aside",
        "fetched",
        "error",
        "place",
        "logger",
        "mode",
        "callers",
    }
)
"""Every field a line may have. ``patient`` is a keyed hash."""
LONGEST = 256
"""Characters of one value; callers choose ``tenant`` and ``token_id`` themselves."""


def configure(to: TextIO) -> None:
    """Write our own lines, and what is kept of those of libraries, to *to*."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_listed,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=to),
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


def only_listed(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The fields of :data:`FIELDS`, shortened; whatever else a call was given is dropped."""
    return {name: _short(value) for name, value in line.items() if name in FIELDS and value not in (None, "")}


def _short(value: Any) -> str | int | float | bool:
    return value if isinstance(value, int | float) else str(value)[:LONGEST]


class _Libraries(logging.Handler):
    """Says that a library had something to say, and where."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        place = f"{record.module}:{record.lineno}"
        structlog.get_logger().log(record.levelno, "library", logger=record.name, place=place, error=error)
