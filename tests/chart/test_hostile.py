"""What a chart must not do to a card: put text into it, stop it, or bring in another patient by the back door."""

from __future__ import annotations

import json

import pytest

from cds_service.chart.read import AnotherPatient
from tests.chart import facts, from_prefetch, rows, why
from tests.charts import CLINICAL, PATIENT, SPECIMENS, Chart, Json, bundle, chart, concept, relapsed_b

LINK = "www.evil.example/"
DAY = "2026-10-10"


def observation(**elements: object) -> Json:
    (made,) = chart().marrow(62, DAY).resources
    return made | elements


@pytest.mark.parametrize("name", [LINK, "[x](https://evil.example)", "a` <b>", "a\n", "", 7])
def test_an_id_that_is_none_is_not_shown(name: object) -> None:
    found = from_prefetch(chart(), observations=json.dumps(bundle([observation(id=name, component=7)])).encode())
    assert rows(found) == {"Observation/(without id)": {"malformed"}}


@pytest.mark.parametrize("name", [LINK, "a\n", "a b"])
def test_an_id_that_is_none_is_not_shown_of_a_sound_resource_either(name: str) -> None:
    found = from_prefetch(chart(), observations=json.dumps(bundle([observation(id=name, status="x")])).encode())
    ((shown, reasons),) = rows(found).items()
    assert shown.startswith("Observation/unidentified-")
    assert reasons == {"status-unknown"}


@pytest.mark.parametrize(("key", "shown"), [("site-labs", "site-labs"), (LINK, "another key"), ("a\n", "another key")])
def test_a_failed_key_is_named_unless_its_name_could_be_markup(key: str, shown: str) -> None:
    values = chart().prefetch() | {key: b'{"resourceType": "OperationOutcome"}'}
    assert chart().assess(values).assessment.facts.unread_keys == (shown,)


@pytest.mark.parametrize(("status", "shown"), [("relapse", "relapse"), (LINK, "no clinical status")])
def test_a_clinical_status_is_shown_when_it_is_one_of_fhir(status: str, shown: str) -> None:
    written = chart().all_b("2025-01-01")
    written.resources[-1]["clinicalStatus"] = concept((CLINICAL, status))
    (diagnosis,) = facts(written).diagnoses
    assert diagnosis.status == shown


def _collected(when: object) -> Chart:
    specimen = {
        "resourceType": "Specimen",
        "id": "s",
        "type": concept(("http://snomed.info/sct", SPECIMENS["marrow"])),
        "collection": {"collectedPeriod": when},
    }
    made = observation(specimen={"reference": "Specimen/s"})
    del made["effectiveDateTime"]
    written = chart()
    written.resources += [specimen, made]
    return written


@pytest.mark.parametrize("when", ["yesterday", 7, ["2026"], {}, None])
def test_a_specimen_collected_over_what_is_no_period_has_no_date(when: object) -> None:
    assert why(_collected(when)) == {"no-date"}


def test_a_specimen_collected_over_a_period_has_a_date() -> None:
    assert len(facts(_collected({"start": DAY, "end": DAY})).marrow) == 1


@pytest.mark.parametrize(
    "patient",
    [
        pytest.param('{"resourceType": "Patient", "id": "p2", "x": 1e1000000}', id="a number out of bounds"),
        pytest.param('{"resourceType": "Patient", "id": "p1", "id": "p2"}', id="two ids"),
        pytest.param('{"resourceType": "Patient", "id": "p2", "name": [{"text": "\\u0000"}]}', id="U+0000"),
    ],
)
def test_another_patient_is_refused_even_when_it_cannot_be_read_whole(patient: str) -> None:
    with pytest.raises(AnotherPatient):
        from_prefetch(relapsed_b(), patient=patient.encode())


def test_the_patient_is_set_aside_when_it_cannot_be_read_whole() -> None:
    found = from_prefetch(relapsed_b(), patient=b'{"resourceType": "Patient", "id": "p1", "x": 1e1000000}')
    assert rows(found) == {f"Patient/{PATIENT}": {"malformed"}}
    assert found.birth is None


def test_a_resource_cannot_pass_for_a_contained_result() -> None:
    """Those are judged with their report, so this one would be cited without being judged at all."""
    found = from_prefetch(chart(), observations=json.dumps(bundle([observation(id="r0#1", note=7)])).encode())
    assert (found.marrow, rows(found)) == ((), {"Observation/r0#1": {"malformed"}})
