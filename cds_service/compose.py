"""From a Decision to the CDS Hooks answer: cards, and the assessment as JSON. Words only from ``cards/``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cds_service.clinical.assess import evidence, reason_condition
from cds_service.clinical.facts import Report, SetAside
from cds_service.clinical.options import AssessedOption, Group
from cds_service.clinical.verdict import Classification, Used
from cds_service.clinical.when import latest
from cds_service.decision import Decision
from cds_service.fact_text import kind_of, measured, shown_value
from cds_service.knowledge import Knowledge, Suggestion

EXTENSION = "org.rr-all.assessment"
MAX_ROWS = 12
"""How many rows of set-aside resources or reports a card shows before it counts the rest."""

NewId = Callable[[], str]


def hook_response(
    decision: Decision, knowledge: Knowledge, base_url: str, new_id: NewId, *, with_assessment: bool
) -> dict[str, Any]:
    """The body of a 200 answer; ``cards`` is empty when there is nothing to say."""
    body: dict[str, Any] = {"cards": [card(decision, knowledge, base_url, new_id)] if decision.speaks else []}
    if with_assessment:
        found = assessment_json(decision, knowledge)
        found.pop("patient")
        body["extension"] = {EXTENSION: _without_empties(found)}
    return body


def _without_empties(value: Any) -> Any:
    """CDS Hooks forbids null, empty strings, arrays and objects in output."""
    if isinstance(value, dict):
        kept = {key: _without_empties(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, "", [], {})}
    return [_without_empties(item) for item in value] if isinstance(value, list) else value


# -- the card ----------------------------------------------------------------------------------------


def card(decision: Decision, knowledge: Knowledge, base_url: str, new_id: NewId) -> dict[str, Any]:
    """The one informational card."""
    label, url = knowledge.card_source
    system, code, display = knowledge.topic
    source: dict[str, Any] = {"label": label, "topic": {"system": system, "code": code, "display": display}}
    if url:
        source["url"] = url
    about = f"{base_url.rstrip('/')}/about"
    return {
        "uuid": new_id(),
        "summary": summary(decision, knowledge),
        "indicator": "info",
        "detail": detail(decision, knowledge, about),
        "source": source,
        "selectionBehavior": "any",
        "suggestions": [_suggestion(decision, knowledge, name, new_id) for name in decision.assessment.suggestions],
        "overrideReasons": [
            {"system": r.system, "code": r.code, "display": r.display} for r in knowledge.override_reasons
        ],
        "links": [{"label": "How this is worked out", "url": about, "type": "absolute"}],
    }


def _form(decision: Decision) -> str:
    """Which of the three card forms: with options, outside the marrow, or unclear."""
    if decision.classification is Classification.INDETERMINATE:
        return "unclear"
    return "listed" if decision.assessment.options else "isolated"


def summary(decision: Decision, knowledge: Knowledge) -> str:
    """One sentence that stands alone, at most 139 characters by construction."""
    form, words, situation = _form(decision), knowledge.words, decision.assessment.situation
    template = knowledge.templates[f"summary_{form}"].strip()
    if form == "unclear":
        return template.format(reason=_sentence(decision, knowledge)[0])
    named = words["lineage"][situation.lineage.value]
    if form == "isolated":
        return template.format(lineage=named)
    fits, depends = (len(_of(decision, group)) for group in (Group.FITS, Group.DEPENDS))
    return template.format(
        **{"class": words["classification"][decision.classification.value]},
        lineage=named,
        ph=words["ph"][situation.ph.value.value],
        fits=fits,
        fit_verb="fits" if fits == 1 else "fit",
        depends=depends,
        depend_verb="needs" if depends == 1 else "need",
    )


def _sentence(decision: Decision, knowledge: Knowledge) -> tuple[str, str]:
    """The rule's summary and detail sentences, filled."""
    verdict = decision.assessment.verdict
    sentence = knowledge.rules[verdict.rule].reasons[verdict.reason]
    values = dict(verdict.values)
    if "site" in values:
        values["site"] = knowledge.words["site"][values["site"]]
    return sentence.summary.format(**values), sentence.detail.format(**values)


