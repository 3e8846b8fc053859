"""Prefetch keys that did not come, fetched from the EHR's FHIR server: all at once, within one budget.

Nothing the server does is allowed to be an error of ours. A key that was tried and failed becomes an
OperationOutcome in our own words, which the reader names; a key that may not even be tried stays absent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore

import msgspec

from cds_service.chart.bundle import Bundle, Prefetched
from cds_service.ehr.allow import Site, allowed_base, usable_token
from cds_service.ehr.pages import Fetched, fetch_bundle, fetch_later_pages, fetch_resource, has_later_page
from cds_service.ehr.server import FhirServer
from cds_service.hooks.envelope import HookRequest
from cds_service.outbound.address import Address, UnsafeAddress
from cds_service.outbound.deadline import run_until
from cds_service.outbound.fetch import Deadline, NotFetched, Outbound
from cds_service.outbound.not_fetched import (
    ANOTHER_RESOURCE,
    BUSY,
    NOT_FHIR_JSON,
    REFUSED_ADDRESS,
    TIMED_OUT,
    TOO_LARGE,
)

FETCHED = "fetched"
INCOMPLETE = "fetched in part"
NOT_ALLOWED = "no allowed FHIR server"
NO_TOKEN = "no usable token"
ODD_TEMPLATE = "template cannot be filled"

Prefetch = Mapping[str, Prefetched]

_PATIENT_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_PATIENT_TOKEN = "{{context.patientId}}"
# FHIR R4, issue-type; every other failure is one that may be gone at the next call.
_ISSUE_CODES = {
    TIMED_OUT: "timeout",
    TOO_LARGE: "too-costly",
    REFUSED_ADDRESS: "security",
    NOT_FHIR_JSON: "structure",
    ANOTHER_RESOURCE: "structure",
    "status 401": "login",
    "status 403": "forbidden",
    "status 404": "not-found",
    "status 429": "throttled",
}


@dataclass(frozen=True)
class Filled:
    """*prefetch* with what was added; *outcomes* says of each key that was wanted what became of it.

    An outcome is :data:`FETCHED` or one of a fixed set of reasons, fit for a log or a metric.
    """

    prefetch: Prefetch = field(repr=False)
    outcomes: Mapping[str, str]


class _NotTried(Exception):
    """Nothing was asked of the server. *why* is one of the words above."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class CallBack:
    """Calls EHRs back: at most *slots* hook calls at a time, each for at most *budget* seconds in all."""

    def __init__(
        self, outbound: Outbound, *, budget: float, slots: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._outbound = outbound
        self._budget = budget
        self._slots = BoundedSemaphore(slots)
        self._clock = clock

    def fill(
        self, request: HookRequest, site: Site | None, wanted: Mapping[str, str], paged: Collection[str] = ()
    ) -> Filled:
        """The prefetch of *request* with the keys of *wanted* (key to template) that are absent from it.

        Of the keys in *paged*, the Bundles that came as page one of several get their later pages.
        """
        missing = {key: template for key, template in wanted.items() if key not in request.prefetch}
        given = ((key, request.prefetch.get(key)) for key in paged)
        first_pages = {key: value for key, value in given if isinstance(value, Bundle) and has_later_page(value)}
        if not missing and not first_pages:
            return Filled(request.prefetch, {})
        try:
            server = self._server(request, site)
            jobs = _jobs(server, missing, first_pages, request.patient_id)
        except _NotTried as refusal:
            return Filled(request.prefetch, dict.fromkeys([*missing, *first_pages], refusal.why))
        return _filled(request.prefetch, missing, self._run(server.deadline, jobs))

    def _server(self, request: HookRequest, site: Site | None) -> FhirServer:
        """The server this call may use. Raises :class:`_NotTried`."""
        base = allowed_base(request.fhir_server or "", site.fhir_bases) if site is not None else None
        if site is None or base is None:
            raise _NotTried(NOT_ALLOWED)
        token = usable_token(request.fhir_authorization)
        if token is None:
            raise _NotTried(NO_TOKEN)
        deadline = Deadline(self._budget, self._clock)
        return FhirServer(self._outbound, base.address, base.internal, site.ca_file, site.name, token, deadline)

    def _run(self, deadline: Deadline, jobs: Mapping[str, Callable[[], Fetched]]) -> Mapping[str, Fetched | NotFetched]:
        """A slot is free again when the last thread has gone: a name look-up that hangs keeps it."""
        if not self._slots.acquire(blocking=False):
            return dict.fromkeys(jobs, NotFetched(BUSY))
        return run_until(deadline, jobs, self._slots.release)


def _jobs(
    server: FhirServer, missing: Mapping[str, str], first_pages: Mapping[str, Bundle], patient_id: str
) -> dict[str, Callable[[], Fetched]]:
    jobs: dict[str, Callable[[], Fetched]] = {
        key: partial(fetch_later_pages, server, value) for key, value in first_pages.items()
    }
    # Sent in this order. The longest template asks for most and is answered last, so it is to be on its way first.
    for key, template in sorted(missing.items(), key=lambda each: len(each[1]), reverse=True):
        fetch = fetch_bundle if "?" in template else fetch_resource
        jobs[key] = partial(fetch, server, _address(server.base, template, patient_id))
    return jobs


def _address(base: Address, template: str, patient_id: str) -> Address:
    """CDS Hooks, Prefetch tokens. An id has no character that would need to be percent-encoded."""
    text = template.replace(_PATIENT_TOKEN, patient_id)
    if "{{" in text or not _PATIENT_ID.fullmatch(patient_id):
        raise _NotTried(ODD_TEMPLATE)
    try:
        return base.below(text)
    except UnsafeAddress:
        raise _NotTried(ODD_TEMPLATE) from None


def _filled(given: Prefetch, missing: Collection[str], results: Mapping[str, Fetched | NotFetched]) -> Filled:
    prefetch, outcomes = dict(given), {}
    for key, result in results.items():
        if isinstance(result, NotFetched):
            outcomes[key] = result.why
            if key in missing:
                prefetch[key] = _outcome(result.why)
        else:
            outcomes[key] = FETCHED if result.complete else INCOMPLETE
            if key in missing or result.complete:
                prefetch[key] = result.value
    return Filled(prefetch, outcomes)


def _outcome(why: str) -> bytes:
    issue = {"severity": "error", "code": _ISSUE_CODES.get(why, "transient")}
    return msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [issue]})
