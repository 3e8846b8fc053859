"""Real requests, made wrong: by structure, by byte, or in nothing that may matter. Seeded and fast."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from tests.corpus.planting import planted, resources
from tests.fuzz import odd
from tests.fuzz.damage import damaged, nonsense
from tests.stories import stories

LARGEST = 60_000
"""Bytes of a story that is mutated at every turn; the one that is larger would take all the time."""
_RAW = re.compile(rf'"{odd.RAW}((?:[^"\\]|\\.)*)"')
Json = dict[str, Any]
Place = tuple[Any, Any]


@dataclass(frozen=True)
class Made:
    """One request; *like* is a request whose cards must be the same."""

    kind: str
    body: bytes
    like: bytes | None = None


@cache
def charts() -> tuple[str, ...]:
    """The stories with a canary in every free-text field, token and identifier, as JSON to start from."""
    return tuple(text for story in stories() if len(text := json.dumps(_with_canaries(story.request))) < LARGEST)


def _with_canaries(request: Json) -> Json:
    """None is fit to be an id: swapped into the id of a resource that is cited, it would rightly be shown."""
    made = planted(request, f"{odd.CANARY} text")
    made["fhirServer"] = "https://ehr.example.org/r4"
    made["fhirAuthorization"] = {
        "access_token": f"{odd.CANARY}_token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": f"{odd.CANARY} scope",
        "subject": f"{odd.CANARY} subject",
    }
    made["context"]["userId"] = f"Practitioner/{odd.CANARY}"
    return made


def request(rng: Random) -> Made:
    """The next request."""
    turn = rng.randrange(20)
    if turn < 12:
        return Made("structure", _structure(rng))
    if turn < 16:
        return Made("bytes", damaged(rng, rng.choice(charts()).encode(), rng.choice(charts()).encode()))
    if turn < 18:
        return _irrelevant(rng)
    return Made("raw", nonsense(rng))


def _structure(rng: Random) -> bytes:
    made: Json = json.loads(rng.choice(charts()))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 20))):
        rng.choice(STRUCTURAL)(rng, made)
    body = written(made)
    return damaged(rng, body, rng.choice(charts()).encode()) if rng.random() < 0.05 else body


def written(value: Any) -> bytes:
    """*value* as JSON, with what stands for odd JSON written as such."""
    text = json.dumps(value, ensure_ascii=False)
    return _RAW.sub(lambda found: json.loads(f'"{found[1]}"'), text).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Iterator[Place]:
    """Each (holder, key) inside *value*."""
    for key, child in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(child, dict | list):
            yield from _places(child)


def _any(rng: Random, made: Json) -> Place:
    """A place in the envelope, or, far more often, in one of the resources."""
    found = resources_of(made)
    root = rng.choice(found) if found and rng.random() < 0.9 else made
    places = list(_places(root))
    return rng.choice(places) if places else (made, "hook")


def resources_of(made: Json) -> list[Json]:
    """The resources that are still where they can be found."""
    try:
        return [resource for resource in resources(made) if isinstance(resource, dict)]
    except (KeyError, TypeError, AttributeError):
        return []


def _delete(rng: Random, made: Json) -> None:
    holder, key = _any(rng, made)
    holder.pop(key, None) if isinstance(holder, dict) else holder.pop(key)


def _retype(rng: Random, made: Json) -> None:
    holder, key = _any(rng, made)
    if isinstance(holder, list) or key in holder:
        holder[key] = odd.value(rng)


def _wrap(rng: Random, made: Json) -> None:
    holder, key = _any(rng, made)
    if isinstance(holder, list) or key in holder:
        old = holder[key]
        holder[key] = rng.choice(([old], {"value": old}, [old, None], {"coding": old}, str(old)))


def _rename(rng: Random, made: Json) -> None:
    holder, key = _any(rng, made)
    if isinstance(holder, dict) and key in holder:
        other = rng.choice([*holder, "valueQuantity", "code", "_status", "id", "", rng.choice(odd.TEXTS)])
        holder[other] = holder.pop(key)


def _duplicate(rng: Random, made: Json) -> None:
    """A resource again; perhaps a great many times, perhaps under another id."""
    lists = _lists(made)
    if not lists:
        return
    entries = rng.choice(lists)
    copy = json.loads(json.dumps(rng.choice(entries)))
    if isinstance(copy, dict) and isinstance(copy.get("resource"), dict) and rng.random() < 0.5:
        copy["resource"]["id"] = rng.choice(("other", "a" * 64, f"{odd.CANARY} id", "", None, "a#b"))
    entries.extend([copy] * rng.choice((1, 1, 2, 100)))


def _lists(made: Json) -> list[Any]:
    """The entries of each Bundle that has some."""
    prefetch = made.get("prefetch")
    values = prefetch.values() if isinstance(prefetch, dict) else ()
    return [value["entry"] for value in values if _has_entries(value)]


def _has_entries(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("entry"), list) and bool(value["entry"])


def _swap(rng: Random, made: Json) -> None:
    """Two values of this chart change places."""
    (one, at), (other, there) = _any(rng, made), _any(rng, made)
    try:
        one[at], other[there] = json.loads(json.dumps(other[there])), json.loads(json.dumps(one[at]))
    except (KeyError, IndexError):
        return


def _transplant(rng: Random, made: Json) -> None:
    """A value of another patient's chart under the same name, or a whole resource of it."""
    donors = resources_of(json.loads(rng.choice(charts())))
    found = resources_of(made)
    if not donors or not found:
        return
    donor, into = rng.choice(donors), rng.choice(found)
    if rng.random() < 0.5:
        key = rng.choice(list(donor))
        into[key] = donor[key]
    else:
        into.clear()
        into.update(donor)
        if rng.random() < 0.7 and isinstance(made.get("context"), dict):
            into["subject"] = {"reference": f"Patient/{made['context'].get('patientId')}"}


