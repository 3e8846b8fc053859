"""The pictures of the documentation show the page as it is, give or take a font."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.browser.screenshots import PH_POSITIVE, SHOTS, Shot, png

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
COMPARE = Path(__file__).with_name("compare.js").read_text(encoding="utf-8")
NAMED = {shot.name: shot for shot in SHOTS}
CARD, TIMELINE = NAMED["card"], NAMED["timeline"]
HEIGHT = 0.05
# Between what another font does (card 8.5 %, timeline 1 %) and what a lost part does (card 55 %, timeline 4.8 %).
WORST = {"card": 0.2, "timeline": 0.025}
STALE = (
    "docs/pictures/{}.png is not the page as it is ({}). Run `make pictures` and look at them. "
    "If only the letters are others, this computer's font is of another width than the DejaVu Sans of the pictures."
)
LESS_A_PARAGRAPH = "article.card .detail > p:nth-last-of-type(2) { display: none }"


def differences(browser: Any, name: str, anew: bytes) -> list[str]:
    """What is not the same, even loosely, in docs/pictures/*name*.png and the PNG *anew*."""
    urls = ["data:image/png;base64," + b64encode(data).decode() for data in (_kept(name), anew)]
    blank = browser.new_page()
    found = blank.evaluate(COMPARE, urls)
    blank.close()
    (width, width_now), (height, height_now) = found["widths"], found["heights"]
    said = {
        f"width {width} and now {width_now}": width != width_now,
        f"height {height} and now {height_now}": abs(height - height_now) > HEIGHT * height,
        f"{found['worst']:.1%} of a band differ": found["worst"] > WORST[name],
    }
    return [text for text, differs in said.items() if differs]


def _kept(name: str) -> bytes:
    return (PICTURES / f"{name}.png").read_bytes()


@pytest.mark.parametrize("shot", [CARD, TIMELINE], ids=lambda shot: shot.name)
def test_the_pictures_of_the_documentation_show_the_page_as_it_is(browser: Any, site: str, shot: Shot) -> None:
    found = differences(browser, shot.name, png(browser, site, shot))
    assert not found, STALE.format(shot.name, "; ".join(found))


@pytest.mark.parametrize(
    ("shot", "style"),
    [
        pytest.param(CARD, "* { font-family: 'DejaVu Serif', system-ui }", id="card, serif of the same width"),
        pytest.param(CARD, "code { font-family: 'Liberation Mono', monospace }", id="card, other code"),
        pytest.param(TIMELINE, "* { font-family: 'Liberation Sans', sans-serif }", id="timeline, narrower"),
        pytest.param(TIMELINE, "* { font-family: serif }", id="timeline, serif"),
    ],
)
def test_another_font_is_no_difference(browser: Any, site: str, shot: Shot, style: str) -> None:
    assert differences(browser, shot.name, png(browser, site, shot, style)) == []


@pytest.mark.parametrize(
    ("name", "shot", "style", "said"),
    [
        pytest.param("timeline", TIMELINE._replace(scheme="dark"), "", "of a band", id="dark timeline"),
        pytest.param("card", CARD._replace(scheme="dark"), "", "of a band", id="dark card"),
        pytest.param("timeline", NAMED["timeline-dark"]._replace(scheme="light"), "", "of a band", id="another story"),
        pytest.param("timeline", TIMELINE, ".mark[aria-label*=PCR] { display: none }", "of a band", id="empty lane"),
        pytest.param("timeline", CARD._replace(part="svg.timeline"), "", "height", id="fewer lanes"),
        pytest.param("card", CARD._replace(address=f"/?story={PH_POSITIVE}"), "", "height", id="card of another story"),
        pytest.param("card", CARD, "article.card ul { visibility: hidden }", "of a band", id="lists not shown"),
        pytest.param("card", CARD, "article.card button { visibility: hidden }", "of a band", id="buttons not shown"),
        pytest.param("card", CARD, LESS_A_PARAGRAPH, "of a band", id="a paragraph less"),
        pytest.param("card", NAMED["card-narrow"], "", "width", id="narrow card"),
    ],
)
def test_a_real_difference_is_noticed(browser: Any, site: str, name: str, shot: Shot, style: str, said: str) -> None:
    assert said in "; ".join(differences(browser, name, png(browser, site, shot, style)))
