"""The questions every peer answers: is there ALL, is it relapsed, what is its Philadelphia status."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

FINAL = frozenset({"final", "amended", "corrected"})
SETS: dict[str, frozenset[tuple[str, str]]] = {}


def prepare(value_sets: str) -> None:
    """Read the value sets; then the collector as the service under test sets it, once everything is imported."""
    for name, codes in json.loads(Path(value_sets).read_text()).items():
        SETS[name] = frozenset((code["system"], code["code"]) for code in codes)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def port_and_sets() -> tuple[int, str]:
    return int(sys.argv[1]), sys.argv[2]


class Chart:
    """Conditions and observations; *get* reads a member of one: ``getattr`` of models, a look-up in dicts."""

    def __init__(self, resources: Iterable[Any], get: Callable[[Any, str], Any]) -> None:
        self.get = get
        by_type: dict[str, list[Any]] = {}
        for resource in resources:
            kind = resource["resourceType"] if isinstance(resource, dict) else resource.get_resource_type()
            by_type.setdefault(kind, []).append(resource)
        self.conditions = by_type.get("Condition", [])
        self.observations = by_type.get("Observation", [])

    def summary(self) -> str | None:
        """One line for the card; None when no ALL is found."""
        if not self._any_condition("all"):
            return None
        return f"ALL {self._status()}, Ph {self._ph()}"

    def _any_condition(self, name: str) -> bool:
        return any(self._holds(name, self.get(each, "code")) for each in self.conditions)

    def _holds(self, name: str, concept: Any) -> bool:
        codings = (self.get(concept, "coding") or ()) if concept is not None else ()
        return any((self.get(coding, "system"), self.get(coding, "code")) in SETS[name] for coding in codings)

    def _results(self, name: str) -> list[Any]:
        """The usable results, oldest first."""
        get = self.get
        found = [o for o in self.observations if self._holds(name, get(o, "code")) and get(o, "status") in FINAL]
        return sorted(found, key=lambda each: str(get(each, "effectiveDateTime")))

    def _status(self) -> str:
        blasts = [self.get(self.get(each, "valueQuantity"), "value") for each in self._results("marrow")]
        if blasts and blasts[-1] >= 25 and any(each < 5 for each in blasts[:-1]):
            return "relapsed"
        if self._any_condition("relapse"):
            return "relapsed"
        return "in remission" if self._any_condition("remission") else "indeterminate"

    def _ph(self) -> str:
        results = self._results("ph")
        value = self.get(results[-1], "valueCodeableConcept") if results else None
        if self._holds("positive", value):
            return "positive"
        return "negative" if self._holds("negative", value) else "unknown"
