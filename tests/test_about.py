"""The page a clinician judges the card by."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from cds_service.about import about_html, about_json, review_state
from cds_service.service import CardService
from tests.charts import knowledge

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Headings, ids and in-page links; fails on an element that is never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if named.get("id"):
            self.ids.append(str(named["id"]))
        if str(named.get("href", "")).startswith("#"):
            self.targets.append(str(named["href"])[1:])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline() -> Outline:
    parser = Outline()
    parser.feed(about_html(knowledge()))
    assert parser.open == []
    return parser


def test_the_page_is_well_formed_and_every_link_in_it_leads_somewhere() -> None:
    page = outline()
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    assert "script" not in page.tags


def test_it_says_that_no_clinician_has_reviewed_the_rules() -> None:
    assert "Not reviewed by a clinician" in about_html(knowledge())


def test_it_names_the_reviewer_once_there_is_one() -> None:
    assert review_state(replace(knowledge(), reviewed_by="A. Hematologist")) == "Reviewed by A. Hematologist."


def test_it_holds_the_thirteen_source_attributes() -> None:
    assert [a["number"] for a in about_json(knowledge())["sourceAttributes"]] == list(range(1, 14))


def test_it_gives_every_rule_option_statement_threshold_and_label_date() -> None:
    text, known = about_html(knowledge()), knowledge()
    for option in known.options:
        assert option.name in text
    for name in (*known.rules, *known.statements, *known.sources):
        assert name in text
    assert all("labelDate" in label for label in about_json(known)["labels"])
    assert len(about_json(known)["definitions"]) == len(known.definitions)


def test_the_service_gives_it_as_a_page_or_as_data() -> None:
    service = CardService(knowledge(), "https://cds.example")
    assert service.about(accept_json=True) == about_json(knowledge())
    assert service.about(accept_json=False) == about_html(knowledge())