def detail(decision: Decision, knowledge: Knowledge, about: str) -> str:
    """GitHub Flavored Markdown without HTML; only our own words, numbers, dates and resource names."""
    form = _form(decision)
    template = knowledge.templates[f"detail_{form}"]
    words = knowledge.words
    filled = template.format(
        **{"class": words["classification"].get(decision.classification.value, "")},
        rule=decision.assessment.verdict.rule,
        why=_sentence(decision, knowledge)[1],
        modifiers=_modifiers(decision, knowledge),
        evidence=_evidence_lines(decision, knowledge),
        fits=_fits(decision, knowledge),
        depends=_depends(decision, knowledge),
        does_not_fit=_does_not_fit(decision, knowledge),
        missing=_missing_line(decision, knowledge),
        set_aside=_set_aside_line(decision, knowledge),
        reports=_reports_line(decision, knowledge),
        supplied=knowledge.page_text_supplied,
        about=about,
    )
    paragraphs = [p.strip() for p in filled.split("\n\n")]
    return "\n\n".join(p for p in paragraphs if p)


def _missing_line(decision: Decision, knowledge: Knowledge) -> str:
    """Facts not on record, and prefetch keys that were never supplied."""
    names = [knowledge.words["missing"][name] for name in decision.assessment.missing]
    keys = decision.assessment.facts.absent_keys
    return "; ".join(filter(None, (", ".join(names), f"not supplied: {', '.join(keys)}" if keys else ""))) or "nothing"


def _modifiers(decision: Decision, knowledge: Knowledge) -> str:
    words = [knowledge.words["modifier"][m] for m in decision.assessment.modifiers]
    return f"{_first_upper('; '.join(words))}." if words else ""


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _evidence_lines(decision: Decision, knowledge: Knowledge) -> str:
    lines = []
    for used in evidence(decision.assessment):
        purpose = knowledge.words["purpose"][used.purpose]
        shown = f"{measured(used.fact, knowledge)}, {used.fact.when.text}"
        lines.append(f"- {purpose}: {shown} ({used.fact.status}, `{used.fact.ref}`)")
    return "\n".join(lines)


def _of(decision: Decision, group: Group) -> list[AssessedOption]:
    return [o for o in decision.assessment.options if o.group is group]


def _cited(option: AssessedOption) -> str:
    return f"[{', '.join(option.option.statements)}]"


def _label(source: str, knowledge: Knowledge) -> str:
    """The date of the label a gate comes from."""
    date = knowledge.sources[source].label_date
    return f"label date {date}" if date == "not recorded" else f"label {date}"


def _fits(decision: Decision, knowledge: Knowledge) -> str:
    lines = []
    for assessed in _of(decision, Group.FITS):
        labels = dict.fromkeys(_label(c.source, knowledge) for c in assessed.option.conditions if c.source)
        lines.append(" · ".join([f"- {assessed.option.name} {_cited(assessed)}", *labels]))
    return "\n".join(lines) or "- None."


def _depends(decision: Decision, knowledge: Knowledge) -> str:
    lines = []
    for assessed in _of(decision, Group.DEPENDS):
        needs = " and ".join(u.condition.needs for u in assessed.unmet) or "a product under it fits"
        lines.append(f"- *If {needs}:* {assessed.option.name} {_cited(assessed)}: {reason(assessed, knowledge)}")
    return "\n".join(lines) or "- None."


def _does_not_fit(decision: Decision, knowledge: Knowledge) -> str:
    lines = [
        f"- {assessed.option.name} {_cited(assessed)}: {reason(assessed, knowledge)}"
        for assessed in _of(decision, Group.DOES_NOT_FIT)
    ]
    return "\n".join(lines) or "- None."


def reason(assessed: AssessedOption, knowledge: Knowledge) -> str:
    """Why the option is in its group, with the label date of each gate; empty when it fits."""
    if assessed.group is Group.FITS:
        return ""
    if not assessed.unmet:
        key = "products_depend" if assessed.group is Group.DEPENDS else "products_do_not_fit"
        return knowledge.option_reasons[key]
    parts = []
    for unmet in assessed.unmet:
        text = knowledge.option_reasons[unmet.answer.reason].format(**dict(unmet.answer.values))
        source = unmet.condition.source
        label = f" ({_label(source, knowledge)})" if source else ""
        parts.append(text + label)
    return "; ".join(dict.fromkeys(parts))


def _set_aside_line(decision: Decision, knowledge: Knowledge) -> str:
    rows = decision.assessment.facts.set_aside
    shown = [f"`{row.ref}` {knowledge.words['set_aside'][row.why]}" for row in rows[:MAX_ROWS]]
    more = [f"{len(rows) - MAX_ROWS} more"] if len(rows) > MAX_ROWS else []
    unread = decision.assessment.facts.unread_keys
    failed = [f"could not be read or not completely: {', '.join(unread)}"] if unread else []
    return "; ".join([*shown, *more, *failed]) or "nothing"


