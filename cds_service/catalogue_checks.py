"""Cross-checks of ``cards/``: citations, codes, checks, sentences, placeholders, lengths. Pure."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from cds_service.change import WORDS as CHANGES
from cds_service.chart.meanings import MEANINGS
from cds_service.chart.select import READ
from cds_service.chart.set_aside import SET_ASIDE_REASONS
from cds_service.clinical import reasons
from cds_service.clinical.checks import CHECKS
from cds_service.clinical.classify import RULES
from cds_service.clinical.facts import Lineage
from cds_service.clinical.philadelphia import Ph
from cds_service.knowledge import Definitions, Knowledge

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
SUMMARY_LIMIT = 139
LONGEST = {
    "date": "2025-12-08/2025-12-10",
    "marrow": "<=0.0123457",
    "blood": "<=0.0123457",
    "days": "36500",
    "count": "99",
    "keys": "administrations, conditions, medications, observations, patient, procedures",
    "site": "in the central nervous system",
}
"""The longest text each placeholder of a sentence can be filled with."""

CHANGE_FIELDS = {"low", "high", "unit", "range", "date", "site"}
TOKENS = frozenset({"context.userId", "context.patientId", "context.encounterId"})
"""The tokens patient-view marks for prefetch templates."""

TEMPLATE_FIELDS = {
    "summary_listed": {"class", "lineage", "ph", "fits", "fit_verb", "depends", "depend_verb"},
    "summary_isolated": {"lineage"},
    "summary_unclear": {"reason"},
    "detail_listed": {"class", "rule", "why", "modifiers", "evidence", "fits", "depends", "does_not_fit"}
    | {"missing", "set_aside", "reports", "supplied", "about"},
    "detail_isolated": {"class", "rule", "why", "modifiers", "evidence", "missing", "set_aside", "reports"}
    | {"supplied", "about"},
    "detail_unclear": {"rule", "why", "evidence", "missing", "set_aside", "reports", "about"},
}

_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_P0 = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def verhoeff(digits: str) -> bool:
    """The Verhoeff check digit that every SNOMED CT identifier carries."""
    if not re.fullmatch(r"\d{6,18}", digits):
        return False
    check, table = 0, [tuple(range(10))]
    for _ in range(7):
        table.append(tuple(_P0[i] for i in table[-1]))
    for index, digit in enumerate(reversed(digits)):
        check = _D[check][table[index % 8][int(digit)]]
    return check == 0


def mod10(code: str) -> bool:
    """The mod-10 check digit of a LOINC number."""
    found = re.fullmatch(r"(\d{1,7})-(\d)", code)
    if not found:
        return False
    digits = found.group(1)
    odd = "".join(reversed(digits))[::2]
    even = "".join(reversed(digits))[1::2]
    total = sum(int(d) for d in str(int(odd[::-1]) * 2) if d.isdigit()) + sum(int(d) for d in even)
    return (10 - total % 10) % 10 == int(found.group(2))


def code_fault(system: str, code: str) -> str | None:
    """Why *code* cannot be a code of *system*; None when its own check passes."""
    if system == SNOMED and not verhoeff(code):
        return "fails the SNOMED CT check digit"
    answer = re.fullmatch(r"LA\d{1,7}-\d", code)  # answer codes follow another, unpublished, rule
    if system == LOINC and not answer and not mod10(code):
        return "fails the LOINC check digit"
    if system == ICD10CM and not re.fullmatch(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?", code):
        return "is not of the form of ICD-10-CM"
    return None


def set_name(value_set: Mapping[str, Any]) -> str:
    """The meaning a value set stands for: the last part of its url."""
    return str(value_set.get("url", "")).rsplit("/", 1)[-1]


def concepts(value_set: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each (system, code, display)."""
    for include in value_set.get("compose", {}).get("include", ()):
        for concept in include.get("concept", ()):
            yield include.get("system", ""), concept["code"], concept.get("display", "")


