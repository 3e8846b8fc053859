"""``/about``: everything a clinician needs to judge the card, as HTML and as JSON, from the catalogue."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cds_service.knowledge import Knowledge, RuleText, Source

PURPOSE = (
    "When the chart of a patient with acute lymphoblastic leukemia (ALL) is opened, this service says whether the "
    "record shows relapsed or refractory disease, on which facts, and lists the options that one patient-education "
    "page names, with what speaks for, against, or is not on record."
)
INTENDED_USER = "Hematologists and oncologists. It does not speak to patients, and it never replaces their judgement."
LIMITS = (
    "The rules were drafted from public sources and have not been reviewed by a clinician.",
    "The page is undated and names no publisher; newer therapies are not on it and therefore never on the card.",
    "Options are neither ranked nor recommended: the page says that treatments may include them.",
    "Free text is never interpreted: a narrative report is shown by its date only.",
    "Only exact codes are read. What a chart records in a site's own codes is not seen until the site adds them.",
    "Blood counts, which the page mentions for relapse, are not assessed.",
    "A missing or unclear fact never counts as yes or as no; the option then depends on it.",
    "Label limits follow US prescribing information; another country needs its own table.",
)
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Examples:
    """For each rule the name of a story it answers; *linked* where the testers' page can open the story."""

    stories: Mapping[str, str] = field(default_factory=dict)
    linked: bool = False

    @classmethod
    def of(cls, folder: Path, *, linked: bool) -> Examples:
        """The first story by name of each rule, by what the stories in *folder* expect."""
        found: dict[str, str] = {}
        for path in sorted(folder.glob("*/story.toml")):
            told = tomllib.loads(path.read_text(encoding="utf-8"))
            found.setdefault(told["expected"]["rule"], path.parent.name)
        return cls(found, linked)


NO_EXAMPLES = Examples()


def about_json(knowledge: Knowledge, examples: Examples = NO_EXAMPLES) -> dict[str, Any]:
    """The page as data; attributes without a value are left out."""
    return {
        "purpose": PURPOSE,
        "intendedUser": INTENDED_USER,
        "reviewState": review_state(knowledge),
        "catalogue": {"version": knowledge.version, "digest": knowledge.digest},
        "limits": list(LIMITS),
        "statements": [{"id": s.id, "text": s.text} for s in knowledge.statements.values()],
        "rules": [_rule(r, examples) for r in knowledge.rules.values()],
        "definitions": [
            {"id": d.id, "value": str(d.value), "unit": d.unit, "meaning": d.meaning, "source": d.source}
            for d in knowledge.definitions
        ],
        "options": [_option(o.id, knowledge) for o in knowledge.options],
        "labels": [_source(s) for s in knowledge.sources.values() if s.kind == "label"],
        "sources": [_source(s) for s in knowledge.sources.values()],
        "sourceAttributes": [{"number": n, "name": name, "value": value} for n, name, value in knowledge.attributes],
    }


def review_state(knowledge: Knowledge) -> str:
    """Who reviewed the rules; until someone has, that nobody did."""
    if knowledge.reviewed_by:
        return f"Reviewed by {knowledge.reviewed_by}."
    return "Drafted from public sources. Not reviewed by a clinician."


def _rule(rule: RuleText, examples: Examples) -> dict[str, Any]:
    """*says* holds each sentence the rule may open the card with; what the chart fills in stands in brackets."""
    found = {
        "id": rule.id,
        "title": rule.title,
        "condition": rule.condition,
        "answer": rule.classification,
        "says": [PLACEHOLDER.sub(r"[\1]", sentence.detail) for sentence in rule.reasons.values()],
        "sources": list(rule.sources),
        "statements": list(rule.statements),
        "example": examples.stories.get(rule.id, ""),
    }
    return {name: value for name, value in found.items() if value}


def _source(source: Source) -> dict[str, str]:
    found = {
        "id": source.id,
        "kind": source.kind,
        "title": source.title,
        "url": source.url,
        "seen": source.seen,
        "labelDate": source.label_date,
    }
    return {name: value for name, value in found.items() if value}


def _option(name: str, knowledge: Knowledge) -> dict[str, Any]:
    option = next(o for o in knowledge.options if o.id == name)
    conditions = [
        {
            "needs": c.needs,
            "from": knowledge.sources[c.source].title if c.source else f"the page [{', '.join(c.statements)}]",
            "ifContradicted": "depends" if c.soft else "does not fit",
        }
        for c in option.conditions
    ]
    found: dict[str, Any] = {"id": option.id, "name": option.name, "statements": list(option.statements)}
    return {**found, "conditions": conditions} if conditions else found


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=PackageLoader("cds_service", "pages"), autoescape=True, undefined=StrictUndefined)


def about_html(knowledge: Knowledge, examples: Examples = NO_EXAMPLES) -> str:
    """One accessible page without script."""
    page = about_json(knowledge, examples)
    titles = {source["id"]: source for source in page["sources"]}
    return _environment().get_template("about.html").render(page=page, titles=titles, linked=examples.linked)
