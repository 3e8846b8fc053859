"""Every error the service answers with on purpose, and the OperationOutcome each one becomes.

    ServiceError                     status  issue code
    ├── BadRequest                   400     invalid (or structure, required, value, too-long)
    ├── Unauthorized                 401     login; the same words whatever was wrong
    ├── NotFound                     404     not-found
    ├── MethodNotAllowed             405     not-supported; names the methods that are allowed
    ├── PreconditionFailed           412     required
    ├── TooLarge                     413     too-long
    ├── UnsupportedMediaType         415     not-supported
    ├── HeadersTooLarge              431     too-long
    ├── Unforeseen                   500     exception; no detail
    └── Unavailable                  503     throttled or transient; Retry-After

Diagnostics say what is wrong, where and what to do about it. They name a field or a prefetch key and
never hold a value: values are patient data.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar


class ServiceError(Exception):
    """An answer other than 200. *expression* is the JSON path of the field, such as ``context.patientId``."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "exception"

    def __init__(self, diagnostics: str, expression: str | None = None, code: str | None = None) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics
        self.expression = expression
        self.code = code or self.default_code

    @property
    def headers(self) -> dict[str, str]:
        """Headers HTTP asks for beside this status."""
        return {}

    def outcome(self) -> dict[str, Any]:
        """CDS Hooks: a body that is not a success SHOULD carry an OperationOutcome."""
        issue: dict[str, Any] = {"severity": "error", "code": self.code, "diagnostics": self.diagnostics}
        if self.expression:
            issue["expression"] = [self.expression]
        return {"resourceType": "OperationOutcome", "issue": [issue]}


class BadRequest(ServiceError):
    """The body is not what the CDS Hooks specification describes."""

    status = 400
    default_code = "invalid"


class Unauthorized(ServiceError):
    """CDS Hooks best practice: refuse without saying why, so the body is the same every time."""

    status = 401
    default_code = "login"

    def __init__(self) -> None:
        super().__init__("This service answers known callers only. Send a valid bearer token.")

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class NotFound(ServiceError):
    """No such service or page."""

    status = 404
    default_code = "not-found"


class MethodNotAllowed(ServiceError):
    """The page exists, but not for this method."""

    status = 405
    default_code = "not-supported"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"This address does not answer that method. It answers: {self.allowed}.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self.allowed}


class PreconditionFailed(ServiceError):
    """CDS Hooks: 412 when the service could not get the FHIR data, by prefetch or by calling the server."""

    status = 412
    default_code = "required"


class TooLarge(ServiceError):
    """The body is longer than this service reads."""

    status = 413
    default_code = "too-long"


class UnsupportedMediaType(ServiceError):
    """The body is not plain ``application/json``."""

    status = 415
    default_code = "not-supported"


class HeadersTooLarge(ServiceError):
    """The header lines are longer than this service reads."""

    status = 431
    default_code = "too-long"


class Unforeseen(ServiceError):
    """Any other exception: never an empty card list, and nothing of what went wrong."""

    status = 500
    default_code = "exception"

    def __init__(self) -> None:
        super().__init__("The service could not answer. Quote the X-Request-Id header to whoever runs it.")


class Unavailable(ServiceError):
    """What the call needs is not to be had just now; *retry_after* is in seconds."""

    status = 503
    default_code = "transient"

    def __init__(self, diagnostics: str, code: str | None = None, retry_after: int = 1) -> None:
        super().__init__(diagnostics, code=code)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}
