"""An answer in the parts the page shows: class, card, picture, rules, options, what is missing, what would change."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from cds_service.change import Change, addition_text, what_would_change
from cds_service.clinical.assess import Assessment
from cds_service.clinical.options import Group
from cds_service.compose import EXTENSION, reason
from cds_service.decision import Decision
from cds_service.knowledge import Knowledge
from cds_service.sandbox.page_answer import Answered
from cds_service.sandbox.page_card import View, rendered
from cds_service.sandbox.picture import picture

GROUPS = {
    Group.FITS: "On the page and fitting (unordered)",
    Group.DEPENDS: "Depends on a fact not on record",
    Group.DOES_NOT_FIT: "On the page, not for this chart",
}
SILENCE = {
    "deceased": "the patient is deceased",
    "patient-facing": "the card is for clinicians, and here the patient would read it",
}
NOTHING_TO_SAY = "assessed, and nothing to say to a clinician"


def parts(found: Answered, knowledge: Knowledge, view: View) -> dict[str, Any]:
    """What the template shows of *found*."""
    decision = found.decision
    assessment = decision.assessment
    cards = found.body["cards"]
    return {
        "classification": plain_words(decision.classification.value),
        "sentence": found.body["extension"][EXTENSION]["reason"],
        "modifiers": [knowledge.words["modifier"][name] for name in assessment.modifiers],
        "lineage": knowledge.words["lineage"][assessment.situation.lineage.value],
        "ph": knowledge.words["ph"][assessment.situation.ph.value.value],
        "card": cards[0] if cards else None,
        "detail": Markup(rendered(cards[0]["detail"], view)) if cards else "",
        "no_card": SILENCE.get(decision.silence, NOTHING_TO_SAY),
        "picture": picture(decision, knowledge, found.dates),
        "rules": _rules(assessment, knowledge),
        "options": _options(assessment, knowledge),
        "missing": [knowledge.words["missing"][name] for name in assessment.missing],
        "absent_keys": assessment.facts.absent_keys,
        "unread_keys": assessment.facts.unread_keys,
        "changes": _changes(decision, knowledge),
        "json": json.dumps(found.body, indent=2, ensure_ascii=False),
        "is_request": found.is_request,
    }


def plain_words(name: str) -> str:
    """A name of the assessment as it is read: ``in_remission`` is "in remission"."""
    return name.replace("_", " ")


def _rules(assessment: Assessment, knowledge: Knowledge) -> dict[str, Any]:
    """The rule that answered, those asked before it, and those that were not asked any more."""
    asked = assessment.verdict.passed_over
    matched = assessment.verdict.rule
    return {
        "matched": knowledge.rules[matched],
        "passed_over": [knowledge.rules[name] for name in asked],
        "not_asked": [name for name in knowledge.rules if name not in asked and name != matched],
    }


def _options(assessment: Assessment, knowledge: Knowledge) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "options": [
                {"name": o.option.name, "statements": o.option.statements, "why": reason(o, knowledge)}
                for o in assessment.options
                if o.group is group
            ],
        }
        for group, title in GROUPS.items()
    ]


def _changes(decision: Decision, knowledge: Knowledge) -> list[dict[str, Any]]:
    names = {option.id: option.name for option in knowledge.options}
    found = what_would_change(decision.assessment, knowledge, decision.today)
    return [_change(change, names, knowledge) for change in found]


def _change(change: Change, names: dict[str, str], knowledge: Knowledge) -> dict[str, Any]:
    before, after = change.before, change.after
    return {
        "additions": [addition_text(added, knowledge) for added in change.additions],
        "reclassifies": change.reclassifies,
        "before": f"{plain_words(before.classification.value)} ({before.rule})",
        "after": f"{plain_words(after.classification.value)} ({after.rule})",
        "listing": _listing(bool(before.groups), bool(after.groups)),
        "moves": [(names[name], plain_words(old.value), plain_words(new.value)) for name, old, new in change.moves],
    }


def _listing(before: bool, after: bool) -> str:
    """What becomes of the list of options as a whole."""
    return {(True, False): "no options listed any more", (False, True): "the options are listed"}.get(
        (before, after), ""
    )
