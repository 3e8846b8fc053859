"""The shell: routes, headers, errors and the clock. Everything clinical happens behind :class:`CardService`."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from cds_service.books import SHOWN, Books
from cds_service.errors import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    TooLarge,
    Unforeseen,
    UnsupportedMediaType,
)
from cds_service.hooks.discovery import discovery
from cds_service.hooks.envelope import parse
from cds_service.hooks.feedback import read_feedback
from cds_service.lifecycle import Lifecycle
from cds_service.openapi import openapi
from cds_service.service import CardService
from cds_service.settings import Settings
from cds_service.trust.door import Caller, Door
from cds_service.watch import Call, Watch

CDS_HOOKS = "2.0.1"
PAGE_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"
DRAINING = "This process is about to end and takes no new calls."
STORE_DOWN = "The database does not answer. Calls are answered; a used token is known to each process alone."
_ORIGIN = re.compile(r"[!-~]{1,512}")


@dataclass(frozen=True)
class Parts:
    """What the routes stand on. *store_up*: the database answers."""

    service: CardService
    settings: Settings
    door: Door
    watch: Watch
    books: Books
    lifecycle: Lifecycle
    store_up: Callable[[], bool]


def create_app(parts: Parts) -> Flask:
    """The WSGI application."""
    settings = parts.settings
    app = Flask("cds_service", static_folder="static", static_url_path="/static")
    # One byte more than allowed: a server that cuts a chunked body at the cap cannot make it look complete.
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body + 1
    app.extensions["cds_service"] = parts
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _add_hook_routes(app, parts)
    _add_operation_routes(app, parts)
    app.before_request(_begin)
    app.after_request(_finish)
    app.after_request(lambda response: _record(response, parts.watch))
    app.register_error_handler(ServiceError, _refuse)
    app.register_error_handler(HTTPException, lambda error: _refuse(_as_service_error(error, settings)))
    app.register_error_handler(Exception, lambda error: _fail(error, parts.watch))
    return app


def _add_hook_routes(app: Flask, parts: Parts) -> None:
    service, settings = parts.service, parts.settings
    hook = f"/cds-services/{service.entry.id}"

    @app.get("/cds-services")
    def list_services() -> Response:
        _admit(parts, "discovery", required=False)
        return _json(discovery(service.entry))

    @app.post(hook)
    def call_hook() -> Response:
        caller = _admit(parts, "hook", required=True)
        asked = parse(_body(settings.max_body))
        g.call.hook_instance = asked.hook_instance
        g.call.patient = parts.watch.patient_hash(g.call.issuer, asked.patient_id)
        answer = service.answer(asked, today(settings), caller.client if caller else None)
        g.call.decision, g.call.fetched = answer.decision, answer.fetched
        body = service.respond(answer.decision, with_assessment=settings.assessment_extension)
        if body["cards"]:
            g.call.display = parts.books.enter(body["cards"][0], answer.decision, caller, asked.patient_id)
            if g.call.display != SHOWN:
                body["cards"] = []
        return _private(_json(body))

    @app.post(f"{hook}/feedback")
    def take_feedback() -> Response:
        caller = _admit(parts, "feedback", required=True)
        items = read_feedback(_body(settings.max_body))
        new = parts.books.keep(items, caller)
        parts.watch.kept_feedback(new, len(items) - new)
        return _private(_json({"received": len(items)}))


def _admit(parts: Parts, route: str, *, required: bool) -> Caller | None:
    """The caller, recorded; 401 when one is needed and none is known."""
    g.call.route = route

    def observe(reason: str) -> None:
        g.call.reason = reason
        parts.watch.refused_token(reason)

    sent = request.headers.get("Authorization")
    caller = parts.door.admit(sent, request.path, required=required, observe=observe)
    if caller is not None:
        g.call.client, g.call.issuer = caller.client.name, caller.issuer
        g.call.tenant, g.call.token_id = caller.tenant, caller.token_id
    return caller


def _add_operation_routes(app: Flask, parts: Parts) -> None:
    service = parts.service
    document = openapi(service.entry, _software() or service.version, parts.settings.base_url)

    @app.get("/healthz")
    def healthz() -> Response:
        return _json({"status": "up"})

    @app.get("/readyz")
    def readyz() -> Response:
        known = {"digest": service.digest}
        if parts.lifecycle.draining:
            return _private(_json({"status": "draining", "reasons": [DRAINING]} | known, 503))
        if not parts.store_up():
            return _private(_json({"status": "degraded", "reasons": [STORE_DOWN]} | known))
        return _private(_json({"status": "ready"} | known))

    @app.get("/metrics")
    def metrics() -> Response:
        text = parts.watch.exposition(parts.store_up(), parts.books.ledger, parts.lifecycle)
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

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


def today(settings: Settings) -> date:
    """The only clock a hook answer depends on."""
    return settings.today or datetime.now(UTC).date()


def _body(limit: int) -> bytes:
    """The bytes of the request, once its headers say they are plain JSON."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Content-Type must be application/json, in UTF-8.", "Content-Type")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("Content-Encoding is not supported. Send the body as it is.", "Content-Encoding")
    # Read at once: Werkzeug's own way copies a body three times.
    body: bytes = request.environ["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is longer than {limit:,} bytes. Ask for fewer resources in the prefetch.")


def _begin() -> Response | None:
    """Name the request; answer a preflight before anything else, as browsers send no credentials with it."""
    g.call = Call(str(uuid.uuid4()), time.monotonic())
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
    headers["X-Request-Id"] = g.call.request_id
    response.vary.add("Origin")
    return response


def _record(response: Response, watch: Watch) -> Response:
    """One audit line for each call of CDS Hooks; pages and probes leave none."""
    if g.call.route:
        watch.finished(g.call, response.status_code, time.monotonic())
    return response


def _refuse(error: ServiceError) -> Response:
    response = _private(_json(error.outcome(), error.status))
    response.headers.update(error.headers)
    return response


def _fail(error: Exception, watch: Watch) -> Response:
    """500, logged by type and place; its message may hold patient data and is dropped."""
    watch.unforeseen(g.call.request_id, type(error).__name__, _place(error))
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
    return Response(msgspec.json.encode(body), status, mimetype="application/json")


def _private(response: Response) -> Response:
    """Answers about one patient, and errors, are kept by nobody on the way."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _software() -> str | None:
    try:
        return installed_version("rr-all-cds")
    except PackageNotFoundError:  # pragma: no cover - a checkout that is not installed
        return None
