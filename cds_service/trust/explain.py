"""What is wrong with one token, all of it, for whoever connects an EHR; never the token or its signature."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from cds_service.trust.clients import Client
from cds_service.trust.tokens import (
    REASONS,
    KeyOf,
    Outline,
    Refused,
    client_of,
    issued_by,
    key_of_client,
    read_times,
    read_unverified,
    require_audience,
    require_current,
    require_header,
    require_jku,
    require_short_life,
    require_signature,
    token_id,
)

T = TypeVar("T")
_IN_HEADER = ("typ", "alg", "kid", "jku")
_IN_CLAIMS = ("iss", "aud", "iat", "nbf", "exp", "tenant", "jti")
_TIMES = ("iat", "nbf", "exp")
_LONGEST = 300


def explain(
    token: str, audience: str | Collection[str], clients: Sequence[Client], key_of: KeyOf, now: float
) -> list[str]:
    """A line for each header and claim that matters, then one for each check of ``tokens.verify``."""
    checks = _Checks()
    outline = checks.run("form", read_unverified, token)
    if outline is None:
        return checks.lines
    _check(checks, token, outline, audience, clients, key_of, now)
    return [*_shown("header", outline.header, _IN_HEADER), *_shown("claim", outline.claims, _IN_CLAIMS), *checks.lines]


class _Checks:
    """The checks so far, a line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def run(self, name: str, check: Callable[..., T], *given: Any) -> T | None:
        """What *check* returns, unless it refuses; a check that is given ``None`` cannot be made."""
        if None in given:
            self.lines.append(f"{'-':<6} {name}: cannot be checked until the lines above are right")
            return None
        try:
            result = check(*given)
        except Refused as refused:
            self.lines.append(f"{'WRONG':<6} {name}: {REASONS[refused.reason]} [{refused.reason}]")
            return None
        self.lines.append(f"{'ok':<6} {name}")
        return result


def _check(
    checks: _Checks,
    token: str,
    outline: Outline,
    audience: str | Collection[str],
    clients: Sequence[Client],
    key_of: KeyOf,
    now: float,
) -> None:
    checks.run("typ, crit", require_header, outline)
    candidates = checks.run("iss", issued_by, outline, clients)
    checks.run("aud", require_audience, outline, audience)
    times = checks.run("exp, iat, nbf", read_times, outline)
    checks.run("time now", require_current, times, now)
    checks.run("lifetime", require_short_life, times)
    client = checks.run("tenant", client_of, outline, candidates)
    checks.run("jku", require_jku, outline, client)
    key = checks.run("alg, kid", key_of_client, outline, client, key_of)
    checks.run("signature", require_signature, token, key)
    checks.run("jti (not compared with earlier calls)", token_id, outline)


def _shown(where: str, members: Any, names: Sequence[str]) -> list[str]:
    return [f"{where} {name}: {_text(name, members[name])}" for name in names if name in members]


def _text(name: str, value: Any) -> str:
    """As ASCII JSON, so that no token can steer the terminal it is shown on."""
    text = json.dumps(value)
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return f"{shown} ({_moment(value)})" if name in _TIMES else shown


def _moment(value: Any) -> str:
    try:
        return datetime.fromtimestamp(float(value), UTC).isoformat(timespec="seconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return "no time"
