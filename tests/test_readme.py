"""The README shows what the service answers, not what it once answered."""

from __future__ import annotations

from pathlib import Path

from tests.stories import story

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_card_in_the_readme_is_the_card_of_its_story() -> None:
    card = story("g01-first-marrow-relapse").golden["cards"][0]
    shown = README.split("<!-- card -->")[1].split("<!-- /card -->")[0]
    lines = [line.removeprefix("> ").removeprefix(">") for line in shown.strip().splitlines()]
    assert lines == [f"**{card['summary']}**", "", *card["detail"].split("\n")]


def test_the_readme_names_both_commands_and_the_story_it_asks_for() -> None:
    for text in ("make run", "make test", "fhir_fixtures/g01-first-marrow-relapse/request.json"):
        assert text in README
