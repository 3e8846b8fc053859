"""The form of ``clients.toml``: its JSON Schema's faults, all of them, each with what to do."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

_FAULTS = {
    "type": "has the wrong type",
    "enum": "is not one of the values allowed",
    "pattern": "is empty, too long or has spaces or odd characters",
    "minLength": "is empty",
    "maxLength": "is too long",
    "minItems": "is empty",
    "uniqueItems": "has something twice",
}


@dataclass(frozen=True)
class ShapeFault:
    """*text* begins with the field's path; *client* and *field* say whose content is not worth reading."""

    text: str
    client: str | None
    field: str | None


def shape_faults(document: Mapping[str, Any]) -> Iterator[ShapeFault]:
    """Every departure of *document* from the schema."""
    for error in _validator().iter_errors(document):
        steps = list(error.absolute_path)
        for steps_to, words in _named(error, steps):
            client, field = (str(step) for step in [*steps_to, "", "", ""][1:3])
            yield ShapeFault(f"{_path(steps_to)}: {words}", client or None, field or None)


def did_you_mean(given: object, known: Collection[str]) -> str:
    """The nearest of *known*, or all of them."""
    near = difflib.get_close_matches(str(given), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"


@cache
def _validator() -> Draft202012Validator:
    text = (files("cds_service.trust") / "schema" / "clients.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def _named(error: ValidationError, steps: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    """The places *error* is about, each with its words; a fault of a name is told at that name."""
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = schema["properties"]
        for name in sorted(set(instance) - set(known)):
            yield [*steps, name], f"is not a known field; {did_you_mean(name, known)}"
    elif error.validator == "required":
        for name in sorted(set(schema["required"]) - set(instance)):
            yield [*steps, name], f"is missing. {schema['properties'][name]['description']}"
    elif "propertyNames" in error.absolute_schema_path:
        yield [*steps, instance], f"is no name for this. {schema['description']}"
    else:
        hint = f" ({did_you_mean(instance, schema['enum'])})" if error.validator == "enum" else ""
        yield steps, f"{_FAULTS[str(error.validator)]}{hint}. {schema['description']}"


def _path(steps: list[str | int]) -> str:
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += ("." if path else "") + (step if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", step) else json.dumps(step))
    return path