def _date(rng: Random, made: Json) -> None:
    names = (
        "effectiveDateTime",
        "recordedDate",
        "birthDate",
        "performedDateTime",
        "authoredOn",
        "issued",
        "start",
        "end",
    )
    where = [(holder, key) for holder, key in _places(made) if key in (*names, "lastUpdated", "abatementDateTime")]
    if where:
        holder, key = rng.choice(where)
        holder[key] = rng.choice(odd.DATES)
    if found := resources_of(made):
        period = {"start": rng.choice(odd.DATES), "end": rng.choice(odd.DATES)}
        name = rng.choice((*names[:6], "abatementDateTime", "effectivePeriod", "performedPeriod", "deceasedDateTime"))
        rng.choice(found)[name] = period if name.endswith("Period") else rng.choice(odd.DATES)


def _number(rng: Random, made: Json) -> None:
    where = [(holder, key) for holder, key in _places(made) if key in ("value", "total", "expires_in")]
    if where:
        holder, key = rng.choice(where)
        holder[key] = odd.number(rng)


def _key(rng: Random, made: Json) -> None:
    """Prefetch keys: another value, an outcome, a page of several, or an odd name."""
    prefetch = made.get("prefetch")
    if not isinstance(prefetch, dict) or not prefetch:
        return
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "diagnostics": rng.choice(odd.TEXTS)}],
    }
    more = {"resourceType": "Bundle", "link": [{"relation": "next", "url": rng.choice(odd.TEXTS)}], "entry": [{}]}
    key = rng.choice([*prefetch, rng.choice(odd.TEXTS)])
    prefetch[key] = rng.choice(
        (None, {}, outcome, more, {"resourceType": "Bundle", "entry": [{"resource": outcome}]}, odd.value(rng))
    )


STRUCTURAL: tuple[Callable[[Random, Json], None], ...] = (
    *(_delete, _retype, _retype, _retype, _wrap, _rename, _duplicate, _swap, _transplant, _date, _date, _number, _key),
)


IGNORED = (
    "Basic",
    "Provenance",
    "Observation",
    "Encounter",
    "AllergyIntolerance",
    "Blasts",
    "",
    "Bundle",
    "ImagingStudy",
)


def _irrelevant(rng: Random) -> Made:
    """A chart, and the same with resources no rule reads: the cards must be the same."""
    plain: Json = json.loads(rng.choice(charts()))
    more: Json = json.loads(json.dumps(plain))
    lists = _lists(more)
    for _ in range(rng.choice((1, 3, 10)) if lists else 0):
        entries = rng.choice(lists)
        entries.insert(rng.randrange(len(entries) + 1), {"resource": _ignored(rng, plain)})
    return Made("irrelevant", written(more), written(plain))


def _ignored(rng: Random, chart: Json) -> Json:
    made: Json = {
        "resourceType": rng.choice(IGNORED),
        "id": rng.choice(("a", "other", f"{odd.CANARY} id")),
        "status": "final",
        "subject": {"reference": f"Patient/{chart['context']['patientId']}"},
        "code": {
            "coding": [{"system": "http://loinc.org", "code": rng.choice(("718-7", "789-8", "x")), "display": "x"}]
        },
        "effectiveDateTime": rng.choice(odd.DATES),
        "valueQuantity": {"value": odd.number(rng).replace("NaN", "1").replace("Infinity", "2"), "unit": "%"},
        "note": [{"text": rng.choice(odd.TEXTS)}],
    }
    if rng.random() < 0.5:
        made[rng.choice(("extension", "meta", "note", "performer", "derivedFrom"))] = rng.choice(odd.TEXTS)
    return made
