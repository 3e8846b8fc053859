"""What one answer is made of; every stage is kept, so one object answers "why did it say that?"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from cds_service.clinical.assess import Assessment
from cds_service.clinical.verdict import Classification


@dataclass(frozen=True)
class Decision:
    """The assessment of one chart. *silence* names why no card is due whatever the class."""

    assessment: Assessment
    today: date
    patient_id: str
    silence: str = ""
    unknown_systems: Mapping[str, int] | None = None

    @property
    def classification(self) -> Classification:
        return self.assessment.verdict.classification

    @property
    def speaks(self) -> bool:
        """A card is due."""
        says = (Classification.RELAPSED, Classification.REFRACTORY, Classification.INDETERMINATE)
        return not self.silence and self.classification in says
