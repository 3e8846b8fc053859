"""Why an exchange gave nothing: a fixed vocabulary, so that no input reaches a log, a metric or an error."""

from __future__ import annotations

TIMED_OUT = "timed out"
BUSY = "busy"
REFUSED_ADDRESS = "refused address"
UNKNOWN_HOST = "unknown host"
COULD_NOT_CONNECT = "could not connect"
TLS_FAILED = "TLS failed"
BROKEN = "broken answer"
REDIRECT = "redirect"
COMPRESSED = "compressed answer"
TOO_LARGE = "too large"
NOT_FHIR_JSON = "not FHIR JSON"
ANOTHER_RESOURCE = "another resource"
STATUS = "status {}"
"""Any other status than 200; filled with its three digits."""


class NotFetched(Exception):
    """Nothing came of an exchange. *why* is one of the words above and never holds text of either side."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
