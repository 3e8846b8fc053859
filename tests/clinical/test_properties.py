"""What holds for every chart, tried on random ones."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.charts import (
    OPTIONS,
    VERIFICATION,
    Answer,
    Chart,
    bundle,
    concept,
    knowledge,
)
from tests.random_charts import a_day, random_chart

TKIS = ("tki-alone", "tki-with-chemotherapy", "tki-with-corticosteroid")
B_ONLY = ("blinatumomab", "inotuzumab-ozogamicin", "tisagenlecleucel", "brexucabtagene-autoleucel")
DATES = ("recordedDate", "effectiveDateTime", "authoredOn")
OPPOSITES = {frozenset({"relapsed", "in_remission"}), frozenset({"refractory", "in_remission"})}

quick = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int) -> tuple[Random, Chart]:
    rng = Random(seed)
    return rng, random_chart(rng)


def everything(answer: Answer) -> tuple[object, ...]:
    return (*answer.outcome, answer.assessment.facts.set_aside)


def explained(answer: Answer) -> None:
    """The answer's rule, its sentence, and every option's reason are in the catalogue."""
    rule = knowledge().rules[answer.rule]
    assert answer.reason in rule.reasons
    if answer.reason != "unread":
        assert rule.classification == answer.classification
    listed = answer.classification in ("relapsed", "refractory") and "isolated_extramedullary" not in answer.modifiers
    assert tuple(answer.options) == (OPTIONS if listed else ())
    for option in answer.assessment.options:
        assert (option.group.value == "fits") == (not option.unmet) or option.option.products
        for unmet in option.unmet:
            sentence = knowledge().option_reasons[unmet.answer.reason]
            sentence.format(**dict(unmet.answer.values))
    for sentence in (rule.reasons[answer.reason].summary, rule.reasons[answer.reason].detail):
        sentence.format(**dict(answer.assessment.verdict.values))


def test_two_thousand_charts_each_have_an_explained_answer() -> None:
    for seed in range(2000):
        explained(drawn(seed)[1].assess())


@quick
@given(seeds)
def test_an_unknown_never_makes_an_option_fit(seed: int) -> None:
    _, patient = drawn(seed)
    answer = patient.assess()
    fits = {name for name, group in answer.options.items() if group == "fits"}
    if answer.lineage != "b_cell":
        assert not fits & {*B_ONLY, "car-t"}
    if answer.lineage != "t_cell":
        assert "nelarabine" not in fits
    if answer.ph != "positive":
        assert not fits & set(TKIS)
    if patient.birth is None:
        assert not fits & {"tisagenlecleucel", "brexucabtagene-autoleucel", "car-t"}


@quick
@given(seeds)
def test_the_order_of_entries_changes_nothing(seed: int) -> None:
    rng, patient = drawn(seed)
    other = patient.copy()
    rng.shuffle(other.resources)
    assert everything(other.assess()) == everything(patient.assess())


@quick
@given(seeds)
def test_a_resource_sent_twice_changes_nothing(seed: int) -> None:
    rng, patient = drawn(seed)
    other = patient.copy()
    other.resources += [r for r in other.resources if rng.random() < 0.5]
    assert everything(other.assess()) == everything(patient.assess())


def irrelevant(rng: Random, patient: Chart) -> None:
    day = a_day(rng)
    match rng.randrange(6):
        case 0:
            patient.condition(("http://snomed.info/sct", "44054006"), day, clinical="active")
        case 1:
            patient.observation(("http://loinc.org", "718-7"), day, 9.5, unit="g/dL")
        case 2:
            patient.procedure(("http://snomed.info/sct", "80146002"), day)
        case 3:
            patient.request(("http://www.nlm.nih.gov/research/umls/rxnorm", "161"), day)
        case 4:
            patient.add("AllergyIntolerance", reference="patient", code=concept(("http://snomed.info/sct", "91936005")))
        case _:
            patient.observation(("http://example.org/local", "11150-0"), day, 62)


@quick
@given(seeds)
def test_irrelevant_resources_change_nothing(seed: int) -> None:
    rng, patient = drawn(seed)
    other = patient.copy()
    for _ in range(5):
        irrelevant(rng, other)
    assert everything(other.assess()) == everything(patient.assess())


@quick
@given(seeds)
def test_the_key_a_resource_comes_under_changes_nothing(seed: int) -> None:
    rng, patient = drawn(seed)
    keys = ("conditions", "observations", "procedures", "medications", "administrations", "more")
    held: dict[str, list[dict[str, Any]]] = {key: [] for key in keys}
    for resource in patient.resources:
        held[rng.choice(keys)].append(resource)
    if not any(r["resourceType"] == "Condition" for r in held["conditions"]):
        held["more"] += held["conditions"]
        held["conditions"] = []
    prefetch = {"patient": json.dumps(patient.patient()).encode()}
    prefetch |= {key: json.dumps(bundle(found)).encode() for key, found in held.items()}
    assert everything(patient.assess(prefetch)) == everything(patient.assess())


@quick
@given(seeds)
def test_entered_in_error_is_the_same_as_absent(seed: int) -> None:
    rng, patient = drawn(seed)
    if not patient.resources:
        return
    index = rng.randrange(len(patient.resources))
    absent, wrong = patient.copy(), patient.copy()
    del absent.resources[index]
    resource = wrong.resources[index]
    if resource["resourceType"] == "Condition":
        resource["verificationStatus"] = concept((VERIFICATION, "entered-in-error"))
    else:
        resource["status"] = "entered-in-error"
    assert wrong.assess().outcome == absent.assess().outcome


@quick
@given(seeds)
def test_a_vaguer_date_never_turns_an_answer_into_its_opposite(seed: int) -> None:
    rng, patient = drawn(seed)
    exact = patient.assess().classification
    for index, resource in enumerate(patient.resources):
        name = next((n for n in DATES if n in resource), None)
        if name is None:
            continue
        vague = patient.copy()
        vague.resources[index][name] = resource[name][: rng.choice((4, 7))]
        assert frozenset({exact, vague.assess().classification}) not in OPPOSITES


def a_negative(rng: Random, patient: Chart) -> None:
    day = a_day(rng)
    match rng.randrange(8):
        case 0:
            patient.ph("negative", day)
        case 1:
            patient.fish(0, day)
        case 2:
            patient.p210("negative", day).p190("negative", day)
        case 3:
            patient.antigen("cd19", "negative", day)
        case 4:
            patient.antigen("cd22", "negative", day)
        case 5:
            patient.fit(day, answer=False)
        case 6:
            patient.donor(day, answer=False)
        case _:
            patient.tolerates(False, day)


@quick
@given(seeds)
def test_a_negative_never_makes_an_option_fit(seed: int) -> None:
    rng, patient = drawn(seed)
    before = patient.assess()
    if not before.options:
        return
    other = patient.copy()
    a_negative(rng, other)
    after = other.assess()
    fits = {name for name, group in after.options.items() if group == "fits"}
    assert fits <= {name for name, group in before.options.items() if group == "fits"}


@pytest.mark.parametrize("today", ["2026-11-01", "2027-11-01"])
def test_the_same_chart_has_the_same_answer_twice(today: str) -> None:
    for seed in range(50):
        _, patient = drawn(seed)
        patient.today = patient.today.fromisoformat(today)
        assert everything(patient.assess()) == everything(patient.assess())
