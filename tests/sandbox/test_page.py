"""The testers' page: what a tester chooses or pastes is answered with all that led to the card."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.books import Books
from cds_service.decision import Decision
from cds_service.sandbox import page
from cds_service.sandbox.page_answer import Answered, Refused, answer
from cds_service.sandbox.page_card import VIEWS, rendered
from cds_service.sandbox.page_place import Place, place_of_fault
from cds_service.sandbox.stories import grouped, load_stories
from cds_service.service import CardService
from cds_service.settings import Settings
from cds_service.store.database import Database, database_url
from tests.charts import bundle, chart, knowledge
from tests.stories import folder, stories

sys.path.insert(0, str(Path(__file__).parent.parent / "wire"))
from calls import BASE_URL, HOOK, Observed, application

TODAY = date(2026, 11, 1)
CHILD = "g02-second-relapse-of-a-child"
MARKUP = "<b>bold</b> <script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) ~~gone~~"


class Entered(list[tuple[str, str]]):
    """The cards that were shown, with the patients they were about."""

    def __call__(self, card: Mapping[str, Any], decision: Decision, patient_id: str) -> None:
        self.append((card["uuid"], patient_id))


@pytest.fixture
def entered() -> Entered:
    return Entered()


@pytest.fixture
def client(entered: Entered, tmp_path: Path) -> FlaskClient:
    service = Observed()
    database = Database(database_url(f"sqlite:///{tmp_path}/store.db"), time.monotonic)
    app = application(service, Settings("demo", BASE_URL, today=TODAY), database=database)
    app.register_blueprint(page.testers_page(service, folder(), lambda: TODAY, entered))
    return app.test_client()


@pytest.fixture(scope="module")
def service() -> CardService:
    return CardService(knowledge(), BASE_URL)


def text_of(response: TestResponse) -> str:
    """The words of a page, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))).split())


def request_text(name: str) -> str:
    return (folder() / name / "request.json").read_text(encoding="utf-8")


def run(client: FlaskClient, text: str, **fields: str) -> TestResponse:
    return client.post("/", data={"request": text, **fields})


# -- a story -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", [s.slug for s in stories()])
def test_every_story_opens_with_its_class_and_rule(client: FlaskClient, slug: str) -> None:
    expected = next(s for s in stories() if s.slug == slug).expected
    response = client.get(f"/?story={slug}")
    assert response.status_code == 200
    said = f"{expected['classification'].replace('_', ' ').capitalize()} by rule {expected['rule']}"
    assert said in text_of(response)
    assert ("data-card=" in response.get_data(as_text=True)) == expected["card"]


def test_the_page_opens_with_a_story_and_says_what_it_is(client: FlaskClient) -> None:
    words = text_of(client.get("/"))
    assert "Demo mode: synthetic data only." in words
    assert "have not been reviewed by a clinician" in words
    assert "First marrow relapse" in words


def test_a_story_is_told_on_its_own_day_unless_the_tester_moves_it(client: FlaskClient) -> None:
    assert 'value="2026-11-01"' in client.get(f"/?story={CHILD}").get_data(as_text=True)
    later = client.get(f"/?story={CHILD}&today=2028-11-01")
    assert "Indeterminate by rule R3" in text_of(later)


@pytest.mark.parametrize("day", ["tomorrow", "1776-07-04", "9999-12-31"])
def test_a_day_that_cannot_be_is_refused_in_words(client: FlaskClient, day: str) -> None:
    response = client.get(f"/?story={CHILD}&today={day}")
    assert response.status_code == 400
    assert page.NO_SUCH_DAY in text_of(response)
    assert day not in response.get_data(as_text=True)


def test_a_story_that_does_not_exist_is_refused_in_words(client: FlaskClient) -> None:
    response = client.get("/?story=../../etc/passwd&today=x")
    assert response.status_code == 400
    assert page.NO_SUCH_STORY in text_of(response)


def test_the_parts_of_the_answer_are_all_there(client: FlaskClient) -> None:
    response = client.get(f"/?story={CHILD}")
    words = text_of(response)
    for part in ("The card", "Timeline", "The rule that matched", "On the page and fitting", "Not on record"):
        assert part in words
    assert "a new CD22 result: negative Inotuzumab ozogamicin (Besponsa): fits → does not fit" in words
    assert "relapsed (R7) → indeterminate (R6) no options listed any more" in words
    assert '<a href="#fact-' in response.get_data(as_text=True)


