"""Loads ``cards/`` from disk, validates every file against its JSON Schema, cross-checks all of it.

Whatever is wrong is reported together, each fault with its file and field, before anyone is answered.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from fhir.resources.R4B.valueset import ValueSet as FhirValueSet
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from cds_service import catalogue_checks
from cds_service.knowledge import (
    Condition,
    Definition,
    Definitions,
    Knowledge,
    Option,
    OverrideReason,
    RuleText,
    Sentence,
    ServiceText,
    Source,
    Statement,
    Suggestion,
    ValueSet,
    plain_display,
)

TOML_FILES = (
    "catalogue",
    "definitions",
    "sources",
    "statements",
    "options",
    "rules",
    "wording",
    "units",
    "value_strings",
    "services",
    "attributes",
)
TEMPLATES = (
    "summary_listed",
    "summary_isolated",
    "summary_unclear",
    "detail_listed",
    "detail_isolated",
    "detail_unclear",
)


SAME = ("equal", "equivalent")
"""Equivalences of a ConceptMap that mean the same; anything looser is refused."""


class CatalogueError(Exception):
    """Everything that is wrong in ``cards/``, one line a fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@cache
def folder() -> Path:
    """``cards/``: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "cards"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "cards"


def load(cards: Path | None = None, site: Path | None = None) -> Knowledge:
    """The checked catalogue, with a *site*'s own value sets if given. Raises :class:`CatalogueError`."""
    cards = cards or folder()
    faults: list[str] = []
    data = {name: _toml(cards / f"{name}.toml", faults) for name in TOML_FILES}
    for name, content in data.items():
        if content is not None:
            faults += _schema_faults(f"{name}.toml", content, cards / "schema" / f"{name}.json")
    templates = {name: _text(cards / "templates" / f"{name}.md", faults) for name in TEMPLATES}
    value_sets = list(_value_sets(cards / "value_sets", faults))
    if site is not None:
        value_sets += _site_sets(site, value_sets[:], faults)
    present = {name: content for name, content in data.items() if content is not None}
    faults += catalogue_checks.faults(present, templates, value_sets, malformed=bool(faults))
    if faults:
        raise CatalogueError(faults)
    knowledge = _build(present, templates, value_sets, _digest(cards, site))
    if faults := list(catalogue_checks.summary_faults(knowledge)):
        raise CatalogueError(faults)
    return knowledge


def _toml(path: Path, faults: list[str]) -> dict[str, Any] | None:
    text = _text(path, faults)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{path.name}: not TOML: {error}")
        return None