def _reports_line(decision: Decision, knowledge: Knowledge) -> str:
    """Narrative results newer than the evidence used."""
    rows = [f"- {_report_text(r, knowledge)}" for r in newer_reports(decision)]
    return "\n".join(rows[:MAX_ROWS])


def _report_text(report: Report, knowledge: Knowledge) -> str:
    name = knowledge.words["report"][report.about]
    return f"{_first_upper(name)} of {report.when.text} on file, not interpreted (`{report.ref}`)"


def newer_reports(decision: Decision) -> tuple[Report, ...]:
    """Narrative reports that are not surely older than every fact the answer rests on."""
    last = latest([used.fact.when for used in decision.assessment.verdict.used])
    reports = decision.assessment.facts.reports
    return tuple(r for r in reports if last is None or not r.when.before(last).yes)


def _suggestion(decision: Decision, knowledge: Knowledge, name: str, new_id: NewId) -> dict[str, Any]:
    suggestion = knowledge.suggestions[name]
    unclear = decision.classification is Classification.INDETERMINATE
    description = (
        suggestion.description_unclear if unclear and suggestion.description_unclear else suggestion.description
    )
    return {
        "label": suggestion.label,
        "uuid": new_id(),
        "actions": [
            {
                "type": "create",
                "description": description,
                "resource": service_request(decision, suggestion, new_id()),
            }
        ],
    }


def service_request(decision: Decision, suggestion: Suggestion, temporary_id: str) -> dict[str, Any]:
    """A draft proposal, R4, for the patient; it names the newest ALL Condition as its reason."""
    system, code, display = suggestion.coding
    resource: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": temporary_id,
        "status": "draft",
        "intent": "proposal",
        "code": {"coding": [{"system": system, "code": code, "display": display}]},
        "subject": {"reference": decision.assessment.facts.patient},
    }
    reason = reason_condition(decision.assessment)
    if reason is not None:
        resource["reasonReference"] = [{"reference": reason.ref}]
    return resource


# -- the assessment as JSON --------------------------------------------------------------------------


def assessment_json(decision: Decision, knowledge: Knowledge) -> dict[str, Any]:
    """The assessment of ``docs``: class, rule, options in the page's order, evidence, what was set aside."""
    assessment = decision.assessment
    situation, facts = assessment.situation, assessment.facts
    return {
        "patient": facts.patient,
        "today": decision.today.isoformat(),
        "catalogue": knowledge.version,
        "digest": knowledge.digest,
        "classification": decision.classification.value,
        "rule": assessment.verdict.rule,
        "reason": _sentence(decision, knowledge)[1],
        "modifiers": list(assessment.modifiers),
        "lineage": situation.lineage.value,
        "ph_status": situation.ph.value.value,
        "no_card_because": decision.silence or None,
        "options": [_option_json(o, knowledge) for o in assessment.options],
        "suggestions": list(assessment.suggestions),
        "missing": list(assessment.missing),
        "evidence": [_evidence_json(u, knowledge) for u in evidence(decision.assessment)],
        "set_aside": [_set_aside_json(row) for row in facts.set_aside],
        "beside": [{"resource": s.ref, "kind": s.kind.value, "date": s.when.text} for s in assessment.timeline.beside],
        "reports": [{"resource": r.ref, "about": r.about, "date": r.when.text} for r in newer_reports(decision)],
        "not_provided": list(facts.absent_keys),
        "not_read": list(facts.unread_keys),
        "passed_over": list(assessment.verdict.passed_over),
    }


def _option_json(assessed: AssessedOption, knowledge: Knowledge) -> dict[str, Any]:
    return {
        "id": assessed.option.id,
        "group": assessed.group.value,
        "reason": reason(assessed, knowledge) or None,
        "statements": list(assessed.option.statements),
    }


def _evidence_json(used: Used, knowledge: Knowledge) -> dict[str, Any]:
    value, unit = shown_value(used.fact, knowledge)
    return {
        "resource": used.fact.ref,
        "kind": kind_of(used.fact),
        "value": _number(value) if unit else value,
        "unit": unit or None,
        "date": used.fact.when.text,
        "status": used.fact.status,
        "used_for": used.purpose,
    }


def _number(text: str) -> int | float | str:
    """A plain number as JSON number; one with a comparator stays text."""
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text


def _set_aside_json(row: SetAside) -> dict[str, str]:
    return {"resource": row.ref, "why": row.why}
