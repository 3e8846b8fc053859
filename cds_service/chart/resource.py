"""Careful access to one FHIR resource: every getter answers "absent" instead of raising."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cds_service.clinical.when import When
from cds_service.knowledge import Coding, plain_display

Json = dict[str, Any]
NOTHING: frozenset[str] = frozenset()

OLDER_FHIR = {
    "Condition": ("dateRecorded", "assertedDate", "context", "patient"),
    "Observation": ("comments", "comment", "context", "related"),
    "Procedure": ("context", "notDone", "notPerformed", "performer_patient"),
    "MedicationRequest": ("context", "dateWritten"),
    "MedicationAdministration": ("context", "notGiven", "wasNotGiven", "effectiveTimeDateTime"),
    "MedicationStatement": ("context", "taken", "wasNotTaken"),
    "DiagnosticReport": ("context", "codedDiagnosis"),
}
"""Elements of DSTU2 and STU3 that R4 does not have: the resource is of another FHIR version."""


_ID = re.compile(r"[A-Za-z0-9\-.#]{1,130}")


def is_id(value: object) -> bool:
    """Fit to be shown: a FHIR id, or two joined for a contained resource. Other text may be a link or HTML."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


class Resource:
    """One relevant resource. *meanings* maps codes to value sets, *displays* displays to those they stand in.

    ``ref`` is ``Type/id``, ``code_meanings`` the value sets that hold the resource's own code.
    """

    def __init__(self, json: Json, meanings: Mapping[Coding, str], displays: Mapping[str, frozenset[str]]) -> None:
        self.json = json
        self.meanings = meanings
        self.displays = displays
        self.kind = str(json.get("resourceType", ""))
        name = json.get("id")
        self.ref = f"{self.kind}/{name if is_id(name) else _unidentified(json)}"
        self._codings = codings(json.get("code"))
        self.code_meanings = self._meanings(self._codings)

    @property
    def older_version(self) -> bool:
        """The shape of DSTU2 or STU3."""
        named = not self.json.keys().isdisjoint(OLDER_FHIR.get(self.kind, ()))
        plain = self.kind == "Condition" and any(
            isinstance(self.json.get(name), str) for name in ("clinicalStatus", "verificationStatus")
        )
        return named or plain or (self.kind == "Observation" and isinstance(self.json.get("category"), dict))

    def text(self, name: str) -> str:
        value = self.json.get(name)
        return value if isinstance(value, str) else ""

    def part(self, name: str) -> Json:
        value = self.json.get(name)
        return value if isinstance(value, dict) else {}

    def parts(self, name: str) -> list[Json]:
        value = self.json.get(name)
        return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []

    def reference(self, name: str) -> str:
        value = self.part(name).get("reference")
        return value if isinstance(value, str) else ""

    def meanings_of(self, concept: object) -> frozenset[str]:
        """The value sets that hold a coding of *concept*; one whose display names another is dropped."""
        return NOTHING if concept is None else self._meanings(codings(concept))

    def _meanings(self, given: list[tuple[Coding, str]]) -> frozenset[str]:
        known = self.meanings
        return frozenset(
            [known[pair] for pair, display in given if pair in known and not self.display_names_another(pair, display)]
        )

    def display_names_another(self, pair: Coding, display: str) -> bool:
        """The display is that of another known concept, and of this one nowhere.

        "Acute lymphoblastic leukemia" over a code that says more (B-cell, in relapse) is broader, not another.
        """
        if not display:
            return False
        meaning, others = self.meanings[pair], self.displays.get(plain_display(display))
        if not others or meaning in others:
            return False
        named = {_answer(name) for name in others}
        broader = "all-diagnosis" in named and meaning.startswith("all-")
        return _answer(meaning) not in named and not broader

    @property
    def misnamed(self) -> bool:
        """A known code of this resource carries the display of another known concept."""
        given = self._codings
        if "component" in self.json or "medicationCodeableConcept" in self.json:
            given = [*given, *codings(self.json.get("medicationCodeableConcept"))]
            given += [coding for part in self.parts("component") for coding in codings(part.get("code"))]
        return any(pair in self.meanings and self.display_names_another(pair, display) for pair, display in given)

    def when(self, *names: str) -> When | None:
        """The first of the elements *names* that is a usable date, instant or Period."""
        for name in names:
            value = self.json.get(name)
            found = When.parse(value) or period(value)
            if found is not None:
                return found
        return None

    @property
    def last_updated(self) -> When | None:
        return When.parse(self.part("meta").get("lastUpdated"))


def _unidentified(content: Json) -> str:
    """Without an id, a short digest of the content keeps two apart."""
    text = json.dumps(content, sort_keys=True, default=str)
    return f"unidentified-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _answer(value_set: str) -> str:
    """A value and an interpretation that say the same are one answer."""
    return value_set.removeprefix("value-").removeprefix("interpretation-")


def codings(concept: object) -> list[tuple[Coding, str]]:
    """Each ((system, code), display) of a CodeableConcept."""
    given = concept.get("coding") if isinstance(concept, dict) else None
    found = []
    for coding in given if isinstance(given, list) else ():
        if isinstance(coding, dict):
            system, code, display = coding.get("system"), coding.get("code"), coding.get("display")
            if isinstance(system, str) and isinstance(code, str):
                found.append(((system, code), display if isinstance(display, str) else ""))
    return found


def period(value: object) -> When | None:
    """A Period as the interval it spans; a missing end leaves its start alone, and the reverse."""
    if not isinstance(value, dict):
        return None
    start, end = When.parse(value.get("start")), When.parse(value.get("end"))
    if start is None or end is None:
        return start or end
    return start.until(end) if not end.before(start).yes else None
