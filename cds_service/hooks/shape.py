"""The JSON Schemas of what callers send, compiled once, and their faults in words without values."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cds_service.errors import BadRequest
from cds_service.hooks.strict_json import below, place

_CODES = {"required": "required", "maxLength": "too-long", "maxItems": "too-long"}
_FAULTS = {
    "type": "has the wrong JSON type",
    "maxLength": "is too long",
    "minLength": "is empty",
    "maxItems": "has too many items",
    "minItems": "has no items",
    "const": "is not what this service answers",
    "enum": "is not one of the values allowed",
    "pattern": "does not have the form it must have",
}


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema *name* as it is shipped beside this module."""
    text = (files("cds_service.hooks") / "schema" / f"{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def compiled(name: str) -> Draft202012Validator:
    """The validator of schema *name*; compiled once and kept."""
    return Draft202012Validator(schema(name))


def require_shape(document: Any, validator: Draft202012Validator) -> None:
    """Raise the first fault of *document*, naming its path and what is expected there."""
    error = next(validator.iter_errors(document), None)
    if error is not None:
        raise _bad_request(error)


def _bad_request(error: ValidationError) -> BadRequest:
    path, fault = _path(error), _FAULTS.get(str(error.validator), "is not allowed")
    subschema: Any = error.schema
    if error.validator == "required":
        missing = _first_missing(error)
        path, fault = below(path, missing), "is missing"
        subschema = subschema.get("properties", {}).get(missing, {})
    words = f"{place(path)} {fault}. {subschema.get('description', '')}".strip()
    return BadRequest(words, path or None, _CODES.get(str(error.validator)))


def _first_missing(error: ValidationError) -> str:
    required: Any = error.validator_value
    present: Any = error.instance
    return next(str(name) for name in required if name not in present)


def _path(error: ValidationError) -> str:
    path = ""
    for step in error.absolute_path:
        path = f"{path}[{step}]" if isinstance(step, int) else below(path, step)
    return path
