"""No rule, sentence or option reason of the catalogue is dead: each is reached by some chart."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

from cds_service.clinical.checks import CHECKS
from cds_service.clinical.classify import RULES as RULE_FUNCTIONS
from tests.charts import Answer, Chart, chart, knowledge, relapsed_b, relapsed_t
from tests.clinical.test_named_charts import CLASSES
from tests.clinical.test_rules import RULES
from tests.random_charts import random_chart

AT = "2026-10-10"

MORE: tuple[Chart, ...] = (
    chart().all_b("2025-01-01").remission("2025-06-01").failed("observations"),
    chart().all_b("2025-01-01").failed("observations"),
    chart().all_b("2026-07-01").remission("2026-08-01").marrow(62, AT, unit=None),
    chart().all_b("2026-07-01").remission("2026-08-01").marrow(2, "2026-09-01").blood(62, AT),
    chart().all_b("2025-01-01").remission("2026-05-05").flow(2, AT),
    relapsed_b().ph("negative", AT),
    relapsed_b().ph("negative", "2025-01-05"),
    relapsed_b().ph("positive", AT).fish(0, AT),
    relapsed_b().tolerates(False, AT),
    relapsed_b().tolerates(False, AT).tolerates(True, AT),
    relapsed_t(),
    relapsed_b().all_t("2025-01-02"),
    chart().all_unspecified("2025-01-01").remission("2025-03-01").marrow(62, AT),
    *(
        relapsed_b().antigen(name, expression, AT)
        for name in ("cd19", "cd22")
        for expression in ("negative", "partial")
    ),
    *(relapsed_b().antigen(name, "positive", AT).antigen(name, "negative", AT) for name in ("cd19", "cd22")),
    relapsed_b().administration(("http://www.nlm.nih.gov/research/umls/rxnorm", "1597258"), "2025-04-01"),
    relapsed_b().administration(("http://www.nlm.nih.gov/research/umls/rxnorm", "1942950"), "2025-04-01"),
    *(relapsed_b().born(birth) for birth in ("2026-10-20", "2026-04-01", "2015-01-01", "1990-01-01", "2000", None)),
    relapsed_b().fit(AT, False),
    relapsed_b().donor(AT, False),
    relapsed_b().fit(AT),
    relapsed_b().donor(AT),
    relapsed_b().fit(AT).donor(AT),
    chart()
    .all_b("2025-01-01")
    .remission("2025-06-01")
    .marrow(3, AT)
    .flow(2, AT)
    .molecular(3, AT)
    .relapse("2026-10-12"),
)


@cache
def answers() -> tuple[Answer, ...]:
    handwritten = [case.values[0] for case in (*CLASSES, *RULES)]
    charts = [c for c in (*handwritten, *MORE) if isinstance(c, Chart)]
    charts += [random_chart(Random(seed)) for seed in range(1000)]
    return tuple(c.assess() for c in charts)


SENTENCES = [(number, reason) for number, rule in knowledge().rules.items() for reason in rule.reasons]


@pytest.mark.parametrize("number", list(knowledge().rules))
def test_every_rule_answers_some_chart(number: str) -> None:
    assert any(a.rule == number for a in answers())


@pytest.mark.parametrize(("number", "reason"), SENTENCES)
def test_every_sentence_of_a_rule_is_said_of_some_chart(number: str, reason: str) -> None:
    assert any((a.rule, a.reason) == (number, reason) for a in answers())


@pytest.mark.parametrize("reason", list(knowledge().option_reasons))
def test_every_option_reason_is_given_for_some_chart(reason: str) -> None:
    assert any(reason in a.all_reasons for a in answers())


@pytest.mark.parametrize("group", ["fits", "depends", "does_not_fit"])
@pytest.mark.parametrize("option", [o.id for o in knowledge().options if o.conditions or o.products])
def test_every_option_stands_in_every_group_it_can(option: str, group: str) -> None:
    soft_only = all(c.soft for o in knowledge().options if o.id == option for c in o.conditions)
    has_products = any(o.products for o in knowledge().options if o.id == option)
    if group == "does_not_fit" and soft_only and not has_products:
        assert all(a.options.get(option) != group for a in answers())
    else:
        assert any(a.options.get(option) == group for a in answers())


@pytest.mark.parametrize("lineage", ["b_cell", "t_cell", "unknown", "conflicting"])
def test_every_lineage_is_found(lineage: str) -> None:
    assert any(a.lineage == lineage for a in answers())


@pytest.mark.parametrize("ph", ["positive", "negative", "unknown", "conflicting"])
def test_every_philadelphia_status_is_found(ph: str) -> None:
    assert any(a.ph == ph for a in answers())


def test_every_rule_has_a_function_and_every_function_a_rule_in_the_same_order() -> None:
    assert list(RULE_FUNCTIONS) == list(knowledge().rules)


def test_every_check_is_used_by_an_option() -> None:
    assert {c.check for o in knowledge().options for c in o.conditions} == set(CHECKS)
