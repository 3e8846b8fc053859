"""What the database says about issued cards and their answers, grouped there. SQL that every database speaks.

A card belongs to the period in which it was issued, whenever it was answered. An event belongs to its card only
when it comes from the client the card went to.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    select,
)

from cds_service.report.tally import SHOWN, Found, Scope, Tally
from cds_service.store.tables import (
    accepted_suggestion,
    feedback_event,
    issued_card,
    issued_suggestion,
    override_reason,
)

DAY = 86_400_000
_WEEK = 7 * DAY
_MONDAY = date(1969, 12, 29)
"""The Monday before 1970-01-01, which was a Thursday: weeks are counted from it."""
_BEFORE_1970 = 3 * DAY


def find(connection: Connection, scope: Scope) -> Found:
    """Count what is in *scope*."""
    return Found(
        tallies=[_tally(row) for row in connection.execute(_cards_by_kind(scope))],
        events={row[0]: row[1] for row in connection.execute(_events_by_display(scope))},
        reasons={(row[0], row[1]): row[2] for row in connection.execute(_cards_by_reason(scope))},
        overridden_without_code=connection.execute(_without_code(scope)).scalar_one(),
        suggestions={row[0]: (row[1], row[2]) for row in connection.execute(_suggestions_by_kind(scope))},
    )


def same_card() -> ColumnElement[bool]:
    """The event is about the card, and comes from the client it went to."""
    return and_(feedback_event.c.card == issued_card.c.card, feedback_event.c.client == issued_card.c.client)


def within(scope: Scope, moment: Column[Any], client: Column[Any]) -> list[ColumnElement[bool]]:
    """The conditions of *scope* on a table's time (milliseconds since 1970) and client."""
    conditions: list[ColumnElement[bool]] = []
    if scope.since is not None:
        conditions.append(moment >= _midnight(scope.since))
    if scope.until is not None:
        conditions.append(moment < _midnight(scope.until) + DAY)
    if scope.client is not None:
        conditions.append(client == scope.client)
    return conditions


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _tally(row: Any) -> Tally:
    return Tally(
        rule=row.rule,
        classification=row.classification,
        client=row.client,
        week=_MONDAY + timedelta(weeks=row.week),
        display=row.display,
        cards=row.cards,
        accepted=row.accepted,
        overridden=row.answered - row.accepted,
    )


def _accepted() -> ColumnElement[int]:
    """Of the events of one card: 1 when any accepted it, 0 when all overrode it, nothing when there are none."""
    outcome = feedback_event.c.outcome
    return func.max(case((outcome == "accepted", 1), (outcome.is_not(None), 0)))


def _cards_by_kind(scope: Scope) -> Select[Any]:
    """Grouped outside of the query that computes the week, so that both name the same column."""
    week = (issued_card.c.issued + _BEFORE_1970) // literal(_WEEK, BigInteger)
    rule, client, display = issued_card.c.rule, issued_card.c.client, issued_card.c.display
    columns = [rule, issued_card.c["class"].label("classification"), client, display, week.label("week")]
    cards = (
        select(*columns, _accepted().label("accepted"))
        .select_from(issued_card.outerjoin(feedback_event, same_card()))
        .where(*within(scope, issued_card.c.issued, client))
        .group_by(issued_card.c.card)
        .subquery("cards")
    )
    kind = [cards.c.rule, cards.c.classification, cards.c.client, cards.c.display, cards.c.week]
    return select(
        *kind,
        func.count().label("cards"),
        func.count(cards.c.accepted).label("answered"),
        func.coalesce(func.sum(cards.c.accepted), 0).label("accepted"),
    ).group_by(*kind)


def _events_by_display(scope: Scope) -> Select[Any]:
    """By the time they were received: for an event without a card there is no other we can trust."""
    return (
        select(issued_card.c.display, func.count())
        .select_from(feedback_event.outerjoin(issued_card, same_card()))
        .where(*within(scope, feedback_event.c.received, feedback_event.c.client))
        .group_by(issued_card.c.display)
    )


def _overridden(scope: Scope) -> Subquery:
    """The shown cards that count as overridden."""
    return (
        select(issued_card.c.card, issued_card.c.client)
        .join(feedback_event, same_card())
        .where(issued_card.c.display == SHOWN, *within(scope, issued_card.c.issued, issued_card.c.client))
        .group_by(issued_card.c.card)
        .having(_accepted() == 0)
        .subquery("overridden")
    )


def _coded() -> Select[Any]:
    """One row for each coded reason of each event."""
    return (
        select(feedback_event.c.card, feedback_event.c.client, override_reason.c.system, override_reason.c.code)
        .join(override_reason, override_reason.c.event == feedback_event.c.id)
        .where(override_reason.c.code.is_not(None))
    )


def _cards_by_reason(scope: Scope) -> Select[Any]:
    """Overridden cards by coded reason; a card with several reasons counts for each of them."""
    overridden, reasons = _overridden(scope), _coded().distinct().subquery("reasons")
    same = and_(reasons.c.card == overridden.c.card, reasons.c.client == overridden.c.client)
    code = [reasons.c.system, reasons.c.code]
    return select(*code, func.count()).select_from(overridden.join(reasons, same)).group_by(*code)


def _without_code(scope: Scope) -> Select[Any]:
    """Overridden cards for which no event gave a coded reason."""
    overridden = _overridden(scope)
    same = and_(feedback_event.c.card == overridden.c.card, feedback_event.c.client == overridden.c.client)
    return select(func.count()).select_from(overridden).where(~_coded().where(same).exists())


def _suggestions_by_kind(scope: Scope) -> Select[Any]:
    """Suggestions on shown cards by kind: offered, and accepted by at least one event."""
    taken = (
        select(accepted_suggestion.c.suggestion, feedback_event.c.card, feedback_event.c.client)
        .join(feedback_event, feedback_event.c.id == accepted_suggestion.c.event)
        .distinct()
        .subquery("taken")
    )
    ours = and_(
        taken.c.suggestion == issued_suggestion.c.suggestion,
        taken.c.card == issued_card.c.card,
        taken.c.client == issued_card.c.client,
    )
    return (
        select(issued_suggestion.c.kind, func.count(), func.count(taken.c.suggestion))
        .join(issued_card, issued_card.c.card == issued_suggestion.c.card)
        .outerjoin(taken, ours)
        .where(issued_card.c.display == SHOWN, *within(scope, issued_card.c.issued, issued_card.c.client))
        .group_by(issued_suggestion.c.kind)
    )
