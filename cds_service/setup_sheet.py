"""What an EHR analyst must type: URLs, prefetch keys and queries, scopes. Plain text."""

from __future__ import annotations

from cds_service.knowledge import Knowledge, ServiceText

EHRS = ("generic", "epic", "oracle")
SCOPES = ("Patient", "Condition", "Observation", "Procedure", "MedicationRequest", "MedicationAdministration")
PATIENT = "patient={{context.patientId}}"
BY_CATEGORY = {
    "conditions": (
        f"Condition?{PATIENT}&category=problem-list-item&_count=500",
        f"Condition?{PATIENT}&category=encounter-diagnosis&_count=500",
    ),
    "observations": (f"Observation?{PATIENT}&category=laboratory&_sort=-date&_count=500",),
}
"""Queries for a server whose core searches need a category and treat ``code`` as a filter after paging."""

NOTES = {
    "generic": (
        "Discovery publishes the queries below; a client that reads discovery needs nothing typed.",
        "Only patient and conditions are required. Each further key makes the answer better.",
    ),
    "epic": (
        "Epic does not read discovery: type each key and query as shown.",
        "Observation and Condition searches need a category: the queries above are by category. A query cut by the "
        "server's page cap is noticed (link next) and said on the card.",
        "Where two queries stand under one key, give the second the key with -2 after it: a resource's type, not "
        "its key, decides how it is read.",
        "Epic takes order details from its own build: map the ServiceRequest codes to your preference-list keys.",
        "source.topic.code (rr-all) drives lock-out after an override.",
    ),
    "oracle": (
        "Oracle Health strips links that are not registered: register the /about address.",
        "The server's own page caps apply whatever _count says; a cut page is noticed and said on the card.",
        "The side panel is about one eighth of the screen: the summary alone carries the message.",
    ),
}


def queries(service: ServiceText, ehr: str) -> dict[str, str]:
    """Each prefetch key and its query, in the form this kind of EHR answers; a further query of a key has a number."""
    if ehr != "epic":
        return dict(service.prefetch)
    return {
        key if number == 1 else f"{key}-{number}": query
        for key, template in service.prefetch.items()
        for number, query in enumerate(BY_CATEGORY.get(key, (template,)), 1)
    }


def setup_sheet(knowledge: Knowledge, base_url: str, ehr: str) -> str:
    """The sheet for one kind of EHR (one of :data:`EHRS`)."""
    service, base = knowledge.service, base_url.rstrip("/")
    lines = [
        f"{service.title} - set-up sheet ({ehr})",
        f"Catalogue {knowledge.version}",
        "",
        f"Discovery  GET  {base}/cds-services",
        f"Hook       POST {base}/cds-services/{service.id}   (hook {service.hook})",
        f"Feedback   POST {base}/cds-services/{service.id}/feedback",
        f"About      GET  {base}/about",
        "",
        "Prefetch keys and queries",
    ]
    for key, query in queries(service, ehr).items():
        required = " (required)" if key in ("patient", "conditions") else ""
        lines += [f"  {key}{required}", f"    {query}"]
    lines += [
        "",
        "Scopes (read only)",
        *(f"  patient/{name}.read" for name in SCOPES),
        "",
        "Suggestions create",
    ]
    for suggestion in knowledge.suggestions.values():
        system, code, display = suggestion.coding
        lines.append(f"  draft ServiceRequest {code} {display} ({system})")
    lines += ["", "Notes", *(f"  - {note}" for note in NOTES[ehr])]
    return "\n".join(lines)