def faults(
    data: Mapping[str, dict[str, Any]],
    templates: Mapping[str, str],
    value_sets: list[tuple[str, dict[str, Any]]],
    *,
    malformed: bool,
) -> Iterator[str]:
    """Every fault, each as "file: field: what"; a check that *malformed* files keep from running is left out."""
    parts: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _definition_faults(data["definitions"], data["sources"]),
        lambda: _citation_faults(data),
        lambda: _option_faults(data["options"]),
        lambda: _rule_faults(data["rules"]),
        lambda: _value_set_faults(value_sets, data["services"]),
        lambda: _template_faults(templates),
        lambda: _wording_faults(data),
        lambda: _prefetch_faults(data["services"]),
        lambda: _unit_faults(data["units"], data["value_strings"]),
        lambda: _duplicate_faults(data),
    )
    cannot_run = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) if malformed else ()
    for part in parts:
        with suppress(*cannot_run):
            yield from part()


def _definition_faults(definitions: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[str]:
    known = set(Definitions.__annotations__)
    for name in sorted(known - set(definitions)):
        yield f"definitions.toml: {name}: missing; the rules need it"
    for name in sorted(set(definitions) - known):
        yield f"definitions.toml: {name}: no rule uses it"
    for name, entry in definitions.items():
        if entry["source"] != "PROPOSAL" and entry["source"] not in sources:
            yield f"definitions.toml: {name}.source: {entry['source']} is not in sources.toml"
        if name == "m3_floor" and Decimal(entry["value"]) <= Decimal(definitions["m1_limit"]["value"]):
            yield "definitions.toml: m3_floor.value: must lie above m1_limit"
        if Definitions.__annotations__.get(name) == "int" and "." in entry["value"]:
            yield f"definitions.toml: {name}.value: must be a whole number of {entry['unit']}"


def _citation_faults(data: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    statements, sources = data["statements"], data["sources"]
    cited: set[str] = {"D11"}
    for where, names in _statement_citations(data):
        cited |= set(names)
        for name in names:
            if name not in statements:
                yield f"{where}: {name} is not in statements.toml"
    for name, entry in statements.items():
        if name not in cited and entry["role"] in ("option", "suggestion", "definition"):
            yield f"statements.toml: {name}: no option, rule or suggestion cites it"
    for rule in data["rules"]["rule"]:
        for source in rule["sources"]:
            if source != "PROPOSAL" and source not in sources:
                yield f"rules.toml: {rule['id']}.sources: {source} is not in sources.toml"
    for option in data["options"]["option"]:
        for condition in option.get("condition", ()):
            source = condition.get("source")
            if source and source not in sources:
                yield f"options.toml: {option['id']}: source {source} is not in sources.toml"
            if source and source in sources and not sources[source].get("label_date"):
                yield f'sources.toml: {source}: a label needs a label_date ("not recorded" where none was seen)'


def _statement_citations(data: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, Iterable[str]]]:
    for option in data["options"]["option"]:
        yield f"options.toml: {option['id']}.statements", option["statements"]
        for condition in option.get("condition", ()):
            yield f"options.toml: {option['id']}.{condition['check']}", condition.get("statements", ())
    for rule in data["rules"]["rule"]:
        yield f"rules.toml: {rule['id']}.statements", rule["statements"]
    for suggestion in data["services"]["suggestion"]:
        yield f"services.toml: {suggestion['id']}.statements", suggestion["statements"]


def _option_faults(options: Mapping[str, Any]) -> Iterator[str]:
    used: set[str] = set()
    ids = {o["id"] for o in options["option"]}
    for option in options["option"]:
        for condition in option.get("condition", ()):
            used.add(condition["check"])
            if condition["check"] not in CHECKS:
                yield f"options.toml: {option['id']}: no function implements the check {condition['check']}"
            if not condition.get("statements") and not condition.get("source"):
                yield f"options.toml: {option['id']}.{condition['check']}: needs statements or a source"
        for product in (*option.get("products", ()), *filter(None, (option.get("parent"),))):
            if product not in ids:
                yield f"options.toml: {option['id']}: {product} is no option"
    for name in sorted(set(CHECKS) - used):
        yield f"options.toml: no option uses the check {name}"


def _rule_faults(rules: Mapping[str, Any]) -> Iterator[str]:
    for rule in rules["rule"]:
        answer = reasons.RULE_CLASSES.get(rule["id"])
        if answer is not None and rule["classification"] != answer:
            yield f"rules.toml: {rule['id']}.classification: the rule answers {answer}"
    order = [r["id"] for r in rules["rule"]]
    if order != list(RULES):
        yield f"rules.toml: rule: the rules must be, in order, {', '.join(RULES)}"
    for rule in rules["rule"]:
        for key, sentence in rule["reason"].items():
            for part, text in sentence.items():
                yield from _placeholder_faults(f"rules.toml: {rule['id']}.{key}.{part}", text, set(LONGEST))


def _value_set_faults(value_sets: list[tuple[str, dict[str, Any]]], services: Mapping[str, Any]) -> Iterator[str]:
    held: dict[tuple[str, str], tuple[str, str]] = {}
    names = {set_name(content) for file, content in value_sets}
    for file, content in value_sets:
        name = set_name(content)
        if name not in MEANINGS:
            yield f"{file}: url: must end in a meaning that a reader knows"
        if any("filter" in i or "valueSet" in i for i in content.get("compose", {}).get("include", ())):
            yield f"{file}: compose.include: only listed concepts are read; filters and imports are not"
        for system, code, _ in concepts(content):
            if why := code_fault(system, code):
                yield f"{file}: {code}: {why}"
            other = held.setdefault((system, code), (file, name))
            if other != (file, name) and other[1] != name:
                yield f"{file}: {code}: stands in {other[0]} too; a code has one meaning"
        counted = Counter((s, c) for s, c, _ in concepts(content))
        for (_, code), times in counted.items():
            if times > 1:
                yield f"{file}: {code}: listed {times} times"
    for name in sorted(MEANINGS - names):
        yield f"value_sets/{name}.json: missing; a reader needs it"
    for name in services["observation_sets"]:
        if name not in names:
            yield f"services.toml: observation_sets: {name} is no value set"


def fields_of(template: str) -> set[str]:
    """The named placeholders of *template*."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def _placeholder_faults(where: str, text: str, filled: set[str], needed: set[str] | None = None) -> Iterator[str]:
    """A placeholder nothing fills, one that is needed and missing, or braces that do not close."""
    try:
        found = fields_of(text)
    except ValueError as error:
        yield f"{where}: {error}"
        return
    for field in sorted(found - filled):
        yield f"{where}: nothing fills {{{field}}}"
    for field in sorted((needed or set()) - found):
        yield f"{where}: {{{field}}} is missing"


def _template_faults(templates: Mapping[str, str]) -> Iterator[str]:
    for name, template in templates.items():
        if not template:
            continue
        fields = TEMPLATE_FIELDS[name]
        yield from _placeholder_faults(f"templates/{name}.md", template, fields, fields)
        if re.search(r"<[a-zA-Z/!]", template):
            yield f"templates/{name}.md: HTML is not rendered alike everywhere; use Markdown"


def _wording_faults(data: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """Words for every key the code answers with, and no words that nothing uses."""
    needed = {
        "lineage": {item.value for item in Lineage},
        "ph": {item.value for item in Ph},
        "classification": {"relapsed", "refractory"},
        "modifier": reasons.MODIFIERS,
        "missing": reasons.MISSING,
        "purpose": reasons.PURPOSES,
        "site": reasons.SITES,
        "set_aside": SET_ASIDE_REASONS,
        "value": reasons.VALUES,
        "report": reasons.REPORTS,
        "change": CHANGES,
    }
    for table, names in needed.items():
        yield from _both_ways(f"wording.toml: {table}", set(names), set(data["wording"][table]))
    yield from _both_ways("options.toml: reasons", set(reasons.OPTION_REASONS), set(data["options"]["reasons"]))
    for key, text in data["options"]["reasons"].items():
        yield from _placeholder_faults(f"options.toml: reasons.{key}", text, {"date", "age", "courses", "relapses"})
    for key, text in data["wording"]["change"].items():
        yield from _placeholder_faults(f"wording.toml: change.{key}", text, CHANGE_FIELDS)
    for rule in data["rules"]["rule"]:
        said = reasons.RULE_REASONS.get(rule["id"], frozenset())
        yield from _both_ways(f"rules.toml: {rule['id']}.reason", set(said), set(rule["reason"]))


def _both_ways(where: str, needed: set[str], given: set[str]) -> Iterator[str]:
    for name in sorted(needed - given):
        yield f"{where}.{name}: missing; the code answers with it"
    for name in sorted(given - needed):
        yield f"{where}.{name}: nothing answers with it"


def _prefetch_faults(services: Mapping[str, Any]) -> Iterator[str]:
    """A query for a type the chart never reads, or none for a type an answer needs."""
    asked = {re.split(r"[/?]", template, maxsplit=1)[0]: key for key, template in services["prefetch"].items()}
    for kind, key in asked.items():
        if kind not in READ:
            yield f"services.toml: prefetch.{key}: the chart never reads {kind}"
    for kind in ("Patient", "Condition", "Observation", "Procedure", "MedicationRequest", "MedicationAdministration"):
        if kind not in asked:
            yield f"services.toml: prefetch: no query asks for {kind}"
    for key, template in services["prefetch"].items():
        for token in sorted(set(re.findall(r"\{\{([^{}]*)\}\}", template)) - TOKENS):
            yield f"services.toml: prefetch.{key}: {{{{{token}}}}} is no token of patient-view"
        if "{{context.patientId}}" not in template:
            yield f"services.toml: prefetch.{key}: must ask for the patient, {{{{context.patientId}}}}"
    if "%CODES%" not in services["prefetch"].get("observations", ""):
        yield "services.toml: prefetch.observations: %CODES% is missing; it stands for the codes of observation_sets"


def _unit_faults(units: Mapping[str, Any], value_strings: Mapping[str, list[str]]) -> Iterator[str]:
    """A label or a string with two meanings, or a factor that makes every value zero."""
    named = [(f"units.toml: {name}.labels", label) for name, unit in units.items() for label in unit["labels"]]
    said = [(f"value_strings.toml: {name}", text) for name, texts in value_strings.items() for text in texts]
    for group in (named, said):
        held: dict[str, str] = {}
        for where, text in group:
            other = held.setdefault(" ".join(text.casefold().split()), where)
            if other != where:
                yield f"{where}: {text!r} stands in {other} too"
    for name, unit in units.items():
        if name != "ambiguous" and Decimal(unit["factor"]) == 0:
            yield f"units.toml: {name}.factor: must not be zero"


def _duplicate_faults(data: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    lists = (
        ("options.toml: option", [o["id"] for o in data["options"]["option"]]),
        ("rules.toml: rule", [r["id"] for r in data["rules"]["rule"]]),
        ("services.toml: suggestion", [s["id"] for s in data["services"]["suggestion"]]),
        ("services.toml: override_reason", [r["code"] for r in data["services"]["override_reason"]]),
    )
    for where, ids in lists:
        for name, times in Counter(ids).items():
            if times > 1:
                yield f"{where}: {name}: listed {times} times"


def summary_faults(knowledge: Knowledge) -> Iterator[str]:
    """A summary that could pass 139 characters, for any class, lineage, Ph status, count or reason."""
    longest: dict[str, int] = {}
    for name, text in longest_summaries(knowledge):
        units = max(len(text), len(text.encode("utf-16-le")) // 2)
        longest[name] = max(units, longest.get(name, 0))
        if "\n" in text:
            yield f"{name}: a summary must be one line"
    for name, units in longest.items():
        if units > SUMMARY_LIMIT:
            yield f"{name}: a summary can reach {units} characters (limit {SUMMARY_LIMIT})"


def longest_summaries(knowledge: Knowledge) -> Iterator[tuple[str, str]]:
    """Every form a summary can take, filled with the longest values."""
    words = knowledge.words
    for label in words["classification"].values():
        for lineage in words["lineage"].values():
            for ph in words["ph"].values():
                filled = (
                    knowledge.templates["summary_listed"]
                    .strip()
                    .format(
                        **{"class": label, "lineage": lineage, "ph": ph},
                        fits=12,
                        fit_verb="fits",
                        depends=12,
                        depend_verb="needs",
                    )
                )
                yield "templates/summary_listed.md", filled
    for lineage in words["lineage"].values():
        yield (
            "templates/summary_isolated.md",
            knowledge.templates["summary_isolated"].strip().format(lineage=lineage),
        )
    for rule in knowledge.rules.values():
        for key, sentence in rule.reasons.items():
            reason = sentence.summary.format(**LONGEST)
            yield (
                f"rules.toml: {rule.id}.{key}",
                knowledge.templates["summary_unclear"].strip().format(reason=reason),
            )
