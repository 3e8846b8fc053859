"""``GET /openapi.json``: the service's addresses and bodies as OpenAPI 3.1.

The request schemas are the very ones requests are checked with, so the document cannot promise another thing.
"""

from __future__ import annotations

from typing import Any

from cds_service.hooks.discovery import ServiceEntry
from cds_service.hooks.shape import schema

_JSON = "application/json"
_ERRORS = {
    "400": "The body is not what CDS Hooks describes.",
    "401": "The bearer token is missing or not valid.",
    "413": "The body is too long.",
    "415": "The body is not plain application/json.",
    "500": "The service could not answer.",
    "503": "Too many calls wait; ask again after the time Retry-After gives.",
}
_BEARER: list[dict[str, list[str]]] = [{"bearer": []}, {}]


def openapi(entry: ServiceEntry, version: str, base_url: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a service at *base_url*."""
    return {
        "openapi": "3.1.0",
        "info": {"title": entry.title, "description": entry.description, "version": version},
        "servers": [{"url": base_url}],
        "paths": _hook_paths(f"/cds-services/{entry.id}") | _operation_paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _hook_paths(service: str) -> dict[str, Any]:
    unavailable = {"412": "Required data were neither prefetched nor could be fetched."}
    return {
        "/cds-services": {"get": _get("discovery", "CDS Hooks discovery", _ref("Discovery")) | {"security": _BEARER}},
        service: {"post": _post("hook", "The patient-view hook", "HookRequest", "HookResponse", _ERRORS | unavailable)},
        f"{service}/feedback": {
            "post": _post("feedback", "Feedback on cards", "Feedback", "FeedbackReceived", _ERRORS)
        },
    }


def _operation_paths() -> dict[str, Any]:
    plain = {"type": "object"}
    about = _get("about", "Purpose, limits, sources and rules, for a clinician", plain)
    about["responses"]["200"]["content"]["text/html"] = {"schema": {"type": "string"}}
    metrics = _get("metrics", "Counters in the Prometheus text format", plain)
    metrics["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    readyz = _get(
        "readyz", "The service can answer hooks; with reasons when not, or not with all it should have", plain
    )
    readyz["responses"]["503"] = _answer("The process is about to end.", plain)
    return {
        "/healthz": {"get": _get("healthz", "The process runs", plain)},
        "/readyz": {"get": readyz},
        "/metrics": {"get": metrics},
        "/version": {"get": _get("version", "Versions and the catalogue's digest", plain)},
        "/openapi.json": {"get": _get("openapi", "This document", plain)},
        "/about": {"get": about},
    }


def _get(name: str, summary: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": {"200": _answer("Success", body)}}


def _post(name: str, summary: str, takes: str, gives: str, errors: dict[str, str]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": _BEARER,
        "requestBody": {"required": True, "content": {_JSON: {"schema": _ref(takes)}}},
        "responses": {"200": _answer("Success", _ref(gives))}
        | {status: _answer(words, _ref("OperationOutcome")) for status, words in sorted(errors.items())},
    }


def _answer(description: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": body}}}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    return {
        "HookRequest": schema("request"),
        "Feedback": _inlined(schema("feedback"), "Feedback"),
        "HookResponse": _object(
            {"cards": {"type": "array", "items": _card()}, "extension": {"type": "object"}}, "cards"
        ),
        "FeedbackReceived": _object({"received": {"type": "integer"}}, "received"),
        "Discovery": _object({"services": {"type": "array", "items": {"type": "object"}}}, "services"),
        "OperationOutcome": _object(
            {"resourceType": {"const": "OperationOutcome"}, "issue": {"type": "array", "minItems": 1}},
            "resourceType",
            "issue",
        ),
    }


def _card() -> dict[str, Any]:
    return _object(
        {
            "uuid": {"type": "string", "format": "uuid"},
            "summary": {"type": "string", "minLength": 1, "maxLength": 139},
            "detail": {"type": "string", "description": "GitHub Flavored Markdown without HTML"},
            "indicator": {"enum": ["info", "warning", "critical"]},
            "source": _object({"label": {"type": "string"}}, "label"),
            "suggestions": {"type": "array", "minItems": 1},
            "selectionBehavior": {"enum": ["any", "at-most-one"]},
            "overrideReasons": {"type": "array", "minItems": 1},
            "links": {"type": "array", "minItems": 1},
        },
        "summary",
        "indicator",
        "source",
    )


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _inlined(value: Any, name: str) -> Any:
    """*value* with its ``#/$defs`` references pointing to where the document holds them."""
    if isinstance(value, dict):
        return {key: _inlined(each, name) for key, each in value.items()}
    if isinstance(value, list):
        return [_inlined(each, name) for each in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return f"#/components/schemas/{name}/{value[2:]}"
    return value
