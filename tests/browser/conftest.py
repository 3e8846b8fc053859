"""The testers' page in Debian's Chromium, served on a real socket; skipped where either is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.browser.served import ARGUMENTS, CHROMIUM, served


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page."""
    with served(tmp_path_factory.mktemp("store") / "store.db") as base:
        yield base


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@dataclass
class Visit:
    """A page in a browser; *complaints* are errors of the console, *abroad* requests to another host."""

    page: Any
    site: str
    complaints: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda sent: self.abroad.append(sent.url) if not self._is_ours(sent.url) else None)

    def _is_ours(self, url: str) -> bool:
        return url.startswith(f"{self.site}/")

    def open(self, address: str) -> Any:
        return self.page.goto(self.site + address)


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Visit]:
    """A visit that must end without a complaint, and without a request to another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    visiting = Visit(context.new_page(), site)
    yield visiting
    context.close()
    assert visiting.complaints == []
    assert visiting.abroad == []
