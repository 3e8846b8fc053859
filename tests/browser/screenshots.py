"""Pictures of the page, for the documentation and to look at: ``python -m tests.browser.screenshots FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.served import ARGUMENTS, CHROMIUM, served

CHILD, PH_POSITIVE, MRD = (
    "g02-second-relapse-of-a-child",
    "g05-ph-positive-second-relapse",
    "second-relapse-with-mrd",
)
SHOTS: tuple[tuple[str, int, str, str, str | None], ...] = (
    ("page-wide", 1280, "light", f"/?story={CHILD}", None),
    ("page-narrow", 360, "light", f"/?story={CHILD}&view=narrow", None),
    ("page-dark", 1280, "dark", f"/?story={PH_POSITIVE}&view=epic", None),
    ("card", 1280, "light", f"/?story={CHILD}", "article.card"),
    ("card-narrow", 360, "light", f"/?story={CHILD}&view=narrow", "article.card"),
    ("timeline", 1280, "light", f"/?story={MRD}", "svg.timeline"),
    ("timeline-dark", 1280, "dark", f"/?story={PH_POSITIVE}", "svg.timeline"),
    ("changes", 1280, "light", f"/?story={CHILD}", "section:has(> #changes)"),
)
"""File name, width, colour scheme, address, and the part of the page that is shown; None is all of it."""


def take(folder: Path) -> None:
    """Write one PNG for each of :data:`SHOTS` into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as store, served(Path(store) / "store.db") as base, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, width, scheme, address, part in SHOTS:
            options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
            page = browser.new_context(**options).new_page()
            page.goto(base + address)
            target = str(folder / f"{name}.png")
            if part is None:
                page.screenshot(path=target, full_page=True)
            else:
                page.locator(part).screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
