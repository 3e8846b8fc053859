"""What it costs to fetch all six keys at once, over the slowest of their queries alone: wall time, over TLS.

The queries are sent side by side, so at best they take as long as the slowest; what is more is ours.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl
from uuid import uuid4

import requests
from requests.utils import requote_uri

from bench.charts import PATIENT
from bench.fhir_server import fhir_server
from bench.measure import Spread
from cds_service.ehr.fill import FETCHED, CallBack
from cds_service.ehr.server import ACCEPT, LONGEST_URL
from cds_service.outbound.fetch import Outbound
from cds_service.server import SWITCH_SECONDS
from tests.ehr.bad_server import make_tls
from tests.ehr.sites import TOKEN, Registered, hook_request, site

BUDGET = 10.0
ALL = "all keys at once"
FRESH = "all keys at once, nothing kept"


@dataclass(frozen=True)
class CalledBack:
    """Wall milliseconds. *cost* is what all keys took beyond the slowest query, as a share of it, turn by turn."""

    all_keys: Spread
    nothing_kept: Spread
    slowest: Spread
    slowest_key: str
    cost: Spread


def call_backs(templates: Mapping[str, str], observations: int, rounds: Mapping[int, int]) -> dict[int, CalledBack]:
    """By how many milliseconds the server takes for each query. *rounds* says how often each is measured."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)  # as the server sets it
    try:
        return {delay: called_back(templates, observations, delay, often) for delay, often in rounds.items()}
    finally:
        sys.setswitchinterval(before)


def called_back(templates: Mapping[str, str], observations: int, delay_ms: int, rounds: int) -> CalledBack:
    """All keys, then each alone, in turn; one round more goes before, opens the connections and is not counted."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        _, ca_file = make_tls(folder, "localhost")
        base = stack.enter_context(fhir_server(observations, delay_ms, folder / "localhost.pem"))
        session = stack.enter_context(requests.Session())
        session.verify, session.trust_env = str(ca_file), False
        session.headers.update({"Authorization": f"Bearer {TOKEN}", "Accept": ACCEPT})
        registered, kept, afresh = site(base, ca_file=ca_file), Outbound(), Outbound()
        works = {key: _alone(session, base, template) for key, template in templates.items()}
        works |= {
            ALL: lambda: _fill(kept, base, registered, templates),
            # A name that was never seen: the authorities have been read, and no connection is there.
            FRESH: lambda: _fill(afresh, base, replace(registered, name=str(uuid4())), templates),
        }
        seen: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds + 1):
            for name, work in works.items():
                seen[name].append(_wall(work))
    return _compared({name: values[1:] for name, values in seen.items()}, list(templates))


def _compared(seen: Mapping[str, list[float]], keys: list[str]) -> CalledBack:
    slowest = max(keys, key=lambda key: Spread.of(seen[key]).median)
    cost = [whole / alone - 1 for whole, alone in zip(seen[ALL], seen[slowest], strict=True)]
    spreads = (Spread.of(seen[name]) for name in (ALL, FRESH, slowest))
    return CalledBack(*spreads, slowest_key=slowest, cost=Spread.of(cost))


def _fill(outbound: Outbound, base: str, registered: Registered, templates: Mapping[str, str]) -> None:
    request = hook_request(base, patient_id=PATIENT)
    filled = CallBack(outbound, budget=BUDGET, slots=1).fill(request, registered, templates)
    assert set(filled.outcomes.values()) == {FETCHED}, filled.outcomes


def _alone(session: requests.Session, base: str, template: str) -> Callable[[], None]:
    """One query as the service sends it, by the library itself over a connection that is there."""
    url = f"{base}/{template.replace('{{context.patientId}}', PATIENT)}"
    path, _, query = url.partition("?")
    form = parse_qsl(query, keep_blank_values=True)
    long = len(requote_uri(url)) > LONGEST_URL

    def ask() -> None:
        answer = session.post(f"{path}/_search", data=form) if long else session.get(url)
        assert answer.status_code == 200, answer.status_code
        assert answer.content

    return ask


def _wall(work: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1e6
