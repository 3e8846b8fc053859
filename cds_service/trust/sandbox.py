"""The official CDS Hooks sandbox as a caller. Its private key is published, so anyone can be it: demo only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from cds_service.trust.jwks import PinnedKeys, fingerprint, read_key_set

if TYPE_CHECKING:
    from jwt import PyJWK

ISSUER = "https://sandbox.cds-hooks.org"
JKU = "https://sandbox.cds-hooks.org/.well-known/jwks.json"
"""What every token of it names, also when the sandbox runs elsewhere."""
ALGORITHMS = frozenset({"ES384"})


@cache
def sandbox_keys() -> PinnedKeys:
    """The one key of the sandbox, as it publishes it."""
    document = (files("cds_service.trust") / "sandbox.jwks.json").read_bytes()
    return read_key_set(document, ALGORITHMS).keys


class SandboxKeys(Mapping[str, "PyJWK"]):
    """The same, read when one is looked for: every demo knows the sandbox, and few are called by it."""

    def __getitem__(self, kid: str) -> PyJWK:
        return sandbox_keys().by_id[kid]

    def __iter__(self) -> Iterator[str]:
        return iter(sandbox_keys().by_id)

    def __len__(self) -> int:
        return len(sandbox_keys().by_id)


def is_sandbox_key(key: PyJWK) -> bool:
    """*key* is the sandbox's, under any name."""
    return any(fingerprint(key) == fingerprint(known) for known in sandbox_keys().by_id.values())
