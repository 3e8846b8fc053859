"""The page a clinician judges the card by."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.about import Examples, about_html, about_json, review_state
from cds_service.assemble import assemble, check
from cds_service.service import CardService
from tests.charts import knowledge
from tests.stories import folder, story

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
    parser.feed(about_html(knowledge(), Examples.of(folder(), linked=True)))
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


def rules(examples: Examples) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = about_json(knowledge(), examples)["rules"]
    return found


def test_each_rule_has_what_it_needs_answers_and_says_and_on_whose_authority() -> None:
    for rule in rules(Examples()):
        assert rule.keys() >= {"condition", "answer", "says", "sources"}
        assert len(rule["says"]) == len(knowledge().rules[rule["id"]].reasons)
        assert "{" not in "".join(rule["says"])
    text = about_html(knowledge())
    assert "Remission earlier; marrow [marrow] % blasts on [date]." in text
    assert "<strong>not ALL</strong>" in text
    assert "See it fire" not in text


def test_each_rule_fires_on_the_story_it_is_shown_by() -> None:
    shown = {rule["id"]: rule["example"] for rule in rules(Examples.of(folder(), linked=False))}
    assert shown.keys() == knowledge().rules.keys()
    for rule, name in shown.items():
        assert story(name).decide().assessment.verdict.rule == rule


def test_the_example_of_a_rule_is_the_first_story_by_name(tmp_path: Path) -> None:
    for name, rule in (("b", "R7"), ("a", "R7"), ("c", "R9")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "story.toml").write_text(f'[expected]\nrule = "{rule}"\n')
    assert Examples.of(tmp_path, linked=True) == Examples({"R7": "a", "R9": "c"}, linked=True)


def demo(folder: Path) -> FlaskClient:
    return assemble(check({"CDS_DATABASE_URL": f"sqlite:///{folder}/store.db"}, "demo")).test_client()


def test_in_demo_mode_each_example_is_one_click_away(tmp_path: Path) -> None:
    client = demo(tmp_path)
    text = client.get("/about").get_data(as_text=True)
    for rule in rules(Examples.of(folder(), linked=True)):
        assert f'<a href="./?story={rule["example"]}">{rule["example"]}</a>' in text
        opened = client.get(f"/?story={rule['example']}").get_data(as_text=True)
        assert f'by rule <a href="about#{rule["id"]}">' in opened


@pytest.mark.parametrize("linked", [True, False])
def test_elsewhere_an_example_is_named_without_a_link(linked: bool) -> None:
    text = about_html(knowledge(), Examples({"R7": "g02-second-relapse-of-a-child"}, linked=linked))
    assert text.count("g02-second-relapse-of-a-child") == (2 if linked else 1)
    assert ("?story=" in text) is linked
