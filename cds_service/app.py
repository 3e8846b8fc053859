"""The shell: routes, headers, errors and the clock. Everything clinical happens behind :class:`Service`."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Protocol

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from cds_service.errors import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    TooLarge,
    Unforeseen,
    UnsupportedMediaType,
)
from cds_service.hooks.discovery import ServiceEntry, discovery
from cds_service.hooks.envelope import HookRequest, parse
from cds_service.hooks.feedback import read_feedback
from cds_service.openapi import openapi
from cds_service.settings import Settings

CDS_HOOKS = "2.0.1"
PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"
_ORIGIN = re.compile(r"[!-~]{1,512}")
_log = logging.getLogger("cds_service")


class Service(Protocol):
    """The one service behind the routes. *version* is the catalogue's, *digest* that of its content."""

    @property
    def entry(self) -> ServiceEntry: ...

    @property
    def digest(self) -> str: ...

    @property
    def version(self) -> str: ...

    def answer(self, request: HookRequest, today: date, want_assessment: bool) -> dict[str, Any]:
        """The body of the hook response. May raise :class:`ServiceError`."""
        ...

    def about(self, accept_json: bool) -> str | dict[str, Any]:
        """The page for clinicians: HTML, or the same as JSON."""
        ...


def create_app(service: Service, settings: Settings) -> Flask:
    """The WSGI application that serves *service*."""
    app = Flask("cds_service", static_folder="static", static_url_path="/static")
    # One byte more than allowed: a server that cuts a chunked body at the cap cannot make it look complete.
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body + 1
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _add_hook_routes(app, service, settings)
    _add_operation_routes(app, service, settings)
    app.before_request(_begin)
    app.after_request(_finish)
    app.register_error_handler(ServiceError, _refuse)
    app.register_error_handler(HTTPException, lambda error: _refuse(_as_service_error(error, settings)))
    app.register_error_handler(Exception, _fail)
    return app


def _add_hook_routes(app: Flask, service: Service, settings: Settings) -> None:
    hook = f"/cds-services/{service.entry.id}"

    @app.get("/cds-services")
    def list_services() -> Response:
        return _json(discovery(service.entry))

    @app.post(hook)
    def call_hook() -> Response:
        body = _body(settings.max_body)
        return _private(_json(service.answer(parse(body), _today(settings), settings.assessment_extension)))

    @app.post(f"{hook}/feedback")
    def take_feedback() -> Response:
        items = read_feedback(_body(settings.max_body))
        return _private(_json({"received": len(items)}))


def _add_operation_routes(app: Flask, service: Service, settings: Settings) -> None:
    document = openapi(service.entry, _software() or service.version, settings.base_url)

    @app.get("/healthz")
    def healthz() -> Response:
        return _json({"status": "up"})

    @app.get("/readyz")
    def readyz() -> Response:
        return _json({"status": "ready", "digest": service.digest})

    @app.get("/version")
    def version() -> Response:
        known = {"software": _software(), "catalogue": service.version, "digest": service.digest}
        return _json({name: text for name, text in known.items() if text} | {"cdsHooks": CDS_HOOKS})

    @app.get("/openapi.json")
    def describe() -> Response:
        return _json(document)

    @app.get("/about")
    def about() -> Response:
        wanted = request.accept_mimetypes.best_match(["text/html", "application/json"], default="text/html")
        page = service.about(wanted == "application/json")
        response = Response(page, mimetype="text/html") if isinstance(page, str) else _json(page)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        response.vary.add("Accept")
        return response


def _today(settings: Settings) -> date:
    """The only clock a hook answer depends on."""
    return settings.today or datetime.now(UTC).date()


def _body(limit: int) -> bytes:
    """The bytes of the request, once its headers say they are plain JSON."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Content-Type must be application/json, in UTF-8.", "Content-Type")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("Content-Encoding is not supported. Send the body as it is.", "Content-Encoding")
    body = request.get_data(cache=False)
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is longer than {limit:,} bytes. Ask for fewer resources in the prefetch.")


def _begin() -> Response | None:
    """Name the request; answer a preflight before anything else, as browsers send no credentials with it."""
    g.request_id = str(uuid.uuid4())
    return Response(status=204) if request.method == "OPTIONS" else None


def _finish(response: Response) -> Response:
    """Headers every response has, errors too: a browser hides an error without CORS headers from its client."""
    origin = request.headers.get("Origin", "")
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = origin if _ORIGIN.fullmatch(origin) else "*"
    headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    headers["Access-Control-Allow-Headers"] = "authorization, content-type"
    headers["Access-Control-Expose-Headers"] = "X-Request-Id"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Request-Id"] = g.request_id
    response.vary.add("Origin")
    return response


def _refuse(error: ServiceError) -> Response:
    response = _private(_json(error.outcome(), error.status))
    response.headers.update(error.headers)
    return response


def _fail(error: Exception) -> Response:
    """500, logged by type and place; its message may hold patient data and is dropped."""
    _log.error("unforeseen %s at %s, request %s", type(error).__name__, _place(error), g.request_id)
    return _refuse(Unforeseen())


def _place(error: Exception) -> str:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else "?"


def _as_service_error(error: HTTPException, settings: Settings) -> ServiceError:
    """Flask's and Werkzeug's own errors in our words."""
    if isinstance(error, WrongMethod):
        return MethodNotAllowed(error.valid_methods or ())
    if error.code == 404:
        return NotFound("There is nothing at this address. The services are listed at /cds-services.")
    if error.code == 413:
        return _too_large(settings.max_body)
    if error.code is not None and 400 <= error.code < 500:
        return BadRequest("The request could not be read. Send HTTP as the CDS Hooks specification describes it.")
    return Unforeseen()


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text, status, mimetype="application/json")


def _private(response: Response) -> Response:
    """Answers about one patient, and errors, are kept by nobody on the way."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _software() -> str | None:
    try:
        return installed_version("rr-all-cds")
    except PackageNotFoundError:  # pragma: no cover - a checkout that is not installed
        return None
