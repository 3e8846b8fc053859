"""The official CDS Hooks sandbox as a caller. Its private key is published, so anyone can be it: demo only."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jwt import PyJWK

from cds_service.trust.jwks import PinnedKeys, fingerprint, read_key_set

ISSUER = "https://sandbox.cds-hooks.org"
JKU = "https://sandbox.cds-hooks.org/.well-known/jwks.json"
"""What every token of it names, also when the sandbox runs elsewhere."""
ALGORITHMS = frozenset({"ES384"})


@cache
def sandbox_keys() -> PinnedKeys:
    """The one key of the sandbox, as it publishes it."""
    document = (files("cds_service.trust") / "sandbox.jwks.json").read_bytes()
    return read_key_set(document, ALGORITHMS).keys


def is_sandbox_key(key: PyJWK) -> bool:
    """*key* is the sandbox's, under any name."""
    return any(fingerprint(key) == fingerprint(known) for known in sandbox_keys().by_id.values())
