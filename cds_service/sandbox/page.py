"""The testers' page at ``/``, in demo mode: a story or a pasted chart in, and all that led to the card out.

A form rendered here and nothing else: every control works without script. What is pasted is posted, answered
and forgotten; only a story, a day and a view can stand in an address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from jinja2 import Environment, PackageLoader, StrictUndefined

from cds_service.errors import NotFound
from cds_service.sandbox.page_answer import Answered, Enter, Refused, answer
from cds_service.sandbox.page_card import VIEWS, View
from cds_service.sandbox.stories import Story, grouped, load_stories
from cds_service.service import CardService

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
FIRST_STORY = "g01-first-marrow-relapse"
EARLIEST, LATEST = date(1900, 1, 1), date(2200, 12, 31)
NO_SUCH_STORY = "There is no story of this name. Choose one from the list."
NO_SUCH_DAY = "Today must be a day between 1900-01-01 and 2200-12-31, written as YYYY-MM-DD."


@dataclass(frozen=True)
class Asked:
    """What the tester wants to see. *fault* says what of it could not be understood."""

    story: Story | None
    text: str
    today: date
    view: View
    fault: str = ""


def testers_page(service: CardService, folder: Path, clock: Callable[[], date], enter: Enter) -> Blueprint:
    """The page over the stories of *folder*; *clock* gives today, *enter* notes each card that is shown."""
    stories = cache(partial(load_stories, folder))  # when the page is first opened: they are many files
    blueprint = Blueprint("testers_page", __name__)

    @blueprint.get("/")
    def show() -> Response:
        return _page(_asked_by_address(stories(), clock), service, stories(), enter)

    @blueprint.post("/")
    def run() -> Response:
        request.max_form_memory_size = request.max_content_length
        asked = _asked_by_form(stories(), clock)
        if asked.story is not None and not asked.fault and _same(asked.text, asked.story.request):
            return _private(Response(status=303, headers={"Location": address(asked)}))
        return _page(asked, service, stories(), enter)

    @blueprint.get("/stories/<name>.json")
    def download(name: str) -> Response:
        story = stories().get(name)
        if story is None:
            raise NotFound(NO_SUCH_STORY)
        response = Response(story.request, mimetype="application/json")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.json"'
        return _private(response)

    return blueprint


def address(asked: Asked) -> str:
    """A link that opens the same state, for a story as it is on file."""
    named = {"story": asked.story.name if asked.story else FIRST_STORY}
    return "/?" + urlencode(named | {"today": asked.today.isoformat(), "view": asked.view.id})


def _asked_by_address(stories: Mapping[str, Story], clock: Callable[[], date]) -> Asked:
    name = request.args.get("story", FIRST_STORY)
    story = stories.get(name)
    asked = Asked(story, story.request if story else "", story.today if story else clock(), _view(request.args))
    return _on_day(asked if story else replace(asked, fault=NO_SUCH_STORY), request.args)


def _asked_by_form(stories: Mapping[str, Story], clock: Callable[[], date]) -> Asked:
    story = stories.get(request.form.get("story", ""))
    asked = Asked(story, request.form.get("request", ""), story.today if story else clock(), _view(request.form))
    return _on_day(asked, request.form)


def _view(given: Mapping[str, str]) -> View:
    return VIEWS.get(given.get("view", ""), VIEWS["sandbox"])


def _on_day(asked: Asked, given: Mapping[str, str]) -> Asked:
    """With the day the tester chose, if any."""
    text = given.get("today", "").strip()
    if not text:
        return asked
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return replace(asked, fault=asked.fault or NO_SUCH_DAY)
    return replace(asked, today=day) if EARLIEST <= day <= LATEST else replace(asked, fault=asked.fault or NO_SUCH_DAY)


def _same(one: str, other: str) -> bool:
    """A browser sends the lines of a text area with other ends."""
    return one.splitlines() == other.splitlines()


def _page(asked: Asked, service: CardService, stories: Mapping[str, Story], enter: Enter) -> Response:
    from cds_service.sandbox.page_parts import parts  # the pictures, and the libraries that render a card

    found = Refused(400, asked.fault, None) if asked.fault else answer(asked.text, asked.today, service, enter)
    edited = asked.story is not None and not _same(asked.text, asked.story.request)
    shown: dict[str, Any] = {
        "asked": asked,
        "edited": edited,
        "link": address(asked) if asked.story and not edited else "",
        "groups": grouped(stories),
        "views": VIEWS,
        "refused": found if isinstance(found, Refused) else None,
        "hook": f"/cds-services/{service.entry.id}",
        "base": service.base_url.rstrip("/"),
        "found": parts(found, service.knowledge, asked.view) if isinstance(found, Answered) else None,
    }
    text = _environment().get_template("sandbox.html").render(shown)
    return _private(Response(text, found.status if isinstance(found, Refused) else 200, mimetype="text/html"))


def _private(response: Response) -> Response:
    """A pasted chart is kept by nobody on the way; the page loads nothing from elsewhere."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("cds_service", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
