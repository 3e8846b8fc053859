"""What a terminal shows: the timeline as a table, whatever its width, and nothing a chart could command it."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from cds_service.__main__ import main
from cds_service.change import changes_json, what_would_change
from cds_service.errors import ServiceError
from cds_service.service import CardService, view_of_file
from cds_service.timeline_text import assessment_text, show_assessment
from tests.charts import Chart, chart, knowledge, relapsed_b
from tests.corpus.planting import leaves, planted, replaced
from tests.stories import Story, story

TOLD = "g02-second-relapse-of-a-child"
SHORT = "amended-marrow"
ESCAPE = "\x1b[31mqz7canary\x07\x9b"
Json = dict[str, Any]


def shown(made: Chart | Story, width: int, *, color: bool = False) -> str:
    """What a terminal of *width* columns gets."""
    written = StringIO()
    console = Console(
        file=written, width=width, no_color=not color, force_terminal=color, color_system="standard" if color else None
    )
    decision = made.decide() if isinstance(made, Story) else made.assess().decision
    show_assessment(decision, knowledge(), console)
    return written.getvalue()


def timeline(text: str) -> list[str]:
    """The lines of the table, its heading first."""
    return text.partition("Timeline up to")[2].partition("\n\n")[0].splitlines()[1:]


def test_a_wide_terminal_gets_a_row_for_each_fact_and_the_part_it_had() -> None:
    heading, *rows = timeline(shown(story(TOLD), 160))
    assert heading.rstrip().endswith("Part in the answer")
    decided = [row for row in rows if row.startswith("*")]
    assert any(row.startswith("* 2026-10-09") and "Return in the marrow" in row for row in decided)
    assert all("Observation/" in row or "Condition/" in row for row in decided)
    assert all(row.startswith(("* ", "  ")) for row in rows)


def test_the_bar_is_as_long_as_the_logarithm_of_the_blasts() -> None:
    made = chart().all_b("2024-01-01").marrow(100, "2024-01-02").marrow(1, "2024-03-02").marrow(0, "2024-05-02")
    bars = [row.count("#") for row in timeline(shown(made, 160)) if "marrow blasts" in row]
    assert bars == [16, 8, 0]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_terminal_too_narrow_for_the_table_gets_each_resource_on_a_line_of_its_own(width: int) -> None:
    decision = story(TOLD).decide()
    rows = timeline(shown(story(TOLD), width))
    whole = {row.strip() for row in rows}
    assert {used.fact.ref for used in decision.assessment.verdict.used} <= whole
    assert max(map(len, rows)) <= width
    assert any(row.startswith("* 2026-10-09") for row in rows)
    assert "(Return in the marrow)" in " ".join(" ".join(rows).split())


def test_a_paragraph_is_as_wide_as_the_terminal_and_no_wider_than_reads_well() -> None:
    longest = {width: max(map(len, shown(relapsed_b(), width).splitlines()[1:3])) for width in (40, 300)}
    assert longest[40] <= 40
    assert longest[300] <= 100


def test_what_decided_is_marked_in_colour_and_without() -> None:
    marked = {line for line in timeline(shown(story(TOLD), 160)) if line.startswith("* ")}
    colored = shown(story(TOLD), 160, color=True)
    assert colored.count("\x1b[1;36m* ") == len(marked) > 0


def test_a_file_gets_no_colour_and_lines_as_long_as_they_need_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = assessment_text(story(TOLD).decide(), knowledge())
    assert "\x1b" not in text
    assert "Part in the answer" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_a_chart_without_facts_has_no_table() -> None:
    assert timeline(shown(chart(), 80)) == ["  (no relevant facts)"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(relapsed_b(), "Card: Relapsed B-cell ALL", id="a card"),
        pytest.param(relapsed_b().died(), "No card: deceased", id="kept silent"),
        pytest.param(chart(), "No card: nothing to say", id="nothing to say"),
        pytest.param(relapsed_b().marrow(70, "2026-10-11", status="entered-in-error"), "\nSet aside\n", id="set aside"),
    ],
)
def test_the_answer_says_whether_there_is_a_card_and_what_was_set_aside(made: Chart, said: str) -> None:
    assert said in shown(made, 80)


def test_a_fact_of_no_known_date_says_so() -> None:
    undated = chart().all_b("2024-01-01").but_last(recordedDate=None)
    assert timeline(shown(undated, 160))[1].startswith("* ?")
    assert timeline(shown(chart().all_b("2024-01-01"), 160))[1].startswith("* 2024-01-01")


def test_free_text_and_control_characters_of_the_record_never_reach_the_terminal() -> None:
    told = planted(story(SHORT).request, ESCAPE)
    service, today, reached = CardService(knowledge(), "https://cds.example"), story(SHORT).decide().today, 0
    for way in leaves(told["prefetch"]):
        hostile = json.dumps(replaced(told, ("prefetch", *way), ESCAPE)).encode()
        try:
            decision = service.decide(view_of_file(hostile), today)
        except ServiceError:
            continue
        text = assessment_text(decision, knowledge())
        assert "canary" not in text
        assert all(character.isprintable() or character == "\n" for character in text)
        reached += 1
    assert reached > 100


def assess(*arguments: str, **environ: str) -> str:
    path = story(TOLD).path / "request.json"
    result = CliRunner().invoke(main, ["assess", str(path), "--today", "2026-11-01", *arguments], env=environ)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_asks_the_terminal_for_its_width() -> None:
    terminal = assess("--format", "text", FORCE_COLOR="1", TERM="xterm", COLUMNS="70")
    assert "\x1b[" in terminal
    assert "What, value and part in the answer; resource" in terminal
    piped = assess("--format", "text", COLUMNS="70")
    assert "\x1b" not in piped
    assert "Part in the answer" in piped


def test_the_assessment_as_json_says_what_would_change_it_and_the_hook_does_not() -> None:
    decision = story(TOLD).decide()
    changes = what_would_change(decision.assessment, knowledge(), decision.today)
    assert json.loads(assess())["would_change"] == changes_json(changes, knowledge())
    assert len(changes) > 3
    body = CardService(knowledge(), "https://cds.example").respond(decision, with_assessment=True)
    assert "would_change" not in json.dumps(body)