def test_a_silent_story_says_why_there_is_no_card(client: FlaskClient) -> None:
    assert "No card: the patient is deceased" in text_of(client.get("/?story=deceased"))
    assert "nothing to say to a clinician" in text_of(client.get("/?story=g29-mrd-positive-remission"))


def test_a_relapse_outside_the_marrow_says_that_the_options_would_be_listed(client: FlaskClient) -> None:
    assert "the options are listed" in text_of(client.get("/?story=g13-isolated-cns-relapse"))


def test_a_story_is_downloaded_as_it_is_on_file(client: FlaskClient) -> None:
    response = client.get(f"/stories/{CHILD}.json")
    assert response.get_data(as_text=True) == request_text(CHILD)
    assert response.headers["Content-Disposition"] == f'attachment; filename="{CHILD}.json"'
    assert client.get("/stories/nobody.json").status_code == 404


def test_stories_stand_in_groups_in_a_fixed_order() -> None:
    found = load_stories(folder())
    groups = grouped(found)
    assert list(groups)[:3] == ["relapsed", "refractory", "indeterminate"]
    assert sum(len(members) for members in groups.values()) == len(found) == len(stories())


# -- a form ------------------------------------------------------------------------------------------------------


def test_a_story_as_it_is_on_file_gets_an_address_that_opens_the_same_state(client: FlaskClient) -> None:
    text = request_text(CHILD).replace("\n", "\r\n")
    response = run(client, text, story=CHILD, today="2026-12-01", view="narrow")
    assert response.status_code == 303
    assert response.headers["Location"] == f"/?story={CHILD}&today=2026-12-01&view=narrow"
    again = client.get(response.headers["Location"]).get_data(as_text=True)
    assert 'value="2026-12-01"' in again
    assert 'value="narrow" aria-pressed="true"' in again


def test_an_edited_story_is_answered_and_stands_in_no_address(client: FlaskClient) -> None:
    edited = request_text(CHILD).replace('"2026-10-09', '"2026-10-08')
    response = run(client, edited, story=CHILD, view="epic")
    assert response.status_code == 200
    assert "edited" in text_of(response)
    assert "Link to this state" not in text_of(response)
    assert "2026-10-08" in text_of(response)


def test_a_pasted_bundle_is_answered_and_offers_no_hook_call(client: FlaskClient) -> None:
    patient = chart().all_b("2025-01-01").remission("2025-06-01").marrow(70, "2026-10-10")
    entries = [json.loads(value) for value in patient.prefetch().values()]
    flat = [e["resource"] for part in entries if part for e in part.get("entry", [{"resource": part}])]
    response = run(client, json.dumps(bundle(flat)))
    assert "Relapsed by rule R7" in text_of(response)
    assert "A pasted chart" in text_of(response)
    assert "curl" not in text_of(response)


def test_json_that_is_broken_is_refused_at_its_line_and_column(client: FlaskClient) -> None:
    response = run(client, '{\n "hook": "patient-view",\n oops\n}', story=CHILD)
    assert response.status_code == 400
    assert "Line 3, column 2 of the request." in text_of(response)
    assert 'data-line="3"' in response.get_data(as_text=True)


def test_a_day_that_cannot_be_is_refused_in_a_form_too(client: FlaskClient) -> None:
    assert run(client, request_text(CHILD), story=CHILD, today="soon").status_code == 400


def test_markup_in_what_is_pasted_stays_text(client: FlaskClient) -> None:
    response = run(client, '{"hook": "</textarea><script>alert(1)</script>"}')
    assert "<script>alert" not in response.get_data(as_text=True)


def test_a_chart_of_half_a_megabyte_and_more_can_be_pasted(client: FlaskClient) -> None:
    padded = request_text("five-hundred-laboratory-results") + " " * 700_000
    assert run(client, padded).status_code == 200


# -- headers, cards ----------------------------------------------------------------------------------------------


def test_nothing_is_kept_and_nothing_comes_from_elsewhere(client: FlaskClient) -> None:
    for response in (client.get("/"), run(client, "{}"), client.get(f"/stories/{CHILD}.json")):
        assert response.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_the_page_has_no_script_or_style_of_its_own(client: FlaskClient) -> None:
    body = client.get("/").get_data(as_text=True)
    assert not re.search(
        r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|(?:src|href)=\"(?:https?:)?//(?!127)", body
    )


