"""The card: what every form of it promises to a clinician and to an EHR."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from cds_service.catalogue_checks import longest_summaries
from cds_service.compose import EXTENSION, assessment_json, hook_response
from cds_service.evidence import is_valid
from cds_service.timeline_text import assessment_text
from tests.charts import Chart, chart, knowledge, relapsed_b, relapsed_t

FORMS = {
    "options listed": relapsed_b(),
    "T-cell, options listed": relapsed_t(),
    "outside the marrow only": chart().all_b("2025-01-01").remission("2025-03-01").csf(12, "2026-10-10"),
    "unclear": chart().all_b("2025-01-01").remission("2025-03-01").marrow(12, "2026-10-10"),
    "unclear, data failed": chart().all_b("2025-01-01").remission("2025-03-01").failed("observations"),
}


def respond(made: Chart, *, with_assessment: bool = False) -> dict[str, Any]:
    ids = (f"00000000-0000-4000-8000-{n:012d}" for n in count(1))
    decision = made.assess().decision
    return hook_response(
        decision, knowledge(), "https://cds.example", lambda: next(ids), with_assessment=with_assessment
    )


def card(made: Chart) -> dict[str, Any]:
    (found,) = respond(made)["cards"]
    assert isinstance(found, dict)
    return found


def values(found: Any) -> Iterator[Any]:
    yield found
    for child in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from values(child)


@pytest.mark.parametrize("form", FORMS)
def test_no_null_and_nothing_empty_is_sent(form: str) -> None:
    answer = respond(FORMS[form], with_assessment=True)
    assert not [v for v in values(answer) if v is None or v in ("", [], {})]


@pytest.mark.parametrize("form", FORMS)
def test_the_summary_stands_alone_on_one_line(form: str) -> None:
    summary = card(FORMS[form])["summary"]
    assert len(summary.encode("utf-16-le")) // 2 <= 139
    assert "\n" not in summary
    assert "ALL" in summary


def test_every_summary_that_can_be_made_fits() -> None:
    assert max(len(text) for _, text in longest_summaries(knowledge())) <= 139


@pytest.mark.parametrize("form", FORMS)
def test_the_detail_is_markdown_without_html_and_says_it_is_not_reviewed(form: str) -> None:
    detail = card(FORMS[form])["detail"]
    assert not re.search(r"<[a-zA-Z/!]", detail)
    assert "{" not in detail
    assert "not yet reviewed by a clinician" in detail


@pytest.mark.parametrize("form", FORMS)
def test_the_card_has_what_feedback_and_lock_out_need(form: str) -> None:
    found = card(FORMS[form])
    ids = [found["uuid"], *(s["uuid"] for s in found["suggestions"])]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", i) for i in ids)
    assert found["selectionBehavior"] == "any"
    assert found["source"]["topic"]["code"] == "rr-all"
    assert all(r["display"] and r["system"] and r["code"] for r in found["overrideReasons"])
    assert found["links"] == [
        {"label": "How this is worked out", "url": "https://cds.example/about", "type": "absolute"}
    ]


@pytest.mark.parametrize("form", FORMS)
def test_each_suggestion_creates_one_valid_draft_for_this_patient(form: str) -> None:
    for suggestion in card(FORMS[form])["suggestions"]:
        (action,) = suggestion["actions"]
        resource = action["resource"]
        assert (action["type"], resource["status"], resource["intent"]) == ("create", "draft", "proposal")
        assert resource["subject"] == {"reference": FORMS[form].assess().assessment.facts.patient}
        assert is_valid(resource)


def test_what_the_page_does_not_name_never_stands_on_a_card() -> None:
    text = card(relapsed_b())["detail"] + card(relapsed_t())["detail"]
    for name in ("imatinib", "dasatinib", "ponatinib", "obecabtagene", "revumenib", "radiotherapy", "recommended"):
        assert name not in text.lower()


def test_expert_review_cites_the_page_only_for_relapsed_and_refractory_disease() -> None:
    assert "[D8]" in card(relapsed_b())["detail"]
    assert "D8" not in card(FORMS["unclear"])["detail"]


def test_the_unclear_card_lists_no_option() -> None:
    detail = card(FORMS["unclear"])["detail"]
    assert all(option.name not in detail for option in knowledge().options)


def test_genetic_testing_is_offered_until_a_result_since_the_relapse_is_on_file() -> None:
    offered = [s["label"] for s in card(relapsed_b())["suggestions"]]
    tested = relapsed_b().ph("Negative", "2026-10-11")
    assert len(offered) == 2
    assert len(card(tested)["suggestions"]) == 1


@pytest.mark.parametrize("form", FORMS)
def test_the_extension_carries_the_assessment_without_the_patient(form: str) -> None:
    shown = respond(FORMS[form], with_assessment=True)["extension"][EXTENSION]
    assert "patient" not in shown
    assert shown["classification"] == FORMS[form].assess().classification


def test_no_card_is_an_empty_list_and_nothing_else() -> None:
    assert respond(chart().all_b("2025-01-01").remission("2025-03-01")) == {"cards": []}


def test_a_long_row_of_set_aside_resources_is_counted_instead_of_listed() -> None:
    crowded = relapsed_b()
    for _ in range(20):
        crowded = crowded.marrow(50, "2026-10-11", status="entered-in-error")
    assert "8 more" in card(crowded)["detail"]


def test_a_narrative_marrow_report_is_shown_by_date_and_not_interpreted() -> None:
    assert "Marrow report of 2026-10-20 on file, not interpreted" in card(relapsed_b().report("2026-10-20"))["detail"]


@pytest.mark.parametrize("form", FORMS)
def test_the_text_form_says_the_same_as_the_card(form: str) -> None:
    text = assessment_text(FORMS[form].assess().decision, knowledge())
    assert card(FORMS[form])["summary"] in text


def test_the_text_form_of_a_silent_chart_says_why() -> None:
    silent = {
        "nothing to say": chart(),
        "deceased": relapsed_b().died(),
    }
    for why, made in silent.items():
        assert why in assessment_text(made.assess().decision, knowledge())


def test_every_kind_of_fact_is_shown_in_our_own_words() -> None:
    made = (
        relapsed_b().fit("2026-10-20").antigen("cd19", "partial", "2026-10-10").transplant("2025-05-01")
        .car_t("2025-06-01").growth_factor("2025-07-01").report("2026-10-20").origin("recipient", "2026-10-10")
        .course("2025-01-05", "2025-02-05").blood(9, "2026-10-09").phenotype("b-lymphoblastic", "2026-10-10")
    )  # fmt: skip
    text = assessment_text(made.assess().decision, knowledge())
    for words in ("physically fit", "CD19 partial", "allogeneic", "CAR T", "growth factor", "own cells", "treatment"):
        assert words in text
    kinds = {row["kind"] for row in assessment_json(made.assess().decision, knowledge())["evidence"]}
    assert {"marrow_blasts", "status", "phenotype"} <= kinds


def test_the_source_has_an_address_only_when_the_page_has_one() -> None:
    decision = relapsed_b().assess().decision
    found = replace(knowledge(), card_source=("The page", "https://page.example/"))
    answer = hook_response(decision, found, "https://cds.example", lambda: "x", with_assessment=False)
    assert answer["cards"][0]["source"]["url"] == "https://page.example/"
    assert "url" not in card(relapsed_b())["source"]


def test_the_text_form_names_what_was_set_aside() -> None:
    made = relapsed_b().marrow(70, "2026-10-11", status="entered-in-error")
    assert "entered in error" in assessment_text(made.assess().decision, knowledge())


def test_a_resource_this_service_never_cites_is_not_vouched_for() -> None:
    assert not is_valid({"resourceType": "Basket"})
