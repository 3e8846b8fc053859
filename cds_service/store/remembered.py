"""Cards a clinician has answered: not shown again until something that decided them changes.

Only keyed digests are compared. Whoever has the database and not the site's key learns of nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from sqlalchemy import and_, select

from cds_service.store.database import Database, StoreDown
from cds_service.store.tables import feedback_event, issued_card

DAY = 86_400_000


class Remembered:
    """Under the site's *key*. While the database is away nothing is remembered, and cards are shown."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key

    def patient(self, issuer: str, patient_id: str) -> bytes:
        """The digest that stands for a patient of *issuer*."""
        return patient_digest(self._key, issuer, patient_id)

    def evidence(self, assessment: dict[str, Any]) -> bytes:
        """The digest of class, Philadelphia status and deciding evidence of an assessment as JSON."""
        return _digest(self._key, [assessment[name] for name in ("classification", "ph_status", "evidence")])

    def was_answered(self, patient: bytes, evidence: bytes, since: int) -> bool:
        """Whether a card on the same grounds was accepted or overridden after *since* (milliseconds since 1970)."""
        same_card = and_(issued_card.c.card == feedback_event.c.card, issued_card.c.client == feedback_event.c.client)
        same_grounds = and_(issued_card.c.patient == patient, issued_card.c.evidence == evidence)
        asked = (
            select(feedback_event.c.id)
            .join(issued_card, same_card)
            .where(same_grounds, feedback_event.c.received >= since)
            .limit(1)
        )
        try:
            return self._database.run(lambda connection: connection.execute(asked).first() is not None)
        except StoreDown:
            return False


def patient_digest(key: bytes, issuer: str, patient_id: str) -> bytes:
    """What stands for a patient of *issuer* under the site's *key*."""
    return _digest(key, ["patient", issuer, patient_id])


def _digest(key: bytes, said: list[Any]) -> bytes:
    return hmac.new(key, json.dumps(said, sort_keys=True).encode(), hashlib.sha256).digest()