def test_a_card_shown_is_entered_and_feedback_on_it_is_received(client: FlaskClient, entered: Entered) -> None:
    client.get(f"/?story={CHILD}")
    ((card, patient),) = entered
    assert patient == CHILD
    item = {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-11-01T10:00:00Z"}
    assert client.post(f"{HOOK}/feedback", json={"feedback": [item]}).get_json() == {"received": 1}


def test_the_ledger_takes_what_the_page_enters(tmp_path: Path) -> None:
    service = Observed()
    database = Database(database_url(f"sqlite:///{tmp_path}/store.db"), time.monotonic)
    app = application(service, Settings("demo", BASE_URL), database=database)
    books: Books = app.extensions["cds_service"].books
    shown: list[str] = []
    show = page.testers_page(
        service,
        folder(),
        lambda: TODAY,
        lambda card, decision, name: shown.append(books.enter(card, decision, None, name)),
    )
    app.register_blueprint(show)
    app.test_client().get(f"/?story={CHILD}")
    assert shown == ["shown"]


def test_each_client_renders_markdown_in_its_own_dialect_and_none_runs_anything() -> None:
    sandbox, epic = rendered(MARKUP, VIEWS["sandbox"]), rendered(MARKUP, VIEWS["epic"])
    assert "<b>bold</b>" in sandbox
    assert "&lt;b&gt;bold&lt;/b&gt;" in epic
    for made in (sandbox, epic, rendered(MARKUP, VIEWS["narrow"])):
        assert not re.search(r"<script|<img|href=\"javascript", made)
        assert "gone</" in made


# -- where a fault lies ------------------------------------------------------------------------------------------

TEXT = """{
 "hook": "patient-view",
 "list": [1, {"a:b": "x, y"}],
 "context": {
  "patientId": "Patient/1"
 }
}"""


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        pytest.param("context.patientId", Place(5, 3), id="a member"),
        pytest.param("context.userId", Place(4, 2), id="a member that is missing: the object it is missing from"),
        pytest.param("hookInstance", Place(1, 1), id="nothing of the path exists: the whole"),
        pytest.param("list[1]", Place(3, 14), id="an item"),
        pytest.param("list[1].none", Place(3, 14), id="within an item"),
        pytest.param("Bundle.context", Place(4, 2), id="a path that begins with the type"),
        pytest.param(None, None, id="no path"),
    ],
)
def test_a_path_is_found_in_the_text(expression: str | None, place: Place | None) -> None:
    assert place_of_fault(TEXT, expression) == place


def test_a_text_too_deep_to_be_read_again_has_no_place() -> None:
    assert place_of_fault("[" * 100_000, "hook") is None


def test_a_refusal_points_at_the_field_it_names(service: CardService, entered: Entered) -> None:
    text = json.dumps({"hook": "patient-view", "hookInstance": "x", "context": {"patientId": "p1"}}, indent=1)
    found = answer(text, TODAY, service, entered)
    assert isinstance(found, Refused)
    assert (found.status, entered) == (400, [])
    assert found.place is not None


def test_required_data_that_are_missing_are_a_412_as_on_the_wire(service: CardService, entered: Entered) -> None:
    call = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {},
    }
    found = answer(json.dumps(call, indent=1), TODAY, service, entered)
    assert isinstance(found, Refused)
    assert (found.status, found.place) == (412, Place(8, 2))


@pytest.mark.parametrize(
    ("odd", "known"),
    [
        pytest.param("2", True, id="no resource"),
        pytest.param("9" * 5000, False, id="a number Python cannot hold, where nobody reads it"),
    ],
)
def test_an_odd_entry_costs_the_dates_at_most(service: CardService, entered: Entered, odd: str, known: bool) -> None:
    call = json.loads(request_text(CHILD))
    call["prefetch"]["other"] = {"resourceType": "Bundle", "entry": [1, {"resource": 2}]}
    call["prefetch"]["none"] = None
    found = answer(json.dumps(call).replace('"resource": 2', f'"resource": {odd}'), TODAY, service, entered)
    assert isinstance(found, Answered)
    assert bool(found.dates) == known


def test_a_request_nested_too_deeply_is_refused(service: CardService, entered: Entered) -> None:
    found = answer('{"prefetch": ' + "[" * 100_000, TODAY, service, entered)
    assert isinstance(found, Refused)
    assert (found.status, found.place) == (400, None)
