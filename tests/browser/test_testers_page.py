"""A tester at the page: with a mouse, with the keyboard alone, without script, on a telephone, in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.stories import stories

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHILD = "g02-second-relapse-of-a-child"
PAGES = (f"/?story={CHILD}", f"/?story={CHILD}&view=narrow", "/?story=deceased", "/?today=never", "/about")


def test_every_story_opens_without_a_complaint_of_the_browser(visit: Visit) -> None:
    for told in stories():
        assert visit.open(f"/?story={told.slug}").status == 200
        assert visit.page.locator("h2").nth(1).inner_text() == told.about["title"]


def test_a_tester_finds_a_story_sees_its_card_and_sends_feedback(visit: Visit) -> None:
    page = visit.page
    visit.open("/")
    page.get_by_label("Search the stories").fill("second relapse child")
    assert page.locator("#hits").inner_text() == "1 found"
    page.get_by_role("link", name="Second marrow relapse of a child").click()
    assert "Relapsed by rule R7" in page.locator(".verdict").inner_text()
    page.get_by_role("button", name="Ask for expert review").click()
    page.locator("#feedback").get_by_text('{"received":1}').wait_for()
    assert '"outcome": "accepted"' in page.locator("#feedback").inner_text()
    page.get_by_label("Override reason").select_option(index=1)
    page.get_by_label("Comment").fill("a test")
    page.get_by_role("button", name="Dismiss").click()
    page.locator("#feedback").get_by_text('"outcome": "overridden"').wait_for()
    said = page.locator("#feedback").inner_text()
    assert '"userComment": "a test"' in said
    assert '200 {"received":1}' in said


def test_a_dismissal_needs_no_reason(visit: Visit) -> None:
    visit.open(f"/?story={CHILD}")
    visit.page.get_by_role("button", name="Dismiss").click()
    visit.page.locator("#feedback").get_by_text("200 {").wait_for()
    assert "overrideReason" not in visit.page.locator("#feedback").inner_text()


def test_the_view_and_the_day_are_changed_and_stand_in_the_address(visit: Visit) -> None:
    visit.open(f"/?story={CHILD}")
    visit.page.get_by_label("Today").fill("2026-12-24")
    visit.page.get_by_role("button", name="Narrow panel").click()
    visit.page.wait_for_url("**/?story=*")
    assert visit.page.url.endswith(f"?story={CHILD}&today=2026-12-24&view=narrow")
    assert visit.page.locator(".card").bounding_box()["width"] == 240


def test_a_mark_of_the_timeline_leads_to_its_row(visit: Visit) -> None:
    visit.open(f"/?story={CHILD}")
    visit.page.locator("a.mark.decided").first.click()
    row = visit.page.url.partition("#")[2]
    assert "decided the class" in visit.page.locator(f"#{row}").inner_text()


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page, keyboard = visit.page, visit.page.keyboard
    visit.open(f"/?story={CHILD}")
    keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    _tab_to(visit, "#permalink")
    _tab_to(visit, "#today")
    _tab_to(visit, "button[value=epic]")
    keyboard.press("Enter")
    page.wait_for_url("**view=epic")
    _tab_to(visit, "[data-accept]")
    keyboard.press("Space")
    page.locator("#feedback").get_by_text("200 {").wait_for()
    _tab_to(visit, "a.mark")
    _tab_to(visit, "#request")


def _tab_to(visit: Visit, selector: str) -> None:
    """Press Tab until the first element of *selector* has the focus; a page has less than 200 stops."""
    for _ in range(200):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reached {selector}")


def test_a_fault_is_shown_where_it_is(browser: Any, site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(site)
    page.locator("#request").fill('{\n "hook": nothing\n}')
    page.get_by_role("button", name="Run this request").click()
    page.get_by_role("link", name="Line 2, column 10").click()
    assert page.evaluate("document.activeElement.id") == "request"
    assert page.evaluate("document.activeElement.selectionStart") == 11
    context.close()


def test_without_script_a_pasted_chart_is_answered(browser: Any, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/?story={CHILD}")
    text = page.locator("#request").input_value()
    page.locator("#request").fill(text.replace('"value": 55', '"value": 4'))
    page.get_by_role("button", name="Run this request").click()
    assert "edited" in page.locator("#story-title").inner_text()
    assert "Relapsed" not in page.locator(".verdict").inner_text()
    assert page.locator("[data-accept]").first.is_disabled()
    context.close()


def test_the_call_is_copied_as_curl(browser: Any, site: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{site}/?story={CHILD}")
    page.get_by_text("The same call with curl").click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    assert f"/stories/{CHILD}.json" in page.evaluate("navigator.clipboard.readText()")
    context.close()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Any, site: str, scheme: str, width: int) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()
    for address in PAGES:
        page.goto(site + address)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
        faults = {v["id"]: [node["target"] for node in v["nodes"]] for v in found["violations"]}
        assert (address, faults) == (address, {})
        assert len(found["passes"]) > 15
    context.close()


@pytest.mark.parametrize("address", PAGES)
def test_nothing_is_wider_than_a_telephone(browser: Any, site: str, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(site + address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
