"""The stories as a FHIR R4 server at ``/fhir``, read-only and open: demo mode only.

Good enough for our own prefetch templates and for the official CDS Hooks sandbox; docs/sandbox.md says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response, g, request
from werkzeug.datastructures import MIMEAccept

from cds_service.errors import MethodNotAllowed, NotFound, ServiceError, UnsupportedMediaType
from cds_service.sandbox.fhir_capabilities import capability_statement
from cds_service.sandbox.fhir_search import FILTERS, read_query, search
from cds_service.sandbox.fhir_stories import Stories

FHIR_JSON = "application/fhir+json"
OLD_FHIR_JSON = "application/json+fhir"
"""DSTU2's name, which the sandbox still asks for."""
MEDIA_TYPES = (FHIR_JSON, OLD_FHIR_JSON, "application/json")
FORMATS = {"json": FHIR_JSON} | {each: each for each in MEDIA_TYPES}
FORM = "application/x-www-form-urlencoded"
WRITING = ("POST", "PUT", "PATCH", "DELETE")


class NotAcceptable(ServiceError):
    """XML, or anything but JSON, was asked for."""

    status = 406
    default_code = "not-supported"


def fhir_endpoint(folder: Path, base_url: str) -> Blueprint:
    """``/fhir`` over the stories in *folder*; *base_url* is the service's public address, used in links."""
    base = f"{base_url}/fhir"
    stories = Stories(folder, base)
    blueprint = Blueprint("fhir", __name__, url_prefix="/fhir")
    blueprint.before_request(_negotiate)
    blueprint.register_error_handler(ServiceError, _refuse)
    _add_reading(blueprint, stories)
    _add_searching(blueprint, stories)

    @blueprint.route("/", defaults={"rest": ""}, methods=("GET", *WRITING))
    @blueprint.route("/<path:rest>", methods=("GET", *WRITING))
    def elsewhere(rest: str) -> Response:
        if request.method in WRITING:
            raise MethodNotAllowed(["POST" if rest.endswith("/_search") else "GET"])
        raise _nothing_here()

    return blueprint


def _add_reading(blueprint: Blueprint, stories: Stories) -> None:
    @blueprint.get("/metadata")
    def metadata() -> Response:
        return _fhir(capability_statement(stories.base))

    @blueprint.get("/<kind>/<name>")
    def read(kind: str, name: str) -> Response:
        _require_served(kind)
        found = stories.read(kind, name)
        if found is None:
            raise NotFound(f"There is no such {kind}.")
        return _fhir(found)


def _add_searching(blueprint: Blueprint, stories: Stories) -> None:
    def page(kind: str, asked: list[tuple[str, str]]) -> Response:
        _require_served(kind)
        return _fhir(search(stories, read_query(kind, asked, strict=_strict())))

    @blueprint.get("/<kind>")
    def by_get(kind: str) -> Response:
        return page(kind, list(request.args.items(multi=True)))

    @blueprint.post("/<kind>/_search")
    def by_post(kind: str) -> Response:
        if request.mimetype not in ("", FORM):
            raise UnsupportedMediaType(f"Content-Type must be {FORM}.", "Content-Type")
        return page(kind, [*request.args.items(multi=True), *request.form.items(multi=True)])


def _negotiate() -> None:
    """FHIR R4, HTTP: ``_format`` wins over Accept. Its plus sign arrives as a space where it was not encoded."""
    wanted = request.values.get("_format")
    chosen = _accepted() if wanted is None else FORMATS.get(wanted.replace(" ", "+"))
    if chosen is None:
        raise NotAcceptable("Only JSON is served here. Ask for application/fhir+json.")
    g.fhir_media_type = chosen


def _accepted() -> str | None:
    """Compared without parameters such as fhirVersion, which the library would compare too."""
    if not request.accept_mimetypes:
        return FHIR_JSON
    plain = [(item.partition(";")[0].strip(), quality) for item, quality in request.accept_mimetypes]
    return MIMEAccept(plain).best_match(MEDIA_TYPES)


def _strict() -> bool:
    return "handling=strict" in request.headers.get("Prefer", "").replace(" ", "").lower()


def _require_served(kind: str) -> None:
    if kind not in FILTERS:
        raise _nothing_here()


def _nothing_here() -> NotFound:
    return NotFound("Nothing is served at this address. What is served is listed at /fhir/metadata.")


def _refuse(error: ServiceError) -> Response:
    return _fhir(error.outcome(), error.status, error.headers)


def _fhir(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    media_type = g.get("fhir_media_type", FHIR_JSON)
    response = Response(msgspec.json.encode(body), status, headers, content_type=f"{media_type}; charset=utf-8")
    response.vary.add("Accept")
    return response
