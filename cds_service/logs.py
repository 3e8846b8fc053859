"""Log lines: JSON, one a line, written whole, and only the fields listed here.

A library's own message may hold an address, a header or a body, so of it only its name, level and place are kept.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

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


_writing = threading.Lock()
_to: TextIO | None = None


def configure(to: TextIO | None) -> None:
    """Write our own lines, and what is kept of those of libraries, to *to*; until then, and to ``None``, nothing."""
    global _to
    _to = to
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)


def info(event: str, **fields: Any) -> None:
    """A line about what was to be expected."""
    _write("info", event, fields)


def error(event: str, **fields: Any) -> None:
    """A line about what was not."""
    _write("error", event, fields)


def _write(level: str, event: str, fields: Mapping[str, Any]) -> None:
    if _to is None:
        return
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = only_listed({**fields, "event": event, "level": level, "timestamp": now})
    with _writing:
        _to.write(json.dumps(line, ensure_ascii=False) + "\n")
        _to.flush()


def only_listed(line: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of :data:`FIELDS`, shortened; whatever else a call was given is dropped."""
    return {name: _short(value) for name, value in line.items() if name in FIELDS and value not in (None, "")}


def _short(value: Any) -> str | int | float | bool:
    return value if isinstance(value, int | float) else str(value)[:LONGEST]


class _Libraries(logging.Handler):
    """Says that a library had something to say, and where."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        place = f"{record.module}:{record.lineno}"
        _write(record.levelname.lower(), "library", {"logger": record.name, "place": place, "error": error})
