"""Every feedback event as CSV or JSON, one after the other however many there are.

45 CFR 170.315(b)(11)(ii)(C) asks that feedback can be exported in a computable format with, at least: the
intervention, the action taken, the feedback of the user where there is any, the user, the date and the location.
Those are the first columns (the feedback takes two). The user's column is always empty: this service is told of no
user and keeps none; the EHR that sent the feedback can add it. The location is the client, that is the site. The
other columns are ours. An event that matches no card of its client has no intervention, class, rule or catalogue.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TextIO

from sqlalchemy import Connection, select

from cds_service.knowledge import Knowledge
from cds_service.report.names import coded_name
from cds_service.report.queries import same_card, within
from cds_service.report.tally import Scope
from cds_service.store.database import Database
from cds_service.store.tables import (
    accepted_suggestion,
    feedback_event,
    issued_card,
    issued_suggestion,
    override_reason,
)

COLUMNS = (
    "intervention",
    "action",
    "feedback",
    "comment",
    "user (not collected)",
    "date",
    "location",
    "card",
    "class",
    "rule",
    "catalogue",
    "display",
    "matched",
    "accepted suggestions",
    "received",
)
AT_ONCE = 1000
"""Events read in one transaction: nobody who writes waits long for an export."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes a cell that begins with one of these."""

Event = dict[str, str]


def events(database: Database, knowledge: Knowledge, scope: Scope) -> Iterator[Event]:
    """The events received in *scope*, oldest first, each with all of :data:`COLUMNS`. Raises :class:`StoreDown`."""
    last, page = 0, [Event()] * AT_ONCE
    while len(page) == AT_ONCE:
        last, page = database.run(partial(_page, knowledge=knowledge, scope=scope, after=last))
        yield from page


def write_csv(rows: Iterable[Event], out: TextIO) -> None:
    """RFC 4180, with a header, no cell of which a spreadsheet takes for a formula. *out* must keep line ends."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_inert(event[column]) for column in COLUMNS] for event in rows)


def write_json(rows: Iterable[Event], out: TextIO) -> None:
    """An array of objects, one a line."""
    mark = "["
    for event in rows:
        out.write(f"{mark}\n{json.dumps(event, ensure_ascii=False)}")
        mark = ","
    out.write("[]\n" if mark == "[" else "\n]\n")


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _page(connection: Connection, *, knowledge: Knowledge, scope: Scope, after: int) -> tuple[int, list[Event]]:
    """The next events, and the number of the last of them."""
    columns = [issued_card.c[name] for name in ("service", "class", "rule", "digest", "display")]
    asked = (
        select(feedback_event, *columns)
        .select_from(feedback_event.outerjoin(issued_card, same_card()))
        .where(feedback_event.c.id > after, *within(scope, feedback_event.c.received, feedback_event.c.client))
        .order_by(feedback_event.c.id)
        .limit(AT_ONCE)
    )
    found = connection.execute(asked).mappings().all()
    ids = [row["id"] for row in found]
    reasons, suggestions = _reasons(connection, ids), _suggestions(connection, ids)
    page = [_event(row, knowledge, reasons[row["id"]], suggestions[row["id"]]) for row in found]
    return max(ids, default=after), page


def _event(row: Any, knowledge: Knowledge, reasons: Sequence[Any], suggestions: Sequence[str]) -> Event:
    feedback = [coded_name(reason.system, reason.code, knowledge) for reason in reasons if reason.code]
    comments = [reason.comment for reason in reasons if reason.comment]
    values = (
        row["service"],
        row["outcome"],
        "; ".join(feedback),
        "; ".join(comments),
        None,
        _moment(row["happened"]),
        row["client"],
        row["card"],
        row["class"],
        row["rule"],
        row["digest"],
        row["display"],
        "no" if row["service"] is None else "yes",
        "; ".join(suggestions),
        _moment(row["received"]),
    )
    return {column: value or "" for column, value in zip(COLUMNS, values, strict=True)}


def _moment(milliseconds: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def _reasons(connection: Connection, ids: Sequence[int]) -> dict[int, list[Any]]:
    asked = (
        select(override_reason)
        .where(override_reason.c.event.in_(ids))
        .order_by(override_reason.c.event, override_reason.c.position)
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(asked):
        found[row.event].append(row)
    return found


def _suggestions(connection: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    """The kinds of those that are of the event's own card."""
    asked = (
        select(feedback_event.c.id, issued_suggestion.c.kind)
        .join(accepted_suggestion, accepted_suggestion.c.event == feedback_event.c.id)
        .join(issued_card, same_card())
        .join(
            issued_suggestion,
            (issued_suggestion.c.suggestion == accepted_suggestion.c.suggestion)
            & (issued_suggestion.c.card == issued_card.c.card),
        )
        .where(feedback_event.c.id.in_(ids))
        .order_by(feedback_event.c.id, issued_suggestion.c.kind)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for event, kind in connection.execute(asked):
        found[event].append(kind)
    return found
