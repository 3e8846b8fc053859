"""What is kept of answers: each composed card in the ledger, and what clinicians made of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.compose import assessment_json
from cds_service.decision import Decision
from cds_service.errors import Unavailable
from cds_service.hooks.feedback import FeedbackItem
from cds_service.knowledge import Knowledge
from cds_service.store.database import StoreDown
from cds_service.store.feedback import FeedbackStore
from cds_service.store.ledger import IssuedCard, Ledger
from cds_service.store.remembered import DAY, Remembered
from cds_service.trust.door import Caller

SHOWN, SILENT, REPEATED = "shown", "silent", "repeated"
NOBODY = "none"
"""The client of a call from nobody in particular, in demo mode."""
NOT_KEPT = "The database does not answer, and nothing of this feedback was kept. Send all of it again."


@dataclass(frozen=True)
class Books:
    """The ledger, the feedback, and for sites that wish it the memory of answered cards."""

    knowledge: Knowledge
    ledger: Ledger
    feedback: FeedbackStore
    remembered: Remembered | None

    def enter(self, card: Mapping[str, Any], decision: Decision, caller: Caller | None, patient_id: str) -> str:
        """Note *card*; whether it is to be shown, or why not: the site is silent, or it was answered before."""
        patient, evidence = self._grounds(decision, caller, patient_id)
        now = milliseconds_now()
        display = self._display(caller, patient, evidence, now)
        kinds = decision.assessment.suggestions
        self.ledger.note(
            IssuedCard(
                card=card["uuid"],
                issued=now,
                service=self.knowledge.service.id,
                client=caller.client.name if caller else NOBODY,
                classification=decision.classification.value,
                rule=decision.assessment.verdict.rule,
                digest=self.knowledge.digest,
                display=display,
                suggestions={made["uuid"]: kind for made, kind in zip(card["suggestions"], kinds, strict=True)},
                patient=patient,
                evidence=evidence,
            )
        )
        return display

    def _grounds(self, decision: Decision, caller: Caller | None, patient_id: str) -> tuple[bytes | None, bytes | None]:
        """Keyed digests of the patient and of what decided; none where the site does not wish it."""
        if self.remembered is None or caller is None or not caller.client.remember_days:
            return None, None
        said = assessment_json(decision, self.knowledge)
        return self.remembered.patient(caller.issuer, patient_id), self.remembered.evidence(said)

    def _display(self, caller: Caller | None, patient: bytes | None, evidence: bytes | None, now: int) -> str:
        if caller is not None and caller.client.silent:
            return SILENT
        if self.remembered is None or caller is None or patient is None or evidence is None:
            return SHOWN
        since = now - caller.client.remember_days * DAY
        return REPEATED if self.remembered.was_answered(patient, evidence, since) else SHOWN

    def keep(self, items: Sequence[FeedbackItem], caller: Caller | None) -> int:
        """Keep feedback for good; how many items were new. Raises :class:`Unavailable`: none of it was kept."""
        try:
            return self.feedback.keep(items, caller.client.name if caller else NOBODY, milliseconds_now())
        except StoreDown:
            raise Unavailable(NOT_KEPT, retry_after=5) from None

    def close(self) -> None:
        """Write what the ledger still holds."""
        self.ledger.close()


def milliseconds_now() -> int:
    """Since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
