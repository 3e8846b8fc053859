"""What is kept of each call: one audit line, and counters. Neither holds anything of a patient.

A patient appears as a keyed hash, and only where the site configured the key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from cds_service import logs
from cds_service.decision import Decision
from cds_service.lifecycle import Lifecycle
from cds_service.store.ledger import Ledger

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
OTHER = "other"
disable_created_metrics()  # type: ignore[no-untyped-call]  # the time each counter was made: twice the lines, and nobody asks


@dataclass
class Call:
    """One call as it comes to be known; *route* is discovery, hook or feedback. *began* is a monotonic time."""

    request_id: str
    began: float
    route: str = ""
    client: str = ""
    issuer: str = ""
    tenant: str | None = None
    token_id: str = ""
    reason: str = ""
    hook_instance: str = ""
    patient: str = ""
    decision: Decision | None = field(default=None, repr=False)
    display: str = ""
    fetched: Mapping[str, str] = field(default_factory=dict)


class Watch:
    """Counts and audits. *systems* are the code systems the catalogue knows: labels must be few and our own."""

    def __init__(self, digest: str, systems: Collection[str], patient_key: bytes | None = None) -> None:
        self._digest = digest
        self._systems = frozenset(systems)
        self._patient_key = patient_key
        self._registry = CollectorRegistry()
        self._make_metrics()

    def _make_metrics(self) -> None:
        r = self._registry
        self._calls = Counter("cds_calls", "Calls answered.", ["route", "client", "status"], registry=r)
        self._answers = Counter("cds_answers", "Charts assessed.", ["class", "rule", "card"], registry=r)
        self._set_aside = Counter("cds_set_aside", "Resources set aside, by reason.", ["reason"], registry=r)
        self._unknown = Counter(
            "cds_unknown_codes", "Codes no value set holds, each once a chart.", ["system"], registry=r
        )
        self._refusals = Counter("cds_refused_tokens", "Tokens refused or odd, by reason.", ["reason"], registry=r)
        self._fetches = Counter("cds_fetches", "Prefetch keys asked of an EHR.", ["key", "outcome"], registry=r)
        self._unforeseen = Counter("cds_unforeseen_errors", "Answers of 500.", registry=r)
        self._seconds = Histogram("cds_call_seconds", "Time to answer.", ["route"], buckets=SECONDS, registry=r)
        self._feedback = Counter(
            "cds_feedback_items", "Feedback kept; repeated: was kept before.", ["item"], registry=r
        )
        self._overload = Gauge("cds_overload_refusals", "Calls refused because too many waited.", registry=r)
        self._waiting = Gauge("cds_ledger_waiting", "Issued cards not yet written.", registry=r)
        self._dropped = Gauge("cds_ledger_dropped", "Issued cards that were never written.", registry=r)
        self._store_up = Gauge("cds_store_up", "1 while the database answers, else 0.", registry=r)

    def patient_hash(self, issuer: str, patient_id: str) -> str:
        """The patient under the site's key, or nothing where there is no key."""
        if self._patient_key is None:
            return ""
        return hmac.new(self._patient_key, f"{issuer}\0{patient_id}".encode(), hashlib.sha256).hexdigest()[:32]

    def refused_token(self, reason: str) -> None:
        """A token was refused, or passed with a remark, for *reason*."""
        self._refusals.labels(reason).inc()

    def unforeseen(self, request_id: str, error: str, place: str) -> None:
        """An exception nobody planned for, by type and place."""
        self._unforeseen.inc()
        logs.error("unforeseen", request_id=request_id, error=error, place=place)

    def finished(self, call: Call, status: int, now: float) -> None:
        """The audit line and the counters of *call*."""
        seconds = now - call.began
        self._calls.labels(call.route, call.client or "none", str(status)).inc()
        self._seconds.labels(call.route).observe(seconds)
        for key, outcome in call.fetched.items():
            self._fetches.labels(key, outcome).inc()
        if call.decision is not None:
            self._count(call.decision, call.display)
        logs.info(
            "answered" if status < 400 else "refused",
            **self._audit(call),
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )

    def _count(self, decision: Decision, display: str) -> None:
        assessment = decision.assessment
        card = display or decision.silence or "none"
        self._answers.labels(decision.classification.value, assessment.verdict.rule, card).inc()
        for item in assessment.facts.set_aside:
            self._set_aside.labels(item.why).inc()
        for system, count in (decision.unknown_systems or {}).items():
            self._unknown.labels(system if system in self._systems else OTHER).inc(count)

    def _audit(self, call: Call) -> dict[str, object]:
        made: dict[str, object] = {
            name: getattr(call, name)
            for name in ("request_id", "route", "client", "issuer", "tenant", "token_id", "reason")
        }
        made |= {"hook_instance": call.hook_instance, "patient": call.patient}
        made["fetched"] = ", ".join(f"{key} {outcome}" for key, outcome in sorted(call.fetched.items()))
        if call.decision is not None:
            made |= {
                "digest": self._digest,
                "class": call.decision.classification.value,
                "rule": call.decision.assessment.verdict.rule,
                "silence": call.decision.silence,
                "card": call.display,
                "set_aside": len(call.decision.assessment.facts.set_aside),
            }
        return made

    def kept_feedback(self, new: int, repeated: int) -> None:
        """Feedback items were kept; *repeated* ones had been before."""
        self._feedback.labels("new").inc(new)
        self._feedback.labels("repeated").inc(repeated)

    def exposition(self, store_up: bool, ledger: Ledger, lifecycle: Lifecycle) -> bytes:
        """Prometheus text format."""
        self._store_up.set(store_up)
        self._waiting.set(ledger.waiting)
        self._dropped.set(ledger.dropped)
        self._overload.set(lifecycle.refused)
        return generate_latest(self._registry)