def _text(path: Path, faults: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{path.name}: cannot be read: {type(error).__name__}")
        return ""


def _schema_faults(name: str, content: object, schema: Path) -> Iterator[str]:
    try:
        validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        yield f"schema/{schema.name}: cannot be read: {type(error).__name__}"
        return
    for fault in sorted(validator.iter_errors(content), key=lambda e: [str(p) for p in e.absolute_path]):
        where = ".".join(str(p) for p in fault.absolute_path) or "(top)"
        yield f"{name}: {where}: {fault.message}"


def _site_sets(
    site: Path, known: list[tuple[str, dict[str, Any]]], faults: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A site's own value sets, and its concept maps read as value sets of the meanings they map to."""
    from fhir.resources.R4B.conceptmap import ConceptMap as FhirConceptMap  # most sites add no codes of their own

    if not any((site / name).is_dir() for name in ("value_sets", "concept_maps")):
        faults.append(f"{site.name}: holds neither value_sets/ nor concept_maps/")
    own = list(_value_sets(site / "value_sets", faults))
    yield from own
    meanings = {
        (system, code): catalogue_checks.set_name(content)
        for _, content in (*known, *own)
        for system, code, _ in catalogue_checks.concepts(content)
    }
    for file in sorted((site / "concept_maps").glob("*.json")):
        name = f"concept_maps/{file.name}"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            FhirConceptMap.model_validate(content)
        except (ValueError, ValidationError) as error:
            faults.append(f"{name}: no FHIR ConceptMap: {str(error).splitlines()[0]}")
        else:
            for number, (meaning, system, code) in enumerate(_mapped(name, content, meanings, faults)):
                concept = {"system": system, "concept": [{"code": code}]}
                yield f"{name} ({number})", {"url": f"urn:site/{meaning}", "compose": {"include": [concept]}}


def _mapped(
    name: str, content: dict[str, Any], meanings: Mapping[tuple[str, str], str], faults: list[str]
) -> Iterator[tuple[str, str, str]]:
    """(meaning, system, code) of each local code that is mapped as the same as a code of ours."""
    for group in content.get("group", ()):
        for element in group.get("element", ()):
            for target in element.get("target", ()):
                known = meanings.get((group.get("target", ""), target.get("code", "")))
                if target.get("equivalence") not in SAME:
                    faults.append(f"{name}: {element.get('code')}: only equal and equivalent are read")
                elif known is None:
                    faults.append(f"{name}: {element.get('code')}: {target.get('code')} is no code of ours")
                else:
                    yield known, group.get("source", ""), element["code"]


def _value_sets(path: Path, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each value set with its file name; one that is no FHIR ValueSet is a fault."""
    for file in sorted(path.glob("*.json")):
        name = (
            f"{path.name}/{file.name}" if path.parent.name == "cards" else f"{path.parent.name}/{path.name}/{file.name}"
        )
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            FhirValueSet.model_validate(content)
        except (ValueError, ValidationError) as error:
            faults.append(f"{name}: no FHIR ValueSet: {str(error).splitlines()[0]}")
        else:
            yield name, content


def _digest(cards: Path, site: Path | None) -> str:
    """SHA-256 over names and contents of every file that answers rest on."""
    digest = hashlib.sha256()
    for root in filter(None, (cards, site)):
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".toml", ".json", ".md")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def _build(
    data: Mapping[str, dict[str, Any]],
    templates: Mapping[str, str],
    raw_sets: list[tuple[str, dict[str, Any]]],
    digest: str,
) -> Knowledge:
    value_sets = _merge_sets(raw_sets)
    meanings = {(system, code): vs.id for vs in value_sets.values() for system, code, _ in vs.concepts}
    services, head = data["services"], data["catalogue"]
    topic, source = services["topic"], services["source"]
    return Knowledge(
        version=head["version"],
        digest=digest,
        reviewed_by=head["reviewed_by"],
        editors=tuple(head["editors"]),
        page_text_supplied=head["page_text_supplied"],
        limits=_definitions(data["definitions"]),
        definitions=tuple(
            Definition(name, Decimal(d["value"]), d["unit"], d["meaning"], d["source"])
            for name, d in data["definitions"].items()
        ),
        sources={name: Source(id=name, **fields) for name, fields in data["sources"].items()},
        statements={name: Statement(name, d["text"], d["role"]) for name, d in data["statements"].items()},
        options=tuple(_option(o) for o in data["options"]["option"]),
        rules={r["id"]: _rule(r) for r in data["rules"]["rule"]},
        option_reasons=data["options"]["reasons"],
        suggestions={s["id"]: _suggestion(s) for s in services["suggestion"]},
        override_reasons=tuple(OverrideReason(**r) for r in services["override_reason"]),
        attributes=tuple((a["number"], a["name"], a["value"]) for a in data["attributes"]["attribute"]),
        units=_units(data["units"]),
        ambiguous_units=frozenset(_fold(u) for u in data["units"]["ambiguous"]["labels"]),
        value_strings={_fold(t): said for said, texts in data["value_strings"].items() for t in texts},
        value_sets=value_sets,
        meanings=meanings,
        displays=_displays(value_sets),
        words=data["wording"],
        templates=templates,
        service=_service(services, value_sets),
        topic=(topic["system"], topic["code"], topic["display"]),
        card_source=(source["label"], source.get("url", "")),
    )


def _displays(value_sets: Mapping[str, ValueSet]) -> dict[str, frozenset[str]]:
    """Every display, case-folded, and the value sets it stands in."""
    found: dict[str, set[str]] = {}
    for value_set in value_sets.values():
        for _, _, display in value_set.concepts:
            if display:
                found.setdefault(plain_display(display), set()).add(value_set.id)
    return {display: frozenset(names) for display, names in found.items()}


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _merge_sets(raw: list[tuple[str, dict[str, Any]]]) -> dict[str, ValueSet]:
    """A site's value set adds its codes to the one whose url ends alike."""
    merged: dict[str, ValueSet] = {}
    for _, content in raw:
        name = catalogue_checks.set_name(content)
        concepts = tuple(catalogue_checks.concepts(content))
        known = merged.get(name)
        base = known.concepts if known else ()
        merged[name] = ValueSet(
            name,
            known.title if known else content.get("title", name),
            known.description if known else content.get("description", ""),
            tuple(dict.fromkeys((*base, *concepts))),
        )
    return merged


def _definitions(data: Mapping[str, Mapping[str, str]]) -> Definitions:
    kinds = Definitions.__annotations__
    values = {name: (int(d["value"]) if kinds[name] == "int" else Decimal(d["value"])) for name, d in data.items()}
    return Definitions(**values)  # type: ignore[arg-type]  # the checks have matched names and kinds


def _option(data: Mapping[str, Any]) -> Option:
    conditions = tuple(
        Condition(c["check"], c["needs"], c.get("soft", False), tuple(c.get("statements", ())), c.get("source", ""))
        for c in data.get("condition", ())
    )
    return Option(
        data["id"],
        data["name"],
        tuple(data["statements"]),
        conditions,
        tuple(data.get("products", ())),
        data.get("parent", ""),
    )


def _rule(data: Mapping[str, Any]) -> RuleText:
    return RuleText(
        data["id"],
        data["title"],
        data["condition"],
        data["classification"],
        tuple(data["sources"]),
        tuple(data["statements"]),
        {key: Sentence(r["summary"], r["detail"]) for key, r in data["reason"].items()},
    )


def _suggestion(data: Mapping[str, Any]) -> Suggestion:
    return Suggestion(
        data["id"],
        data["label"],
        data["description"],
        (data["system"], data["code"], data["display"]),
        tuple(data["statements"]),
        data.get("description_unclear", ""),
    )


def _units(data: Mapping[str, Any]) -> dict[str, Decimal]:
    return {
        _fold(label): Decimal(unit["factor"])
        for name, unit in data.items()
        if name != "ambiguous"
        for label in unit["labels"]
    }


OBSERVATION_SETS = "observation_sets"


def _service(data: Mapping[str, Any], value_sets: Mapping[str, ValueSet]) -> ServiceText:
    service = data["service"]
    codes = ",".join(
        f"{system}|{code}" for name in data[OBSERVATION_SETS] for system, code, _ in value_sets[name].concepts
    )
    prefetch = {key: template.replace("%CODES%", codes) for key, template in data["prefetch"].items()}
    return ServiceText(
        service["id"],
        service["hook"],
        service["title"],
        service["description"],
        service["usage_requirements"],
        prefetch,
    )
