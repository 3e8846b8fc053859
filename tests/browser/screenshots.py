"""Pictures of the page, for the documentation and to look at: ``python -m tests.browser.screenshots FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import sync_playwright

from tests.browser.served import ARGUMENTS, CHROMIUM, served

CHILD, PH_POSITIVE, MRD = (
    "g02-second-relapse-of-a-child",
    "g05-ph-positive-second-relapse",
    "second-relapse-with-mrd",
)


class Shot(NamedTuple):
    """File name, width, colour scheme, address, and the part of the page that is shown; None is all of it."""

    name: str
    width: int
    scheme: str
    address: str
    part: str | None


SHOTS = (
    Shot("page-wide", 1280, "light", f"/?story={CHILD}", None),
    Shot("page-narrow", 360, "light", f"/?story={CHILD}&view=narrow", None),
    Shot("page-dark", 1280, "dark", f"/?story={PH_POSITIVE}&view=epic", None),
    Shot("card", 1280, "light", f"/?story={CHILD}", "article.card"),
    Shot("card-narrow", 360, "light", f"/?story={CHILD}&view=narrow", "article.card"),
    Shot("timeline", 1280, "light", f"/?story={MRD}", "svg.timeline"),
    Shot("timeline-dark", 1280, "dark", f"/?story={PH_POSITIVE}", "svg.timeline"),
    Shot("changes", 1280, "light", f"/?story={CHILD}", "section:has(> #changes)"),
)


def png(browser: Any, base: str, shot: Shot, style: str = "") -> bytes:
    """*shot* of the page at *base*; *style* is CSS on top of the page's own."""
    viewport = {"width": shot.width, "height": 900}
    context = browser.new_context(viewport=viewport, color_scheme=shot.scheme, bypass_csp=bool(style))
    page = context.new_page()
    page.goto(base + shot.address)
    if style:
        page.add_style_tag(content=style)
    taken: bytes = page.screenshot(full_page=True) if shot.part is None else page.locator(shot.part).screenshot()
    context.close()
    return taken


def take(folder: Path) -> None:
    """Write one PNG for each of :data:`SHOTS` into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as store, served(Path(store) / "store.db") as base, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for shot in SHOTS:
            (folder / f"{shot.name}.png").write_bytes(png(browser, base, shot))
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
